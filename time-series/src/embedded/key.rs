//! Keys of chunks: entity and first time in one integer, so that the table is ordered by both.

use schemas::Timestamp;

/// Bits of the time: milliseconds from 1970 to 2248.
const TIME_BITS: u32 = 43;
const TIME_MASK: i64 = (1 << TIME_BITS) - 1;
/// Most entities.
pub(super) const MAX_ENTITIES: i64 = (1 << (63 - TIME_BITS)) - 1;

/// Whether a time can be a part of a key.
pub(super) const fn fits(time: i64) -> bool {
    time >= 0 && time <= TIME_MASK
}

/// The key of a chunk that begins at a time, or the bound of keys for an instant beyond what fits.
pub(super) fn of(entity: i64, time: i64) -> i64 {
    (entity << TIME_BITS) | time.clamp(0, TIME_MASK)
}

/// The lowest key of an entity.
pub(super) const fn lowest(entity: i64) -> i64 {
    entity << TIME_BITS
}

/// The highest key of an entity.
pub(super) const fn highest(entity: i64) -> i64 {
    (entity << TIME_BITS) | TIME_MASK
}

/// The time in a key.
pub(super) const fn time(key: i64) -> Timestamp {
    Timestamp::from_millis(key & TIME_MASK)
}

/// The entity in a key.
pub(super) const fn entity(key: i64) -> i64 {
    key >> TIME_BITS
}
