//! Bounds on everything that comes from outside.

/// Longest source name, in bytes.
pub const SOURCE_NAME: usize = 128;
/// Longest kind of a source, in bytes.
pub const KIND: usize = 64;
/// Longest name of an agent, in bytes.
pub const AGENT: usize = 128;
/// Longest epoch, in bytes.
pub const EPOCH: usize = 64;
/// Longest entity type, in bytes.
pub const ENTITY_TYPE: usize = 64;
/// Longest entity id, in bytes.
pub const ENTITY_ID: usize = 256;
/// Longest field or label name, in bytes.
pub const FIELD_NAME: usize = 128;
/// Longest text value of a field, in bytes.
pub const FIELD_TEXT: usize = 4096;
/// Longest value of a label, in bytes.
pub const LABEL_VALUE: usize = 512;
/// Most labels on an entity.
pub const LABELS: usize = 64;
/// Most fields in one event.
pub const FIELDS: usize = 512;
/// Largest encoded event, in bytes.
pub const EVENT_BYTES: usize = 256 * 1024;
/// Longest written position, in bytes.
pub const POSITION: usize = 512;
/// Most events one `POST /api/v1/events` may carry.
pub const PUSH_EVENTS: usize = 10_000;
/// Largest body of one `POST /api/v1/events`, in bytes.
pub const PUSH_BYTES: usize = 16 * 1024 * 1024;
/// Most events one read may return.
pub const READ_EVENTS: usize = 10_000;
/// An event whose time is further ahead of its arrival than this is stored at its arrival, in milliseconds.
pub const FUTURE_SKEW_MS: i64 = 5 * 60 * 1000;
/// Earliest time an event may carry (2000-01-01), in Unix milliseconds: older ones come from a clock that was never set.
pub const EARLIEST_MS: i64 = 946_684_800_000;
/// Latest time an event may carry (2200-01-01), in Unix milliseconds.
pub const LATEST_MS: i64 = 7_258_118_400_000;
