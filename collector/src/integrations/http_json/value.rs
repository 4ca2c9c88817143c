//! What a value of an answer says: a number, true or false, a word. Services write numbers as texts and states as numbers.

use std::collections::BTreeMap;

use schemas::{FieldValue, limits};
use serde::Deserialize;
use serde_json::Value;

use super::pointer::plain;

/// Longest text of a number with its unit, in bytes.
const LONGEST: usize = 64;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A number that goes up and down.
    #[default]
    Gauge,
    /// A number that only grows.
    Counter,
    /// One of a few words.
    State,
    /// True or false.
    Flag,
}

/// A finite number: one, a text that begins with one and then has nothing or a unit, true and false as 1 and 0.
pub(super) fn number(value: &Value) -> Option<f64> {
    let read = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => leading(text),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    read.filter(|number| number.is_finite())
}

fn leading(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)))
        .unwrap_or(text.len());
    if let Ok(whole) = text.parse::<f64>() {
        // with an exponent; `inf` and `nan` begin with no digit
        return (end > 0).then_some(whole);
    }
    let (number, unit) = text.split_at(end);
    // a time, a date and a version go on with digits
    if unit.chars().any(|c| c.is_ascii_digit()) {
        return None;
    }
    number.parse().ok()
}

/// True or false, as services write it.
pub(super) fn flag(value: &Value) -> Option<bool> {
    let word = plain(value)?.trim().to_ascii_lowercase();
    match word.as_str() {
        "true" | "on" | "yes" | "up" | "ok" | "1" => Some(true),
        "false" | "off" | "no" | "down" | "0" => Some(false),
        _ => None,
    }
}

/// The word of a state; `names` tells what other words mean.
pub(super) fn state(value: &Value, names: &BTreeMap<String, String>) -> Option<FieldValue> {
    let word = plain(value)?;
    let word = word.trim();
    let word = names.get(word).map_or(word, String::as_str);
    if word.is_empty() || word.len() > limits::FIELD_TEXT {
        return None;
    }
    FieldValue::text(word).ok()
}

/// A number as the field of a name holds it: names that count bytes or things hold whole ones.
pub(super) fn typed(name: &str, number: f64) -> Option<FieldValue> {
    let counts = ["_bytes", "_bytes_total", "_count"]
        .iter()
        .any(|end| name.ends_with(end));
    if !counts {
        return FieldValue::float(number).ok();
    }
    let rounded = number.round();
    // 2^63, which is a float
    if rounded.abs() >= 9_223_372_036_854_775_808.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds of i64")]
    Some(FieldValue::I64(rounded as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_in_many_dresses() {
        for (written, read) in [
            (json!(21.5), Some(21.5)),
            (json!("21.5"), Some(21.5)),
            (json!(" 21.5 °C"), Some(21.5)),
            (json!("1.7 %"), Some(1.7)),
            (json!("-3"), Some(-3.0)),
            (json!("1e3"), Some(1000.0)),
            (json!(true), Some(1.0)),
            (json!(""), None),
            (json!("--"), None),
            (json!("12:30"), None),
            (json!("2026-11-26"), None),
            (json!("1.2.3"), None),
            (json!("inf"), None),
            (json!("NaN"), None),
            (json!("unknown"), None),
            (json!("1".repeat(70)), None),
            (json!(null), None),
            (json!([1]), None),
        ] {
            assert_eq!(number(&written), read, "{written}");
        }
    }

    #[test]
    fn flags_and_states_are_words() {
        for (written, read) in [
            (json!("ON"), Some(true)),
            (json!(0), Some(false)),
            (json!(false), Some(false)),
            (json!("perhaps"), None),
            (json!(null), None),
        ] {
            assert_eq!(flag(&written), read, "{written}");
        }
        let names = BTreeMap::from([("2".to_owned(), "printing".to_owned())]);
        let text = |value| state(&value, &names).map(|value| value.to_string());
        assert_eq!(text(json!(2)).as_deref(), Some("printing"));
        assert_eq!(text(json!("idle")).as_deref(), Some("idle"));
        assert_eq!(text(json!("")), None);
        assert_eq!(text(json!({})), None);
    }

    #[test]
    fn what_counts_is_whole() {
        assert_eq!(typed("used_bytes", 1.5), Some(FieldValue::I64(2)));
        assert_eq!(typed("jobs_count", 3.0), Some(FieldValue::I64(3)));
        assert_eq!(typed("used_bytes", 1e300), None);
        assert_eq!(
            typed("energy_watt_hours_total", 3.0),
            Some(FieldValue::F64(3.0))
        );
    }
}
