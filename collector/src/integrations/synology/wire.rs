//! Values as DSM writes them: sizes as text, flags as words, -1 for what is not known, and anything may be absent.

use schemas::Fields;
use serde_json::Value;

use crate::wire;
pub(super) use crate::{
    present::{entity, set_flag, set_number, set_ratio, set_text, set_whole},
    wire::Object,
};

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
    wire::rows(row.get(key), MOST_ROWS)
}

/// Whether there is a list of that name, even an empty one.
pub(super) fn has_list(row: &Object, key: &str) -> bool {
    row.get(key).is_some_and(Value::is_array)
}

pub(super) fn number(row: &Object, key: &str) -> Option<f64> {
    wire::number(row.get(key)?)
}

pub(super) fn whole(row: &Object, key: &str) -> Option<u64> {
    wire::whole(row.get(key)?)
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

pub(super) fn text(row: &Object, key: &str) -> Option<String> {
    wire::text(row.get(key)?, LONGEST)
}

/// A temperature that something can have; DSM writes -1 or 0 where nothing is measured, as of a disk that sleeps.
pub(super) fn celsius(row: &Object, key: &str) -> Option<f64> {
    number(row, key).filter(|celsius| *celsius > 0.0 && *celsius < 150.0)
}

/// Sets a part of one, where there is a percentage.
pub(super) fn set_percent(fields: &mut Fields, field: &'static str, percent: Option<f64>) {
    set_number(fields, field, percent.and_then(wire::ratio_of_percent));
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
    fn lists_and_texts_are_bounded() {
        let row = row(
            json!({"a": "ü".repeat(1000), "list": [7, {"a": 1}], "long": vec![json!({}); 2000]}),
        );
        assert_eq!(text(&row, "a").unwrap().chars().count(), LONGEST);
        assert_eq!(rows(&row, "list").count(), 1);
        assert_eq!(rows(&row, "long").count(), MOST_ROWS);
        assert!(has_list(&row, "list") && !has_list(&row, "a"));
    }
}
