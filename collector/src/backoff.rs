use std::time::Duration;

/// Never longer than this without a try.
const LONGEST: Duration = Duration::from_mins(5);
/// The first retry comes soon: most failures are a restart of the service.
const FIRST: Duration = Duration::from_secs(1);

/// Exponential back-off with jitter, repeatable for one seed.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    seed: u64,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, failures: 0 }
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: 1 s, 2 s, 4 s … 5 min, each up to a fifth shorter so that sources of one dead
    /// host do not come back at the same instant.
    pub(crate) fn next(&mut self) -> Duration {
        let full = FIRST
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(LONGEST);
        self.failures = (self.failures + 1).min(31);
        let jitter = fraction(self.seed.wrapping_add(u64::from(self.failures))) * 0.2;
        full.mul_f64(1.0 - jitter)
    }
}

/// A number of 64 bits for a text, the same on every machine and in every release (FNV-1a).
pub(crate) fn seed_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A number in [0, 1) for a seed (the mixer of `SplitMix64`).
#[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
pub(crate) fn fraction(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes_and_start_again() {
        let mut backoff = Backoff::new(seed_of("nas1"));
        let waits: Vec<_> = (0..40).map(|_| backoff.next()).collect();
        for (n, wait) in waits.iter().enumerate() {
            let full = 2_f64.powi(i32::try_from(n).unwrap()).min(300.0);
            let seconds = wait.as_secs_f64();
            assert!(seconds <= full && seconds >= full * 0.8, "{n}: {seconds}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn fractions_spread() {
        let fractions: Vec<_> = (0..1000)
            .map(|n| fraction(seed_of(&format!("source{n}"))))
            .collect();
        let mean = fractions.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!(fractions.iter().all(|f| (0.0..1.0).contains(f)));
    }
}
