//! Values as Proxmox VE writes them: a number may be a string and the reverse, truth is 0 or 1, and anything may be absent.

use serde_json::Value;

use crate::wire;
pub(super) use crate::{
    present::{entity, set_number, set_ratio, set_whole},
    wire::Object,
};

/// Most characters of a text that is taken.
const LONGEST: usize = 250;
/// Most rows of a list that are read.
const MOST_ROWS: usize = 10_000;

/// The rows of a list; what is no row is left out.
pub(super) fn rows(data: &Value) -> impl Iterator<Item = &Object> {
    wire::rows(Some(data), MOST_ROWS)
}

pub(super) fn number(row: &Object, key: &str) -> Option<f64> {
    wire::number(row.get(key)?)
}

pub(super) fn whole(row: &Object, key: &str) -> Option<u64> {
    wire::whole(row.get(key)?)
}

/// Truth, which is 0 or 1 here, and sometimes an empty text.
pub(super) fn flag(row: &Object, key: &str) -> Option<bool> {
    match row.get(key)? {
        Value::Bool(is) => Some(*is),
        Value::String(text) if text.is_empty() => Some(false),
        other => Some(wire::number(other)? != 0.0),
    }
}

pub(super) fn text(row: &Object, key: &str) -> Option<String> {
    wire::text(row.get(key)?, LONGEST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
}
