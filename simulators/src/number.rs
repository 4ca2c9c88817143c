//! Numbers as services write them.

/// The nearest whole number; what is out of reach becomes the nearest that is not.
#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, which is what is meant"
)]
pub(crate) const fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// A whole number as a real one.
#[expect(
    clippy::cast_precision_loss,
    reason = "what is simulated stays below 2^53"
)]
pub(crate) const fn real(value: i64) -> f64 {
    value as f64
}

/// Rounded to so many decimals.
pub(crate) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}
