//! Samples of one window become one value.

use schemas::{FieldValue, api::Agg};

/// A sum of floats that keeps what rounding would lose (Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation
/// endlicher Summen", 1974).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FloatSum {
    sum: f64,
    lost: f64,
}

impl FloatSum {
    /// Adds one.
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    /// The sum; not finite when it is beyond what a float holds.
    pub(crate) fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// What numbers of one kind add up to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Totals {
    /// Floats.
    Floats {
        /// Smallest, where -0 is below 0.
        min: f64,
        /// Largest.
        max: f64,
        /// Sum; not finite when it is beyond what a float holds.
        sum: f64,
    },
    /// Whole numbers.
    Integers {
        /// Smallest.
        min: i128,
        /// Largest.
        max: i128,
        /// Sum.
        sum: i128,
    },
    /// Texts and flags, which do not add up.
    None,
}

/// What is known of some consecutive samples without reading them.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// How many.
    pub(crate) count: u64,
    /// First in time.
    pub(crate) first: FieldValue,
    /// Last in time.
    pub(crate) last: FieldValue,
    /// What they add up to.
    pub(crate) totals: Totals,
}

/// Takes the samples of one window in order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accumulator {
    count: u64,
    states: bool,
    ends: Option<(FieldValue, FieldValue)>,
    floats: Option<(f64, f64)>,
    float_sum: FloatSum,
    integers: Option<(i128, i128)>,
    integer_sum: i128,
}

fn float_min(a: f64, b: f64) -> f64 {
    if a.total_cmp(&b).is_le() { a } else { b }
}

fn float_max(a: f64, b: f64) -> f64 {
    if a.total_cmp(&b).is_ge() { a } else { b }
}

/// An integer in the form that values have; beyond 64 bits a float.
pub(crate) fn integer(value: i128) -> FieldValue {
    if let Ok(value) = i64::try_from(value) {
        FieldValue::I64(value)
    } else if let Ok(value) = u64::try_from(value) {
        FieldValue::U64(value)
    } else {
        FieldValue::F64(float(value))
    }
}

/// The float nearest to an integer.
#[expect(
    clippy::cast_precision_loss,
    reason = "the nearest float is what is asked for"
)]
pub(crate) const fn float(value: i128) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 samples")]
const fn float_count(value: u64) -> f64 {
    value as f64
}

impl Accumulator {
    /// Takes one sample.
    pub(crate) fn add(&mut self, value: &FieldValue) {
        self.end_with(value, value);
        self.count += 1;
        match value {
            FieldValue::F64(v) => self.add_floats(*v, *v, *v),
            FieldValue::I64(v) => self.add_integers((*v).into(), (*v).into(), (*v).into()),
            FieldValue::U64(v) => self.add_integers((*v).into(), (*v).into(), (*v).into()),
            FieldValue::Bool(_) | FieldValue::Text(_) => self.states = true,
        }
    }

    /// Takes consecutive samples that are all floats.
    pub(crate) fn add_all_floats(&mut self, values: &[f64]) {
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
            return;
        };
        self.end_with(&FieldValue::F64(first), &FieldValue::F64(last));
        self.count += values.len() as u64;
        let (mut min, mut max, mut sum) = (first, first, self.float_sum);
        for &value in values {
            min = float_min(min, value);
            max = float_max(max, value);
            sum.add(value);
        }
        self.add_floats(min, max, 0.0);
        self.float_sum = sum;
    }

    /// Takes consecutive samples that are all integers with a sign.
    pub(crate) fn add_all_integers(&mut self, values: &[i64]) {
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
            return;
        };
        self.end_with(&FieldValue::I64(first), &FieldValue::I64(last));
        self.count += values.len() as u64;
        let (mut min, mut max, mut sum) = (first, first, 0_i128);
        for &value in values {
            min = min.min(value);
            max = max.max(value);
            sum += i128::from(value);
        }
        self.add_integers(min.into(), max.into(), sum);
    }

    /// Takes many consecutive samples at once.
    pub(crate) fn absorb(&mut self, summary: &Summary) {
        self.end_with(&summary.first, &summary.last);
        self.count += summary.count;
        match summary.totals {
            Totals::Floats { min, max, sum } => self.add_floats(min, max, sum),
            Totals::Integers { min, max, sum } => self.add_integers(min, max, sum),
            Totals::None => self.states = true,
        }
    }

    fn end_with(&mut self, first: &FieldValue, last: &FieldValue) {
        match &mut self.ends {
            Some((_, end)) => end.clone_from(last),
            None => self.ends = Some((first.clone(), last.clone())),
        }
    }

    fn add_floats(&mut self, min: f64, max: f64, sum: f64) {
        self.floats = Some(self.floats.map_or((min, max), |(low, high)| {
            (float_min(low, min), float_max(high, max))
        }));
        self.float_sum.add(sum);
    }

    fn add_integers(&mut self, min: i128, max: i128, sum: i128) {
        self.integers = Some(
            self.integers
                .map_or((min, max), |(low, high)| (low.min(min), high.max(max))),
        );
        self.integer_sum = self.integer_sum.saturating_add(sum);
    }

    /// The samples so far as a summary; none without a sample.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let (first, last) = self.ends.clone()?;
        let totals = match (self.states, self.integers, self.floats) {
            (false, Some((min, max)), None) => Totals::Integers {
                min,
                max,
                sum: self.integer_sum,
            },
            (false, None, Some((min, max))) => Totals::Floats {
                min,
                max,
                sum: self.float_sum.total(),
            },
            _ => Totals::None,
        };
        Some(Summary {
            count: self.count,
            first,
            last,
            totals,
        })
    }

    /// The value of the window, except of rates and increases; none without a sample, or when a sum is beyond what a float
    /// holds.
    pub(crate) fn value(&self, agg: Agg) -> Option<FieldValue> {
        let (first, last) = self.ends.as_ref()?;
        match agg {
            Agg::Count => Some(FieldValue::unsigned(self.count)),
            Agg::First => Some(first.clone()),
            Agg::Last => Some(last.clone()),
            Agg::Rate | Agg::Increase => None,
            Agg::Mean | Agg::Min | Agg::Max | Agg::Sum if self.states => Some(last.clone()),
            Agg::Mean => {
                let sum = match self.floats {
                    Some(_) => self.float_sum.total() + float(self.integer_sum),
                    None => float(self.integer_sum),
                };
                FieldValue::float(sum / float_count(self.count)).ok()
            }
            Agg::Sum => match self.floats {
                Some(_) => FieldValue::float(self.float_sum.total() + float(self.integer_sum)).ok(),
                None => Some(i64::try_from(self.integer_sum).map_or_else(
                    |_| FieldValue::F64(float(self.integer_sum)),
                    FieldValue::I64,
                )),
            },
            Agg::Min => self.extreme(|pair| pair.0, |pair| pair.0, float_min),
            Agg::Max => self.extreme(|pair| pair.1, |pair| pair.1, float_max),
        }
    }

    fn extreme(
        &self,
        of_integers: impl Fn((i128, i128)) -> i128,
        of_floats: impl Fn((f64, f64)) -> f64,
        better: impl Fn(f64, f64) -> f64,
    ) -> Option<FieldValue> {
        match (self.integers.map(of_integers), self.floats.map(of_floats)) {
            (Some(a), Some(b)) => Some(FieldValue::F64(better(float(a), b))),
            (Some(a), None) => Some(integer(a)),
            (None, Some(b)) => Some(FieldValue::F64(b)),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[FieldValue]) -> Accumulator {
        let mut accumulator = Accumulator::default();
        for value in values {
            accumulator.add(value);
        }
        accumulator
    }

    #[test]
    fn integers_stay_exact() {
        let big = (1_i64 << 53) + 1;
        let window = of(&[FieldValue::I64(big), FieldValue::I64(2)]);
        assert_eq!(window.value(Agg::Max), Some(FieldValue::I64(big)));
        assert_eq!(window.value(Agg::Sum), Some(FieldValue::I64(big + 2)));
        assert_eq!(window.value(Agg::Count), Some(FieldValue::I64(2)));
        let window = of(&[FieldValue::U64(u64::MAX), FieldValue::I64(-1)]);
        assert_eq!(window.value(Agg::Max), Some(FieldValue::U64(u64::MAX)));
        assert_eq!(window.value(Agg::Min), Some(FieldValue::I64(-1)));
        assert_eq!(
            window.value(Agg::Sum),
            Some(FieldValue::F64(18_446_744_073_709_551_614.0))
        );
    }

    #[test]
    fn small_floats_survive_large_ones() {
        let window = of(&[1e16, 1.0, -1e16].map(FieldValue::F64));
        assert_eq!(window.value(Agg::Sum), Some(FieldValue::F64(1.0)));
    }

    #[test]
    fn a_sum_beyond_floats_is_no_value() {
        let window = of(&[1e308, 1e308].map(FieldValue::F64));
        assert_eq!(window.value(Agg::Sum), None);
        assert_eq!(window.value(Agg::Max), Some(FieldValue::F64(1e308)));
    }

    #[test]
    fn of_states_the_last_counts() {
        let window = of(&[FieldValue::Bool(true), FieldValue::Bool(false)]);
        for agg in [Agg::Mean, Agg::Min, Agg::Max, Agg::Sum, Agg::Last] {
            assert_eq!(window.value(agg), Some(FieldValue::Bool(false)));
        }
        assert_eq!(window.value(Agg::First), Some(FieldValue::Bool(true)));
    }

    #[test]
    fn many_at_once_count_like_one_by_one() {
        let floats = [2.5, -0.0, 1e16, 1.0, -1e16, 0.0];
        let mut at_once = Accumulator::default();
        at_once.add_all_floats(&floats[..2]);
        at_once.add_all_floats(&floats[2..]);
        let integers = [i64::MAX, i64::MIN, 7, i64::MAX, i64::MAX];
        let mut whole = Accumulator::default();
        whole.add_all_integers(&integers);
        for agg in Agg::ALL {
            let singly = of(&floats.map(FieldValue::F64));
            assert_eq!(at_once.value(agg), singly.value(agg), "{agg:?}");
            let singly = of(&integers.map(FieldValue::I64));
            assert_eq!(whole.value(agg), singly.value(agg), "{agg:?}");
        }
    }

    #[test]
    fn a_summary_counts_like_its_samples() {
        let values = [3, -7, 12].map(FieldValue::I64);
        let mut whole = of(&values[..1]);
        whole.absorb(&of(&values[1..]).summary().unwrap());
        for agg in Agg::ALL {
            assert_eq!(whole.value(agg), of(&values).value(agg), "{agg:?}");
        }
    }
}
