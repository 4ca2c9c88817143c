use std::time::Duration;

/// How long ingest waits before it tries again what failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// The first wait after something that may pass by itself; each further one is twice as long.
    pub first: Duration,
    /// The longest of these.
    pub longest: Duration,
    /// The wait after something that a person has to put right.
    pub slow: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(15),
            slow: Duration::from_secs(30),
        }
    }
}

/// Waits that grow from failure to failure, with jitter so that workers do not come back at the same instant.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    pace: Pace,
    failures: u32,
}

impl Patience {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self { pace, failures: 0 }
    }

    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: up to a third shorter than its pace.
    pub(crate) fn next(&mut self, passes: bool) -> Duration {
        let full = if passes {
            self.pace
                .first
                .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX))
                .min(self.pace.longest)
        } else {
            self.pace.slow
        };
        self.failures = (self.failures + 1).min(31);
        full.mul_f64(1.0 - rand::random::<f64>() / 3.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_never_vanish() {
        let pace = Pace::default();
        let mut patience = Patience::new(pace);
        let first = patience.next(true);
        assert!(first <= pace.first && first >= pace.first / 2, "{first:?}");
        for _ in 0..100 {
            let wait = patience.next(true);
            assert!(wait <= pace.longest && wait >= pace.first, "{wait:?}");
        }
        assert!(patience.next(true) >= pace.longest / 2);
        assert!(patience.next(false) >= pace.slow / 2);
        patience.reset();
        assert!(patience.next(true) <= pace.first);
    }
}
