//! Events whose whole content follows from their source and seq: whoever reads one can tell whether it is as it was sent.

/// The entity type of every event.
pub const TYPE: &str = "probe";
/// The field with a float to the last bit.
pub const VALUE: &str = "value";
/// The field with a whole number.
pub const COUNT: &str = "things_count";

const ENTITIES: u64 = 16;

/// Entity id of an event.
pub fn id(seq: u64) -> String {
    format!("p{}", seq % ENTITIES)
}

/// Unix milliseconds of an event of a run that began at `base`: no two of one source share one.
pub fn time(base: i64, seq: u64) -> i64 {
    base + i64::try_from(seq).unwrap_or(i64::MAX)
}

/// The float of an event.
pub fn value(source: &str, seq: u64) -> f64 {
    // 53 bits: what a float holds
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let unit = (mix(source, seq) >> 11) as f64 / (1_u64 << 53) as f64;
    unit * 2e6 - 1e6
}

/// The whole number of an event.
pub fn count(source: &str, seq: u64) -> i64 {
    mix(source, !seq).cast_signed()
}

/// Spreads a source and a number over all bits (`SplitMix64` behind FNV-1a).
fn mix(source: &str, number: u64) -> u64 {
    let named = source
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let mut x = (named ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_events_have_equal_values() {
        let mut seen = HashSet::new();
        for source in ["agent-0-0", "agent-0-1", "agent-1-0"] {
            for seq in 1..10_000 {
                assert!(value(source, seq).abs() <= 1e6);
                assert!(seen.insert(value(source, seq).to_bits()));
                assert!(seen.insert(count(source, seq).cast_unsigned()));
            }
        }
    }
}
