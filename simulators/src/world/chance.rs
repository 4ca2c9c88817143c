//! Chance that is the same for the same seed.

/// A number that looks random, of a seed, a name and a number.
pub(crate) fn hash(seed: u64, key: &str, n: i64) -> u64 {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    for byte in key.bytes().chain(n.to_le_bytes()) {
        state = mix(state ^ u64::from(byte));
    }
    mix(state)
}

/// The same between 0 and 1.
pub(crate) fn unit(seed: u64, key: &str, n: i64) -> f64 {
    let high = u32::try_from(hash(seed, key, n) >> 32).unwrap_or(0);
    f64::from(high) / 4_294_967_296.0
}

/// So many hexadecimal digits.
pub(crate) fn digits(seed: u64, key: &str, count: usize) -> String {
    let mut text = String::new();
    let mut n = 0;
    while text.len() < count {
        text.push_str(&format!("{:016x}", hash(seed, key, n)));
        n += 1;
    }
    text.truncate(count);
    text
}

/// The finisher of splitmix64.
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
