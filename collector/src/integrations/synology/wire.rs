//! Values as DSM writes them: sizes as text, flags as words, -1 for what is not known, and anything may be absent.

use schemas::Fields;
use serde_json::{Map, Value};

pub(super) use crate::present::{entity, set_flag, set_number, set_ratio, set_text, set_whole};

pub(super) type Object = Map<String, Value>;

/// Most characters of a text that is taken.
const LONGEST: usize = 200;
/// Most rows of a list that are read; the largest DSM takes some hundred disks.
const MOST_ROWS: usize = 512;

/// An object that stands in another.
pub(super) fn object<'a>(row: &'a Object, key: &str) -> Option<&'a Object> {
    row.get(key)?.as_object()
}

/// The rows of a list; what is no row is left out.
pub(super) fn rows<'a>(row: &'a Object, key: &str) -> impl Iterator<Item = &'a Object> {
    row.get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_object)
        .take(MOST_ROWS)
}

/// Whether there is a list of that name, even an empty one.
pub(super) fn has_list(row: &Object, key: &str) -> bool {
    row.get(key).is_some_and(Value::is_array)
}

/// A finite number.
pub(super) fn number(row: &Object, key: &str) -> Option<f64> {
    let number = match row.get(key)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) if text.len() <= LONGEST => {
            text.trim().trim_end_matches('%').trim_end().parse().ok()?
        }
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A whole number that is not negative.
pub(super) fn whole(row: &Object, key: &str) -> Option<u64> {
    match row.get(key)? {
        Value::Number(number) if number.is_u64() => number.as_u64(),
        Value::String(text) if text.len() <= LONGEST && text.trim().parse::<u64>().is_ok() => {
            text.trim().parse().ok()
        }
        _ => rounded(number(row, key)?),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only what fits, as the line before says"
)]
fn rounded(number: f64) -> Option<u64> {
    (0.0..9.0e15)
        .contains(&number)
        .then(|| number.round() as u64)
}

/// Truth, as itself, as a word or as a number.
pub(super) fn flag(row: &Object, key: &str) -> Option<bool> {
    match row.get(key)? {
        Value::Bool(is) => Some(*is),
        Value::Number(number) => Some(number.as_f64()? != 0.0),
        Value::String(text) => match text.as_str() {
            "yes" | "true" | "1" => Some(true),
            "no" | "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A text that is not empty, without control characters and bounded.
pub(super) fn text(row: &Object, key: &str) -> Option<String> {
    let text: String = match row.get(key)? {
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

/// A temperature that something can have; DSM writes -1 or 0 where nothing is measured, as of a disk that sleeps.
pub(super) fn celsius(row: &Object, key: &str) -> Option<f64> {
    number(row, key).filter(|celsius| *celsius > 0.0 && *celsius < 150.0)
}

/// Sets a part of one, where there is a percentage.
pub(super) fn set_percent(fields: &mut Fields, field: &'static str, percent: Option<f64>) {
    let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
    set_number(fields, field, percent.map(|percent| percent / 100.0));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(value: Value) -> Object {
        match value {
            Value::Object(row) => row,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn numbers_come_as_text_too_and_what_is_not_known_is_absent() {
        let row = row(
            json!({"a": "3000592982016", "b": 7, "c": "12.5", "d": -1, "e": "-1", "f": "", "g": null,
            "h": [], "i": "--", "j": 1e300, "k": "90%", "l": "9".repeat(400)}),
        );
        assert_eq!(whole(&row, "a"), Some(3_000_592_982_016));
        assert_eq!(whole(&row, "b"), Some(7));
        assert_eq!(number(&row, "c"), Some(12.5));
        assert_eq!(number(&row, "k"), Some(90.0));
        for key in ["d", "e", "f", "g", "h", "i", "j", "l", "nothing"] {
            assert_eq!(whole(&row, key), None, "{key}");
        }
        for key in ["f", "g", "h", "i", "l"] {
            assert_eq!(number(&row, key), None, "{key}");
        }
    }

    #[test]
    fn truth_comes_as_words_too() {
        let row = row(json!({"a": true, "b": "yes", "c": 1, "d": "no", "e": 0, "f": "", "g": "x"}));
        for (key, is) in [
            ("a", Some(true)),
            ("b", Some(true)),
            ("c", Some(true)),
            ("d", Some(false)),
            ("e", Some(false)),
            ("f", None),
            ("g", None),
            ("h", None),
        ] {
            assert_eq!(flag(&row, key), is, "{key}");
        }
    }

    #[test]
    fn a_temperature_is_one_that_something_can_have() {
        let row = row(json!({"a": 41, "b": "38", "c": -1, "d": 0, "e": 4000}));
        assert_eq!(celsius(&row, "a"), Some(41.0));
        assert_eq!(celsius(&row, "b"), Some(38.0));
        for key in ["c", "d", "e", "f"] {
            assert_eq!(celsius(&row, key), None, "{key}");
        }
    }

    #[test]
    fn texts_and_lists_are_bounded_and_clean() {
        let row = row(
            json!({"a": " Hitachi \n", "b": "x\u{1b}[2J", "c": "ü".repeat(1000), "d": 4, "e": {},
            "list": [7, {"a": 1}, null, {"a": 2}], "long": vec![json!({}); 2000]}),
        );
        assert_eq!(text(&row, "a").as_deref(), Some("Hitachi"));
        assert_eq!(text(&row, "b").as_deref(), Some("x[2J"));
        assert_eq!(text(&row, "c").unwrap().chars().count(), LONGEST);
        assert_eq!(text(&row, "d").as_deref(), Some("4"));
        assert_eq!(text(&row, "e"), None);
        assert_eq!(rows(&row, "list").count(), 2);
        assert_eq!(rows(&row, "long").count(), MOST_ROWS);
        assert!(has_list(&row, "list") && !has_list(&row, "a"));
    }
}
