//! Values as services write them: a number may be text, with a percent sign behind it, and anything may be absent.

use serde_json::{Map, Value};

/// An object of JSON.
pub(crate) type Object = Map<String, Value>;

/// Longest text of a number, in bytes.
const LONGEST: usize = 64;
/// Where whole numbers end: what is kept of them has 63 bits.
const LARGEST: f64 = 9.0e18;

/// The rows of a list, at most so many; what is no row is left out.
pub(crate) fn rows(list: Option<&Value>, most: usize) -> impl Iterator<Item = &Object> {
    list.and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_object)
        .take(most)
}

/// A finite number that is written as text; `--` and the like are none.
pub(crate) fn number_in(text: &str) -> Option<f64> {
    if text.len() > LONGEST {
        return None;
    }
    let bare = text.trim().trim_end_matches('%').trim_end();
    bare.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A finite number.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64().filter(|number| number.is_finite()),
        Value::String(text) => number_in(text),
        _ => None,
    }
}

/// A whole number that is not negative and is written as text; one with a fraction is rounded.
pub(crate) fn whole_in(text: &str) -> Option<u64> {
    let exact = text.trim();
    exact.parse().ok().or_else(|| rounded(number_in(exact)?))
}

/// A whole number that is not negative, as sizes, counters and times are; one with a fraction is rounded.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| rounded(number.as_f64()?)),
        Value::String(text) => whole_in(text),
        _ => None,
    }
}

/// The nearest whole number, where there is one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only within 0 and what fits"
)]
pub(crate) fn rounded(number: f64) -> Option<u64> {
    (0.0..LARGEST)
        .contains(&number)
        .then(|| number.round() as u64)
}

/// A part of one of a percentage.
pub(crate) fn ratio_of_percent(percent: f64) -> Option<f64> {
    (0.0..=100.0).contains(&percent).then(|| percent / 100.0)
}

/// A text that is not empty, at most so many characters and without those that move a terminal's cursor.
pub(crate) fn clean(text: &str, most: usize) -> Option<String> {
    let text: String = text
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(most)
        .collect();
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Such a text; one of digits may come as a number.
pub(crate) fn text(value: &Value, most: usize) -> Option<String> {
    match value {
        Value::String(text) => clean(text, most),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_in_many_dresses_and_absent_is_not_zero() {
        for (written, as_number, as_whole) in [
            (json!(7), Some(7.0), Some(7)),
            (json!(7.0), Some(7.0), Some(7)),
            (json!("7"), Some(7.0), Some(7)),
            (json!(" 527 "), Some(527.0), Some(527)),
            (json!(" 0.25 "), Some(0.25), Some(0)),
            (json!("2.3 %"), Some(2.3), Some(2)),
            (json!("7%"), Some(7.0), Some(7)),
            (json!("12.5"), Some(12.5), Some(13)),
            (json!("7.0"), Some(7.0), Some(7)),
            (
                json!("3000592982016"),
                Some(3_000_592_982_016.0),
                Some(3_000_592_982_016),
            ),
            (
                json!(u64::MAX),
                Some(18_446_744_073_709_551_615.0),
                Some(u64::MAX),
            ),
            (
                json!("18446744073709551615"),
                Some(18_446_744_073_709_551_615.0),
                Some(u64::MAX),
            ),
            (json!(-1), Some(-1.0), None),
            (json!("-2"), Some(-2.0), None),
            (json!(1e300), Some(1e300), None),
            (json!("1e300"), Some(1e300), None),
            (json!("1e999"), None, None),
            (json!("inf"), None, None),
            (json!("nan"), None, None),
            (json!("--"), None, None),
            (json!("%"), None, None),
            (json!(""), None, None),
            (json!("1".repeat(400)), None, None),
            (json!(null), None, None),
            (json!(true), None, None),
            (json!([1]), None, None),
        ] {
            assert_eq!(
                (number(&written), whole(&written)),
                (as_number, as_whole),
                "{written}"
            );
        }
    }

    #[test]
    fn a_percentage_is_between_0_and_100() {
        for (percent, ratio) in [
            (0.0, Some(0.0)),
            (48.5, Some(0.485)),
            (100.0, Some(1.0)),
            (101.0, None),
            (-1.0, None),
            (f64::NAN, None),
        ] {
            assert_eq!(ratio_of_percent(percent), ratio, "{percent}");
        }
    }

    #[test]
    fn texts_are_bounded_and_clean() {
        for (written, read) in [
            (json!(" Hitachi \n"), Some("Hitachi")),
            (json!("x\u{1b}[2Jy"), Some("x[2Jy")),
            (json!(" a\u{1b}[2J "), Some("a[2J")),
            (json!(113), Some("113")),
            (json!(""), None),
            (json!(" \u{1b} "), None),
            (json!({}), None),
        ] {
            assert_eq!(text(&written, 10).as_deref(), read, "{written}");
        }
        assert_eq!(clean(&"ü".repeat(1000), 200).unwrap().chars().count(), 200);
    }

    #[test]
    fn what_is_no_row_does_not_lose_the_others() {
        let list = json!([7, {"a": 1}, null, "x", {"a": 2}]);
        assert_eq!(rows(Some(&list), 10).count(), 2);
        assert_eq!(rows(Some(&list), 1).count(), 1);
        assert_eq!(rows(Some(&json!({"a": 1})), 10).count(), 0);
        assert_eq!(rows(None, 10).count(), 0);
    }
}
