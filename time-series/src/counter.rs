//! Increase and rate of counters.
//!
//! The increase of a window is the sum over all pairs of consecutive samples whose later one lies in the window: the
//! difference, or after a reset (the later one is smaller) the later one itself, since a counter starts again at zero. The
//! rate is that increase over the seconds between the samples of the same pairs, so that a steady counter shows its exact
//! rate in every window, also in the first and in partial ones. The pair of the first sample in the range begins with the
//! last sample of the [`LOOK_BACK_MS`] before the range; within the range a pair may span any gap, so that nothing that was
//! counted is lost.

use schemas::{FieldValue, api::Agg};

use crate::aggregate::{float, integer};

/// How long before a range the sample may lie with which the first pair begins: one hour.
pub(crate) const LOOK_BACK_MS: i64 = 3_600_000;

/// A reading of a counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
    /// Of whole numbers.
    Integer(i128),
    /// Of floats.
    Float(f64),
}

impl Reading {
    /// The reading in a value; none in texts and flags.
    pub(crate) fn of(value: &FieldValue) -> Option<Self> {
        match value {
            FieldValue::I64(v) => Some(Self::Integer((*v).into())),
            FieldValue::U64(v) => Some(Self::Integer((*v).into())),
            FieldValue::F64(v) => Some(Self::Float(*v)),
            FieldValue::Bool(_) | FieldValue::Text(_) => None,
        }
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Integer(v) => float(v),
            Self::Float(v) => v,
        }
    }

    fn since(self, earlier: Self) -> Self {
        match (self, earlier) {
            (Self::Integer(now), Self::Integer(then)) if now >= then => Self::Integer(now - then),
            (Self::Integer(now), Self::Integer(_)) => Self::Integer(now),
            (now, then) if now.as_f64() >= then.as_f64() => {
                Self::Float(now.as_f64() - then.as_f64())
            }
            (now, _) => Self::Float(now.as_f64()),
        }
    }
}

/// Takes the samples of one counter in order of time, window by window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    previous: Option<(i64, Reading)>,
    pairs: u64,
    integers: i128,
    floats: Option<f64>,
    millis: i64,
}

impl Counter {
    /// Takes a sample from before the range.
    pub(crate) fn begin(&mut self, time: i64, reading: Reading) {
        self.previous = Some((time, reading));
    }

    /// Takes a sample of the current window.
    pub(crate) fn add(&mut self, time: i64, reading: Reading) {
        if let Some((then, earlier)) = self.previous.replace((time, reading)) {
            self.pairs += 1;
            self.millis = self.millis.saturating_add(time.saturating_sub(then));
            match reading.since(earlier) {
                Reading::Integer(v) => self.integers = self.integers.saturating_add(v),
                Reading::Float(v) => *self.floats.get_or_insert(0.0) += v,
            }
        }
    }

    /// The value of the current window; none without a pair.
    pub(crate) fn value(&self, agg: Agg) -> Option<FieldValue> {
        if self.pairs == 0 {
            return None;
        }
        let total = float(self.integers) + self.floats.unwrap_or(0.0);
        match agg {
            Agg::Increase if self.floats.is_none() => Some(integer(self.integers)),
            Agg::Increase => FieldValue::float(total).ok(),
            Agg::Rate => FieldValue::float(total * 1000.0 / float(self.millis.into())).ok(),
            _ => None,
        }
    }

    /// Goes on to the next window.
    pub(crate) fn next_window(&mut self) {
        *self = Self {
            previous: self.previous,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_counter_shows_its_exact_rate_from_the_first_window_on() {
        let mut counter = Counter::default();
        counter.begin(0, Reading::Integer(1000));
        for window in 0..3 {
            for sample in 1..=12 {
                let seconds = window * 60 + sample * 5;
                counter.add(
                    seconds * 1000,
                    Reading::Integer(1000 + i128::from(seconds) * 7),
                );
            }
            assert_eq!(counter.value(Agg::Rate), Some(FieldValue::F64(7.0)));
            assert_eq!(counter.value(Agg::Increase), Some(FieldValue::I64(420)));
            counter.next_window();
        }
    }

    #[test]
    fn a_reset_counts_from_zero() {
        let mut counter = Counter::default();
        for (time, value) in [(0, 100), (1000, 150), (2000, 20), (3000, 50)] {
            counter.add(time, Reading::Integer(value));
        }
        // 50 + 20 after the reset + 30
        assert_eq!(counter.value(Agg::Increase), Some(FieldValue::I64(100)));
    }

    #[test]
    fn one_sample_alone_is_no_increase() {
        let mut counter = Counter::default();
        counter.add(0, Reading::Float(5.0));
        assert_eq!(counter.value(Agg::Increase), None);
        assert_eq!(counter.value(Agg::Rate), None);
    }

    #[test]
    fn the_whole_range_of_u64_is_counted_exactly() {
        let mut counter = Counter::default();
        counter.add(0, Reading::Integer(0));
        counter.add(1000, Reading::Integer(u64::MAX.into()));
        assert_eq!(
            counter.value(Agg::Increase),
            Some(FieldValue::U64(u64::MAX))
        );
    }
}
