//! Values as Proxmox VE writes them: a number may be a string and the reverse, truth is 0 or 1, and anything may be absent.

use serde_json::{Map, Value};

pub(super) use crate::present::{entity, set_number, set_ratio, set_whole};

pub(super) type Object = Map<String, Value>;

/// Most characters of a text that is taken.
const LONGEST: usize = 250;
/// Most rows of a list that are read.
const MOST_ROWS: usize = 10_000;

/// The rows of a list; what is no row is left out.
pub(super) fn rows(data: &Value) -> impl Iterator<Item = &Object> {
    data.as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_object)
        .take(MOST_ROWS)
}

/// A finite number.
pub(super) fn number(row: &Object, key: &str) -> Option<f64> {
    number_of(row.get(key)?)
}

pub(super) fn number_of(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A whole number that is not negative, as sizes, counters and times are.
pub(super) fn whole(row: &Object, key: &str) -> Option<u64> {
    match row.get(key)? {
        Value::Number(number) if number.is_u64() => number.as_u64(),
        Value::String(text) if text.trim().bytes().all(|b| b.is_ascii_digit()) => {
            text.trim().parse().ok()
        }
        other => rounded(number_of(other)?),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only what fits, as the line before says"
)]
fn rounded(number: f64) -> Option<u64> {
    (0.0..9.0e18)
        .contains(&number)
        .then(|| number.round() as u64)
}

/// Truth, which is 0 or 1 here, and sometimes an empty text.
pub(super) fn flag(row: &Object, key: &str) -> Option<bool> {
    match row.get(key)? {
        Value::Bool(is) => Some(*is),
        Value::String(text) if text.is_empty() => Some(false),
        other => Some(number_of(other)? != 0.0),
    }
}

/// A text that is not empty, without control characters and bounded; a name of digits may come as a number.
pub(super) fn text(row: &Object, key: &str) -> Option<String> {
    let text = match row.get(key)? {
        Value::String(text) => text
            .trim()
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST)
            .collect(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_in_any_dress_and_absent_is_not_zero() {
        let row = json!({"a": 7, "b": "7", "c": 7.0, "d": " 0.25 ", "e": "", "f": null, "g": "--", "h": -1, "i": [],
            "j": u64::MAX, "k": 1e300, "l": "18446744073709551615"});
        let row = row.as_object().unwrap();
        for key in ["a", "b", "c"] {
            assert_eq!(whole(row, key), Some(7), "{key}");
            assert_eq!(number(row, key), Some(7.0), "{key}");
        }
        assert_eq!(number(row, "d"), Some(0.25));
        for key in ["e", "f", "g", "i", "nothing"] {
            assert_eq!((whole(row, key), number(row, key)), (None, None), "{key}");
        }
        assert_eq!(whole(row, "h"), None);
        assert_eq!(whole(row, "k"), None);
        assert_eq!(whole(row, "j"), Some(u64::MAX));
        assert_eq!(whole(row, "l"), Some(u64::MAX));
    }

    #[test]
    fn truth_is_0_1_or_an_empty_text() {
        let row = json!({"a": 1, "b": "1", "c": true, "d": 0, "e": "0", "f": "", "g": "yes"});
        let row = row.as_object().unwrap();
        for (key, is) in [
            ("a", Some(true)),
            ("b", Some(true)),
            ("c", Some(true)),
            ("d", Some(false)),
            ("e", Some(false)),
            ("f", Some(false)),
            ("g", None),
            ("h", None),
        ] {
            assert_eq!(flag(row, key), is, "{key}");
        }
    }

    #[test]
    fn texts_are_bounded_and_clean() {
        let row = json!({"a": "x\u{1b}[2Jy", "b": "", "c": 113, "d": "ü".repeat(1000), "e": {}});
        let row = row.as_object().unwrap();
        assert_eq!(text(row, "a").as_deref(), Some("x[2Jy"));
        assert_eq!(text(row, "b"), None);
        assert_eq!(text(row, "c").as_deref(), Some("113"));
        assert_eq!(text(row, "d").unwrap().chars().count(), LONGEST);
        assert_eq!(text(row, "e"), None);
        assert!(entity("proxmox_node", "a\nb").is_none());
    }

    #[test]
    fn what_is_no_row_does_not_lose_the_others() {
        let list = json!([7, {"a": 1}, null, "x", {"a": 2}]);
        assert_eq!(rows(&list).count(), 2);
        assert_eq!(rows(&json!({"a": 1})).count(), 0);
    }
}
