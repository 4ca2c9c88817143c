use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fields::FieldValue;

/// A value as the API writes it: a number, true or false, a text; whole numbers beyond ±2^53 are texts.
#[derive(Clone, PartialEq, Debug)]
pub struct ApiValue(pub FieldValue);

const EXACT: u64 = 1 << 53;

impl Serialize for ApiValue {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            FieldValue::I64(v) if v.unsigned_abs() > EXACT => s.collect_str(v),
            FieldValue::U64(v) => s.collect_str(v),
            other => other.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for ApiValue {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        FieldValue::deserialize(d).map(Self)
    }
}

impl From<FieldValue> for ApiValue {
    fn from(value: FieldValue) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_that_a_browser_would_round_are_texts() {
        let write = |v: FieldValue| serde_json::to_string(&ApiValue(v)).unwrap();
        assert_eq!(
            write(FieldValue::I64(9_007_199_254_740_992)),
            "9007199254740992"
        );
        assert_eq!(
            write(FieldValue::I64(-9_007_199_254_740_993)),
            "\"-9007199254740993\""
        );
        assert_eq!(write(FieldValue::U64(u64::MAX)), "\"18446744073709551615\"");
        assert_eq!(write(FieldValue::F64(0.5)), "0.5");
    }
}
