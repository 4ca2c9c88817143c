//! Values of fields and the map that holds them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    limits,
    name::{FieldName, excerpt},
};

/// One value of a field.
///
/// Integers have one canonical form: what fits `i64` is [`FieldValue::I64`]; [`FieldValue::U64`] holds only what is larger
/// (make one with [`FieldValue::unsigned`]). Floats are finite (make one with [`FieldValue::float`]).
#[derive(Clone, PartialEq, Debug)]
pub enum FieldValue {
    /// A finite number with a fraction.
    F64(f64),
    /// An integer that fits 64 bits with a sign.
    I64(i64),
    /// An integer above `i64::MAX`.
    U64(u64),
    /// True or false.
    Bool(bool),
    /// A text, such as a state.
    Text(Arc<str>),
}

/// A value that no field may hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// Not a number, or infinite.
    #[error("a number must be finite")]
    NotFinite,
    /// Text over the bound.
    #[error("a text is {0} bytes long, the limit is {max}", max = limits::FIELD_TEXT)]
    TextTooLong(usize),
    /// Too many fields.
    #[error("an event has {0} fields, the limit is {max}", max = limits::FIELDS)]
    TooManyFields(usize),
}

impl FieldValue {
    /// A float, if it is finite.
    pub fn float(value: f64) -> Result<Self, InvalidValue> {
        if value.is_finite() {
            Ok(Self::F64(value))
        } else {
            Err(InvalidValue::NotFinite)
        }
    }

    /// An unsigned integer in its canonical form.
    pub fn unsigned(value: u64) -> Self {
        i64::try_from(value).map_or(Self::U64(value), Self::I64)
    }

    /// A text, if it is not too long.
    pub fn text(value: impl AsRef<str>) -> Result<Self, InvalidValue> {
        let value = value.as_ref();
        if value.len() > limits::FIELD_TEXT {
            return Err(InvalidValue::TextTooLong(value.len()));
        }
        Ok(Self::Text(Arc::from(value)))
    }

    /// The value as a number, if it is one; integers beyond 2^53 lose digits.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the loss is what the caller asks for"
    )]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::F64(v) => Some(*v),
            Self::I64(v) => Some(*v as f64),
            Self::U64(v) => Some(*v as f64),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }

    /// Equal in type and in every bit (so that `-0.0` and `0.0` differ).
    pub fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            _ => self == other,
        }
    }
}

impl From<bool> for FieldValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for FieldValue {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<u64> for FieldValue {
    fn from(value: u64) -> Self {
        Self::unsigned(value)
    }
}

impl From<u32> for FieldValue {
    fn from(value: u32) -> Self {
        Self::I64(i64::from(value))
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F64(v) => write!(f, "{v}"),
            Self::I64(v) => write!(f, "{v}"),
            Self::U64(v) => write!(f, "{v}"),
            Self::Bool(v) => write!(f, "{v}"),
            Self::Text(v) => f.write_str(v),
        }
    }
}

impl Serialize for FieldValue {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::F64(v) => s.serialize_f64(*v),
            Self::I64(v) => s.serialize_i64(*v),
            Self::U64(v) => s.serialize_u64(*v),
            Self::Bool(v) => s.serialize_bool(*v),
            Self::Text(v) => s.serialize_str(v),
        }
    }
}

struct ValueVisitor;

impl de::Visitor<'_> for ValueVisitor {
    type Value = FieldValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, true, false or a text")
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<FieldValue, E> {
        Ok(FieldValue::Bool(v))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<FieldValue, E> {
        Ok(FieldValue::I64(v))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<FieldValue, E> {
        Ok(FieldValue::unsigned(v))
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<FieldValue, E> {
        FieldValue::float(v).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<FieldValue, E> {
        FieldValue::text(v).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ValueVisitor)
    }
}

/// The fields of one event or point, by name.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<FieldName, FieldValue>);

impl Fields {
    /// No fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field.
    pub fn set(&mut self, name: impl Into<FieldName>, value: impl Into<FieldValue>) -> &mut Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Sets a float rounded to `digits` after the point; one that is not finite is left out.
    pub fn set_rounded(
        &mut self,
        name: impl Into<FieldName>,
        value: f64,
        digits: i32,
    ) -> &mut Self {
        let scale = 10_f64.powi(digits);
        if let Ok(value) = FieldValue::float((value * scale).round() / scale) {
            self.0.insert(name.into(), value);
        }
        self
    }

    /// Sets a text, cut to its bound at a character.
    pub fn set_text(&mut self, name: impl Into<FieldName>, value: &str) -> &mut Self {
        let mut end = value.len().min(limits::FIELD_TEXT);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        self.0.insert(
            name.into(),
            FieldValue::Text(Arc::from(value.get(..end).unwrap_or_default())),
        );
        self
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0.get(name)
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<FieldValue> {
        self.0.remove(name)
    }

    /// All fields in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&FieldName, &FieldValue)> {
        self.0.iter()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over the fields of a later event with the same entity and time: the later value wins.
    pub fn merge(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// Checks the bound on the number of fields.
    pub fn check(&self) -> Result<(), InvalidValue> {
        if self.0.len() > limits::FIELDS {
            Err(InvalidValue::TooManyFields(self.0.len()))
        } else {
            Ok(())
        }
    }
}

impl IntoIterator for Fields {
    type Item = (FieldName, FieldValue);
    type IntoIter = std::collections::btree_map::IntoIter<FieldName, FieldValue>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(FieldName, FieldValue)> for Fields {
    fn from_iter<I: IntoIterator<Item = (FieldName, FieldValue)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> de::Visitor<'de> for Map {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of field names and values")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some(name) = map.next_key::<FieldName>()? {
                    let value = map.next_value::<FieldValue>().map_err(|e| {
                        de::Error::custom(format_args!("field `{}`: {e}", excerpt(name.as_str())))
                    })?;
                    if fields.len() >= limits::FIELDS {
                        return Err(de::Error::custom(InvalidValue::TooManyFields(
                            fields.len() + 1,
                        )));
                    }
                    fields.insert(name, value);
                }
                Ok(Fields(fields))
            }
        }
        d.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_form() {
        assert_eq!(FieldValue::unsigned(7), FieldValue::I64(7));
        assert_eq!(FieldValue::unsigned(u64::MAX), FieldValue::U64(u64::MAX));
        let back: FieldValue = serde_json::from_str("18446744073709551615").unwrap();
        assert_eq!(back, FieldValue::U64(u64::MAX));
    }

    #[test]
    fn rounding_leaves_out_what_is_no_number() {
        let mut fields = Fields::new();
        fields
            .set_rounded("cpu_ratio", 0.123_456_7, 4)
            .set_rounded("load", f64::NAN, 2);
        assert_eq!(fields.get("cpu_ratio"), Some(&FieldValue::F64(0.1235)));
        assert_eq!(fields.get("load"), None);
    }

    #[test]
    fn null_and_nested_values_are_refused_by_name() {
        for bad in [r#"{"a":null}"#, r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#] {
            let message = serde_json::from_str::<Fields>(bad).unwrap_err().to_string();
            assert!(message.contains("field `a`"), "{message}");
        }
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let mut fields = Fields::new();
        fields.set_text("state", &"ü".repeat(limits::FIELD_TEXT));
        let Some(FieldValue::Text(text)) = fields.get("state") else {
            panic!("no text")
        };
        assert_eq!(text.len(), limits::FIELD_TEXT);
    }
}
