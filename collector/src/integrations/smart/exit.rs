//! The exit status of `smartctl` is a mask of bits, most of which do not mean that it failed.

/// What `smartctl` is told to exit with where a disk sleeps: bits 0 and 1 together, which it never sets by itself.
pub(super) const STANDBY: u8 = 3;

/// An exit status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Exit(pub(super) u8);

impl Exit {
    const fn has(self, bit: u8) -> bool {
        self.0 & (1 << bit) != 0
    }

    /// The disk sleeps and was not asked for more.
    pub(super) const fn is_standby(self) -> bool {
        self.0 == STANDBY
    }

    /// It does not understand what it is asked, or cannot tell what kind of device it is.
    pub(super) const fn is_not_understood(self) -> bool {
        self.has(0)
    }

    /// The device cannot be opened, or does not say what it is.
    pub(super) const fn is_not_opened(self) -> bool {
        self.has(1)
    }

    /// The disk says that it is failing.
    pub(super) const fn is_failing(self) -> bool {
        self.has(3)
    }

    /// An attribute that announces a failure is below its threshold.
    pub(super) const fn has_failing_attribute(self) -> bool {
        self.has(4)
    }

    /// An attribute was below its threshold in the past.
    pub(super) const fn had_failing_attribute(self) -> bool {
        self.has(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_has_its_own_meaning() {
        assert!(Exit(3).is_standby());
        assert!(Exit(1).is_not_understood() && !Exit(1).is_standby());
        assert!(Exit(2).is_not_opened() && !Exit(2).is_standby());
        // some command failed, errors are logged: what it read is good
        for good in [0, 4, 64, 128, 196] {
            let exit = Exit(good);
            assert!(!exit.is_not_understood() && !exit.is_not_opened() && !exit.is_failing());
        }
        assert!(Exit(8).is_failing() && Exit(216).is_failing());
        assert!(Exit(16).has_failing_attribute() && !Exit(32).has_failing_attribute());
        assert!(Exit(32).had_failing_attribute());
    }
}
