use std::time::Duration;

/// Pauses that double, each up to a third shorter, so that agents of one hub do not come back at the same instant.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    slowest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, slowest: Duration) -> Self {
        Self {
            first,
            slowest,
            failures: 0,
        }
    }

    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn next(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let full = self.first.saturating_mul(factor).min(self.slowest);
        self.failures = (self.failures + 1).min(31);
        jittered(full)
    }

    /// The longest pause, for what mends itself only when somebody acts.
    pub(crate) fn slowest(&self) -> Duration {
        jittered(self.slowest)
    }
}

fn jittered(full: Duration) -> Duration {
    full.mul_f64(1.0 - rand::random::<f64>() / 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_begin_anew() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 20 * second);
        for full in [1, 2, 4, 8, 16, 20, 20] {
            let pause = backoff.next();
            assert!(
                pause <= full * second && pause >= full * second * 2 / 3,
                "{pause:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next() <= second);
    }
}
