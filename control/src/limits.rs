//! Bounds on what the control store keeps.

/// Longest user name, in bytes.
pub const USERNAME: usize = 64;
/// Shortest password, in characters.
pub const PASSWORD_MIN: usize = 10;
/// Longest password, in bytes.
pub const PASSWORD_MAX: usize = 256;
/// Most users.
pub const USERS: i64 = 1000;
/// Most sessions of one user; the longest unused goes.
pub const SESSIONS_PER_USER: i64 = 50;
/// Most tickets of one session or token; the oldest goes.
pub const TICKETS_PER_OWNER: i64 = 64;
/// Most API tokens of one user.
pub const TOKENS_PER_USER: i64 = 100;
/// Longest name of an API token, in bytes.
pub const TOKEN_NAME: usize = 128;
/// Most sources that have an owner.
pub const OWNED_SOURCES: i64 = 10_000;
/// Longest name by which a source is shown, in characters.
pub const DISPLAY_NAME: usize = 64;
/// Most sources that are shown by another name than their own.
pub const DISPLAY_NAMES: i64 = 10_000;
/// Most preferences of one user.
pub const PREFERENCES: usize = 64;
/// Longest key of a preference, in bytes.
pub const PREFERENCE_KEY: usize = 128;
/// Longest value of a preference, in bytes.
pub const PREFERENCE_VALUE: usize = 4096;
/// Most audit entries; the oldest go.
pub const AUDIT_ENTRIES: i64 = 10_000;
/// Longest text in an audit entry, in characters.
pub const AUDIT_TEXT: usize = 256;
/// How long a used refresh token is remembered so that its reuse is noticed, in milliseconds.
pub const USED_REFRESH_MS: i64 = 7 * 86_400_000;
