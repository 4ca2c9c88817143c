//! A value that drifts: a pure function of time whose integral is known, so that gauges and counters agree.

use std::f64::consts::TAU;

use super::chance;

/// Seconds of a day.
pub(crate) const DAY: f64 = 86_400.0;
/// When people are most awake, in seconds of the local day.
const EVENING: f64 = 19.5 * 3600.0;
const MORNING: f64 = 8.0 * 3600.0;

/// One sinusoid.
struct Part {
    share: f64,
    period: f64,
    peak: f64,
}

/// A positive value over time: its mean, how it follows the day, and how it drifts.
pub(crate) struct Wave {
    mean: f64,
    parts: Vec<Part>,
}

impl Wave {
    /// A wave around `mean`; `daily` and `drift` are how far the day and chance take it from there, as shares of the mean
    /// whose sum is below 0.75, which keeps it positive.
    pub(super) fn new(seed: u64, key: &str, mean: f64, daily: f64, drift: f64) -> Self {
        let mut parts = vec![
            Part {
                share: daily,
                period: DAY,
                peak: EVENING,
            },
            Part {
                share: daily * 0.3,
                period: DAY / 2.0,
                peak: MORNING,
            },
        ];
        // from minutes to days, none a multiple of another
        for (n, (share, shortest, longest)) in [
            (0.4, 130.0, 700.0),
            (0.3, 1_700.0, 5_000.0),
            (0.2, 11_000.0, 30_000.0),
            (0.1, 200_000.0, 500_000.0),
        ]
        .into_iter()
        .enumerate()
        {
            let n = i64::try_from(n).unwrap_or(0);
            let period = shortest + (longest - shortest) * chance::unit(seed, key, 2 * n);
            parts.push(Part {
                share: drift * share,
                period,
                peak: period * chance::unit(seed, key, 2 * n + 1),
            });
        }
        Self { mean, parts }
    }

    /// The value at a second of local time.
    pub(super) fn at(&self, second: f64) -> f64 {
        let swing: f64 = self
            .parts
            .iter()
            .map(|part| part.share * (TAU * (second - part.peak) / part.period).cos())
            .sum();
        self.mean * (1.0 + swing)
    }

    /// The integral up to a second of local time; only differences mean something.
    pub(super) fn total(&self, second: f64) -> f64 {
        let swing: f64 = self
            .parts
            .iter()
            .map(|part| {
                part.share * part.period / TAU * (TAU * (second - part.peak) / part.period).sin()
            })
            .sum();
        self.mean * (second + swing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_positive_and_its_total_is_its_integral() {
        let wave = Wave::new(7, "load", 2.0, 0.4, 0.2);
        let (mut sum, from) = (0.0, 1_000_000.0);
        for step in 0..100_000 {
            let value = wave.at(from + f64::from(step) + 0.5);
            assert!(value > 0.0, "{value}");
            sum += value;
        }
        let total = wave.total(from + 100_000.0) - wave.total(from);
        assert!((sum - total).abs() < 0.01, "{sum} and {total}");
    }
}
