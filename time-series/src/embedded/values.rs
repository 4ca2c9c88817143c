//! The values of one field, in the narrowest type that holds them all.

use schemas::FieldValue;

/// Values of one type.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// Floats.
    Floats(Vec<f64>),
    /// Integers that fit a sign.
    Integers(Vec<i64>),
    /// Integers of which at least one is above `i64::MAX` and none below zero.
    Unsigned(Vec<u64>),
    /// Texts and flags, and what does not fit one type.
    Other(Vec<FieldValue>),
}

/// How many more values a column makes room for when it is full: doubling would waste half of a long one.
const GROW: usize = 64;

fn push<T>(values: &mut Vec<T>, value: T) {
    if values.len() == values.capacity() {
        values.reserve_exact(GROW);
    }
    values.push(value);
}

impl Values {
    /// One value.
    pub(super) fn one(value: FieldValue) -> Self {
        match value {
            FieldValue::F64(v) => Self::Floats(vec![v]),
            FieldValue::I64(v) => Self::Integers(vec![v]),
            FieldValue::U64(v) => Self::Unsigned(vec![v]),
            FieldValue::Bool(_) | FieldValue::Text(_) => Self::Other(vec![value]),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Floats(v) => v.len(),
            Self::Integers(v) => v.len(),
            Self::Unsigned(v) => v.len(),
            Self::Other(v) => v.len(),
        }
    }

    /// How many bytes one takes in memory, about.
    pub(super) const fn width(&self) -> usize {
        match self {
            Self::Floats(_) | Self::Integers(_) | Self::Unsigned(_) => 8,
            Self::Other(_) => size_of::<FieldValue>(),
        }
    }

    /// One of them.
    pub(super) fn get(&self, index: usize) -> Option<FieldValue> {
        match self {
            Self::Floats(v) => v.get(index).copied().map(FieldValue::F64),
            Self::Integers(v) => v.get(index).copied().map(FieldValue::I64),
            Self::Unsigned(v) => v.get(index).copied().map(FieldValue::unsigned),
            Self::Other(v) => v.get(index).cloned(),
        }
    }

    /// Adds one at the end.
    pub(super) fn push(&mut self, value: FieldValue) {
        match (&mut *self, value) {
            (Self::Floats(v), FieldValue::F64(value)) => push(v, value),
            (Self::Integers(v), FieldValue::I64(value)) => push(v, value),
            (Self::Unsigned(v), FieldValue::U64(value)) => push(v, value),
            (Self::Unsigned(v), FieldValue::I64(value)) if value >= 0 => {
                push(v, value.unsigned_abs());
            }
            (Self::Integers(v), FieldValue::U64(value)) if v.iter().all(|&v| v >= 0) => {
                let mut wider: Vec<u64> = v.iter().map(|v| v.unsigned_abs()).collect();
                push(&mut wider, value);
                *self = Self::Unsigned(wider);
            }
            (Self::Other(v), value) => {
                // equal texts share their memory
                let value = match v.last() {
                    Some(last) if *last == value => last.clone(),
                    _ => value,
                };
                push(v, value);
            }
            (_, value) => {
                let mut all: Vec<FieldValue> = self.iter().collect();
                all.push(value);
                *self = Self::Other(all);
            }
        }
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = FieldValue> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Replaces one.
    pub(super) fn set(&mut self, index: usize, value: FieldValue) {
        match (&mut *self, &value) {
            (Self::Floats(v), FieldValue::F64(value)) => replace(v, index, *value),
            (Self::Integers(v), FieldValue::I64(value)) => replace(v, index, *value),
            (Self::Other(v), _) => replace(v, index, value),
            _ => {
                let rebuilt = self
                    .iter()
                    .enumerate()
                    .map(|(i, old)| if i == index { value.clone() } else { old })
                    .collect();
                *self = rebuilt;
            }
        }
    }

    /// A part of them.
    pub(super) fn slice(&self, from: usize, to: usize) -> Self {
        fn part<T: Clone>(values: &[T], from: usize, to: usize) -> Vec<T> {
            values.get(from..to).unwrap_or_default().to_vec()
        }
        match self {
            Self::Floats(v) => Self::Floats(part(v, from, to)),
            Self::Integers(v) => Self::Integers(part(v, from, to)),
            // the large ones may all be in another part
            Self::Unsigned(_) | Self::Other(_) => self
                .iter()
                .skip(from)
                .take(to.saturating_sub(from))
                .collect(),
        }
    }
}

fn replace<T>(values: &mut [T], index: usize, value: T) {
    if let Some(slot) = values.get_mut(index) {
        *slot = value;
    }
}

impl FromIterator<FieldValue> for Values {
    fn from_iter<I: IntoIterator<Item = FieldValue>>(values: I) -> Self {
        let mut values = values.into_iter();
        let Some(first) = values.next() else {
            return Self::Integers(Vec::new());
        };
        let mut all = Self::one(first);
        for value in values {
            all.push(value);
        }
        all
    }
}
