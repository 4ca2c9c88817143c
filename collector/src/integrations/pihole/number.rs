//! Numbers as Pi-hole writes them: as numbers, or as text with separators and percent signs.

use std::borrow::Cow;

use serde_json::Value;

use crate::wire;

/// Longest text of a number with its separators, in bytes.
const LONGEST: usize = 64;

/// A finite number.
pub(super) fn number(value: Option<&Value>) -> Option<f64> {
    wire::number(&bare(value?))
}

/// A whole number that is not negative: Pi-hole counts -1 and -2 where it cannot count.
pub(super) fn count(value: Option<&Value>) -> Option<u64> {
    let value = bare(value?);
    wire::whole(&value).filter(|_| wire::number(&value).is_some_and(|number| number.fract() == 0.0))
}

/// A part of one of a percentage.
pub(super) fn ratio_of_percent(value: Option<&Value>) -> Option<f64> {
    wire::ratio_of_percent(number(value)?)
}

/// The share that a count has of a sum.
pub(super) fn share(part: Option<u64>, whole: Option<u64>) -> Option<f64> {
    let whole = whole.filter(|n| *n > 0)?;
    Some(float(part?) / float(whole)).filter(|ratio| *ratio <= 1.0)
}

/// Without what separates thousands.
fn bare(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::String(text) if text.len() <= LONGEST && text.contains(',') => {
            Cow::Owned(Value::String(text.replace(',', "")))
        }
        value => Cow::Borrowed(value),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio has four digits, a float sixteen"
)]
const fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_in_many_dresses() {
        for (written, read) in [
            (json!(136_708), Some(136_708)),
            (json!(12.0), Some(12)),
            (json!("136,708"), Some(136_708)),
            (json!(" 7 "), Some(7)),
            (json!("7.0"), Some(7)),
            (json!(0), Some(0)),
            (json!(u64::MAX), Some(u64::MAX)),
            (json!(-2), None),
            (json!(1.5), None),
            (json!(1e300), None),
            (json!(""), None),
            (json!("--"), None),
            (json!("inf"), None),
            (json!("1".repeat(400)), None),
            (json!(null), None),
            (json!(true), None),
            (json!([1]), None),
        ] {
            assert_eq!(count(Some(&written)), read, "{written}");
        }
        assert_eq!(count(None), None);
        assert_eq!(number(Some(&json!("1.7 %"))), Some(1.7));
        assert_eq!(number(Some(&json!("nan"))), None);
    }

    #[test]
    fn shares_are_parts_of_one() {
        assert_eq!(ratio_of_percent(Some(&json!(25))), Some(0.25));
        assert_eq!(ratio_of_percent(Some(&json!("101"))), None);
        assert_eq!(share(Some(1), Some(4)), Some(0.25));
        assert_eq!(share(Some(1), Some(0)), None);
        assert_eq!(share(Some(5), Some(4)), None);
        assert_eq!(share(None, Some(4)), None);
    }
}
