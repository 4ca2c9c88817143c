//! Which disks sleep: those that had a temperature, and have none now.

use std::collections::HashSet;

/// The disks that had a temperature, by what names them.
#[derive(Debug, Default)]
pub(super) struct Sleepers {
    warm: HashSet<String>,
    asleep: bool,
}

impl Sleepers {
    /// Takes what is known of all disks that spin: a name, and whether there is a temperature.
    pub(super) fn see<'a>(&mut self, disks: impl Iterator<Item = (&'a str, bool)>) {
        let mut warm = HashSet::new();
        self.asleep = false;
        for (disk, has_temperature) in disks {
            let was_warm = self.warm.contains(disk);
            if has_temperature || was_warm {
                warm.insert(disk.to_owned());
            }
            self.asleep |= was_warm && !has_temperature;
        }
        self.warm = warm;
    }

    /// Whether one of them sleeps.
    pub(super) const fn any(&self) -> bool {
        self.asleep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_a_sensor_does_not_sleep_and_one_that_is_taken_out_neither() {
        let mut sleepers = Sleepers::default();
        let mut see = |disks: &[(&str, bool)]| {
            sleepers.see(disks.iter().copied());
            sleepers.any()
        };
        assert!(!see(&[("1", true), ("2", true), ("3", false)]));
        assert!(see(&[("1", true), ("2", false), ("3", false)]));
        assert!(see(&[("1", true), ("2", false), ("3", false)]), "still");
        assert!(!see(&[("1", true), ("2", true), ("3", false)]));
        assert!(see(&[("1", false), ("2", false)]));
        assert!(!see(&[("1", true)]), "2 is taken out");
        assert!(!see(&[("1", true), ("2", false)]), "another one is put in");
    }
}
