use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How well something does; the later the worse.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    Serialize,
    Deserialize,
    ts_rs::TS,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// All is well.
    Healthy,
    /// Works, but a part of it does not.
    Degraded,
    /// Does not work.
    Unhealthy,
}

/// Health of one source, one kind of sources, or one part of Homelog.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct ServiceHealth {
    /// How well it does.
    pub status: HealthState,
    /// Why, in words; only with a token, as all that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<String>,
    /// Stable name of the reason, where a source is down: `unreachable`, `timeout`, `bad_credentials`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub class: Option<String>,
    /// What to do about failures of that class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub fix: Option<String>,
}

impl ServiceHealth {
    /// How well something does, with the reason where it does not.
    pub const fn new(status: HealthState, reason: Option<String>) -> Self {
        Self {
            status,
            reason,
            class: None,
            fix: None,
        }
    }

    /// What anybody may know of it.
    #[must_use]
    pub fn for_strangers(&self) -> Self {
        Self::new(self.status, None)
    }
}

/// Health of the whole.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct HealthAnswer {
    /// The worst that matters.
    pub status: HealthState,
    /// Sources by name, `database`, `event_log`, and the worst of each kind.
    pub services: BTreeMap<String, ServiceHealth>,
}
