use serde::{Deserialize, Serialize};

/// How a source does.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Its last poll, or push, was good.
    Up,
    /// Its last poll failed.
    Down,
    /// Nothing was heard of it for longer than its interval allows.
    Stale,
    /// It pushes at will: nothing is known but its last event.
    Pushed,
    /// It is no longer configured; its history is kept.
    Removed,
}

/// One source.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct SourceInfo {
    /// Lab-unique name, which is the key of its history.
    pub name: String,
    /// The name by which it is shown, where it has one besides.
    pub display_name: Option<String>,
    /// What it is.
    pub kind: String,
    /// The collector agent that polls it.
    pub agent: Option<String>,
    /// How it does.
    pub state: SourceState,
    /// Why it is down, in words and with what to do.
    pub reason: Option<String>,
    /// Stable name of the reason: `unreachable`, `timeout`, `bad_credentials`, …
    pub class: Option<String>,
    /// What to do about failures of that class.
    pub fix: Option<String>,
    /// What it found to be down while it is up itself, where it looks for that, as `http_check` does.
    pub finding: Option<String>,
    /// Since when it is in that state, Unix milliseconds.
    #[ts(type = "number | null")]
    pub since: Option<i64>,
    /// When its newest event was observed, Unix milliseconds.
    #[ts(type = "number | null")]
    pub last_event: Option<i64>,
    /// Seconds between polls; more than configured while it answers slowly.
    pub interval_seconds: Option<f64>,
    /// Seconds between polls as configured.
    pub configured_interval_seconds: Option<f64>,
    /// Seconds that a poll takes.
    pub poll_seconds: Option<f64>,
    /// Share of the time in which it is being polled.
    pub busy_ratio: Option<f64>,
    /// The share above which it is polled less often.
    pub budget_ratio: Option<f64>,
    /// Seconds by which its clock is ahead of ours.
    pub skew_seconds: Option<f64>,
    /// Entities it has.
    pub entities: usize,
}

/// All sources.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct SourcesAnswer {
    /// The log position that the answer reflects.
    pub position: String,
    /// By name.
    pub sources: Vec<SourceInfo>,
}

/// By what name a source is shown.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameSource {
    /// The name, of at most 64 characters; `null` for its own.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    pub display_name: Option<String>,
}

/// What there is of a source, before it is purged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceScope {
    /// Its name.
    pub name: String,
    /// Entities that the store has of it.
    pub entities: u64,
    /// Points that the store has of it.
    pub points: u64,
    /// Events that were ever logged of it; some of them may have left the log by its retention.
    pub events: u64,
    /// What a purge does not reach, in words.
    pub notes: Vec<String>,
}

/// What a purge did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PurgedSource {
    /// The source's name.
    pub name: String,
    /// Whether all of it is done; if not, it goes on, and asking again tells when it is.
    pub done: bool,
    /// Events that left the log; `null` where the log keeps them until its retention.
    pub events: Option<u64>,
    /// Points that left the store; `null` where the store has not done so yet.
    pub points: Option<u64>,
    /// Dead letters that went.
    pub dead_letters: u64,
    /// What was not reached, in words.
    pub notes: Vec<String>,
}
