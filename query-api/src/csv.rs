//! CSV as RFC 4180 has it, safe to open in a spreadsheet.

use std::fmt::Write as _;

use schemas::{FieldValue, Timestamp, api::RangeAnswer};

/// One line for each value: `time,entity,field,unit,agg,value`; an empty window has an empty value.
pub(crate) fn range(answer: &RangeAnswer) -> String {
    let rows: usize = answer.series.iter().map(|s| s.times.len()).sum();
    let mut out = String::with_capacity(48 + rows.saturating_mul(64));
    out.push_str("time,entity,field,unit,agg,value\r\n");
    for series in &answer.series {
        let unit = serde_json::to_value(series.unit)
            .ok()
            .and_then(|v| v.as_str().map(ToOwned::to_owned))
            .unwrap_or_default();
        let mut middle = String::new();
        text(&series.entity, &mut middle);
        middle.push(',');
        text(&series.field, &mut middle);
        middle.push(',');
        middle.push_str(&unit);
        middle.push(',');
        middle.push_str(series.agg.map_or("raw", schemas::api::Agg::as_str));
        for (&time, value) in series.times.iter().zip(&series.values) {
            // writing to a string cannot fail
            let _infallible = write!(out, "{},{middle},", Timestamp::from_millis(time));
            match value.as_ref().map(|v| &v.0) {
                None => {}
                Some(FieldValue::Text(value)) => text(value, &mut out),
                Some(number) => {
                    let _infallible = write!(out, "{number}");
                }
            }
            out.push_str("\r\n");
        }
    }
    out
}

/// A cell of text: quoted where it must be, and never a formula for a spreadsheet.
fn text(value: &str, out: &mut String) {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = formula || value.contains(['"', ',', '\n', '\r']);
    if !quoted {
        out.push_str(value);
        return;
    }
    out.push('"');
    if formula {
        out.push('\'');
    }
    for c in value.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula() {
        let cell = |value| {
            let mut out = String::new();
            text(value, &mut out);
            out
        };
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(cell("=cmd()"), "\"'=cmd()\"");
    }
}
