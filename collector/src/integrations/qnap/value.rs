//! Values as QTS writes them: everything is text, some of it with a unit behind it.

use schemas::Fields;

use super::xml::Element;
pub(super) use crate::present::{entity, set_number, set_whole};
use crate::wire;

/// Most characters of a name.
const LONGEST_NAME: usize = 250;

/// A finite number, perhaps with a percent sign behind it; `--` and the like are none.
pub(super) fn number(element: &Element, name: &str) -> Option<f64> {
    wire::number_in(element.text(name)?)
}

/// A whole number, which may be negative.
pub(super) fn integer(element: &Element, name: &str) -> Option<i64> {
    element.text(name)?.parse().ok()
}

/// A whole number that is not negative.
pub(super) fn whole(element: &Element, name: &str) -> Option<u64> {
    wire::whole_in(element.text(name)?)
}

/// A part of one of a percentage.
pub(super) fn ratio_of_percent(element: &Element, name: &str) -> Option<f64> {
    wire::ratio_of_percent(number(element, name)?)
}

/// Degrees Celsius. Zero is what a sensor tells that is not there, or whose disk sleeps.
pub(super) fn temperature(element: &Element, name: &str) -> Option<f64> {
    number(element, name).filter(|degrees| *degrees > 0.0 && *degrees < 200.0)
}

/// Bytes of a number of MiB.
pub(super) fn bytes_of_mebibytes(element: &Element, name: &str) -> Option<u64> {
    wire::rounded(number(element, name)? * 1_048_576.0)
}

/// A name as a label may carry it.
pub(super) fn name(element: &Element, name: &str) -> Option<String> {
    wire::clean(element.text(name)?, LONGEST_NAME)
}

/// Sets how much of a whole is used, and its share, from what is free.
#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio has four digits, a float sixteen"
)]
pub(super) fn set_used(
    fields: &mut Fields,
    [used_field, ratio_field]: [&'static str; 2],
    of: Option<u64>,
    free: Option<u64>,
) {
    let Some(of) = of.filter(|of| *of > 0) else {
        return;
    };
    if let Some(used) = free.and_then(|free| of.checked_sub(free)) {
        fields.set(used_field, used);
        fields.set_rounded(ratio_field, used as f64 / of as f64, 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::qnap::xml::parse;

    fn of(text: &str) -> Element {
        parse(&format!("<r><v><![CDATA[{text}]]></v></r>")).unwrap()
    }

    #[test]
    fn numbers_are_text_and_absent_is_not_zero() {
        assert_eq!(number(&of("2.3 %"), "v"), Some(2.3));
        assert_eq!(number(&of("--"), "v"), None);
        assert_eq!(number(&of("1"), "w"), None);
        assert_eq!(whole(&of("18446744073709551615"), "v"), Some(u64::MAX));
        assert_eq!(whole(&of("7.0"), "v"), Some(7));
        assert_eq!(whole(&of("-1"), "v"), None);
        assert_eq!(integer(&of("-5"), "v"), Some(-5));
        assert_eq!(ratio_of_percent(&of("48.5 %"), "v"), Some(0.485));
        assert_eq!(ratio_of_percent(&of("101 %"), "v"), None);
        assert_eq!(bytes_of_mebibytes(&of("249.5"), "v"), Some(261_619_712));
        assert_eq!(bytes_of_mebibytes(&of("1e300"), "v"), None);
    }

    #[test]
    fn zero_degrees_are_no_temperature() {
        for (text, read) in [("37", Some(37.0)), ("0", None), ("-1", None), ("999", None)] {
            assert_eq!(temperature(&of(text), "v"), read, "{text}");
        }
    }

    #[test]
    fn what_is_used_needs_a_size_and_what_is_free() {
        let used = |of, free| {
            let mut fields = Fields::new();
            set_used(&mut fields, ["used_bytes", "used_ratio"], of, free);
            fields
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(used(Some(8), Some(6)), "used_bytes=2 used_ratio=0.25");
        assert_eq!(used(Some(0), Some(0)), "");
        assert_eq!(used(Some(8), Some(9)), "");
        assert_eq!(used(Some(8), None), "");
    }
}
