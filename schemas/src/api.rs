//! The shapes of the HTTP API, as they stand in the contract.
//!
//! TypeScript for the dashboard and the `OpenAPI` document come from these types.

mod agents;
mod auth;
mod catalog;
mod entities;
mod events;
mod health;
mod range;
mod realtime;
mod sources;
mod value;
mod views;

pub use agents::{AgentSequence, AgentSequences, ClaimSources, ClaimedSources, ForeignSource};
pub use auth::{
    CreateToken, CreateUser, CreatedToken, LoginRequest, LoginResponse, Preferences, Role,
    SetupRequest, SetupState, Ticket, TokenInfo, TokenList, UpdateUser, UserInfo, UserList,
};
pub use catalog::{CatalogAnswer, CatalogMetric};
pub use entities::{EntitiesAnswer, EntityState, LatestValue};
pub use events::{ApiEntity, ApiEvent, EventsAnswer, PushAnswer, PushEntity, PushEvent, Rejection};
pub use health::{HealthAnswer, HealthState, ServiceHealth};
pub use range::{Agg, RangeAnswer, RangeSeries};
pub use realtime::{ClientMessage, RealtimeFilter, ServerMessage};
pub use sources::{
    PurgedSource, RenameSource, SourceInfo, SourceScope, SourceState, SourcesAnswer,
};
pub use value::ApiValue;
pub use views::{
    DockerContainers, HomeAssistantStates, NasStorage, PiholeSummary, ProxmoxNodes, ViewItem,
};

use serde::{Deserialize, Serialize};

/// Every error answer: `{"error":{"code","message","request_id"}}`.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct ErrorAnswer {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct ErrorBody {
    /// Stable name of the error: `bad_credentials`.
    pub code: String,
    /// What happened and what to do.
    pub message: String,
    /// Finds the request in the log.
    pub request_id: String,
    /// With `position_gone`: the oldest position that can still be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub oldest: Option<String>,
    /// With `position_gone`: the position after the newest event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub newest: Option<String>,
}
