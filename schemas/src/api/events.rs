use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ApiValue;
use crate::{
    event::{EventType, Labels},
    fields::Fields,
    name::{EntityId, EntityType, Epoch, SourceKind, SourceName},
    time::Timestamp,
};

/// What was observed.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct ApiEntity {
    /// `source/type/id`, with the id percent-encoded.
    pub key: String,
    /// What it is.
    #[serde(rename = "type")]
    pub entity_type: String,
    /// Which one.
    pub id: String,
    /// Slow facts about it.
    pub labels: BTreeMap<String, String>,
}

/// One event as the API gives it.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct ApiEvent {
    /// `source:epoch:seq`.
    pub id: String,
    /// Who observed it.
    pub source: String,
    /// What the source is.
    pub kind: String,
    /// The writer's sequence state.
    pub epoch: String,
    /// Place in the sequence.
    #[ts(type = "number")]
    pub seq: u64,
    /// What kind of observation.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// When it was observed, RFC 3339.
    pub time: String,
    /// When the log took it, RFC 3339.
    pub logged: String,
    /// What was observed.
    pub entity: ApiEntity,
    /// The readings.
    #[ts(type = "{ [key in string]: number | string | boolean }")]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub fields: BTreeMap<String, ApiValue>,
    /// Version of the wire form.
    pub schema: u16,
    /// Points after this event.
    pub position: String,
}

/// A page of events in the order of the log.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct EventsAnswer {
    /// The events.
    pub events: Vec<ApiEvent>,
    /// Where the next page begins: the next `after`.
    pub next: String,
    /// Whether there may be more now.
    pub more: bool,
}

/// The entity of a pushed event.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushEntity {
    /// What it is.
    #[serde(rename = "type")]
    #[ts(type = "string")]
    #[schema(value_type = String)]
    pub entity_type: EntityType,
    /// Which one.
    #[ts(type = "string")]
    #[schema(value_type = String)]
    pub id: EntityId,
    /// Slow facts about it.
    #[serde(default)]
    #[ts(optional, as = "Option<BTreeMap<String, String>>")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub labels: Labels,
}

/// An event that a service pushes.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushEvent {
    /// Who observed it.
    #[ts(type = "string")]
    #[schema(value_type = String)]
    pub source: SourceName,
    /// What the source is; `push` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<SourceKind>,
    /// What kind of observation; `sample` without it.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub event_type: Option<EventType>,
    /// When it was observed: RFC 3339 or a Unix number; now without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string | number")]
    #[schema(value_type = Option<String>)]
    pub time: Option<Timestamp>,
    /// What was observed.
    pub entity: PushEntity,
    /// The readings.
    #[ts(type = "{ [key in string]: number | string | boolean }")]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub fields: Fields,
    /// The writer's sequence state; who retries supplies it with `seq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    #[schema(value_type = Option<String>)]
    pub epoch: Option<Epoch>,
    /// Place in the sequence: 1, 2, 3 …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub seq: Option<u64>,
}

/// Why one pushed event was not taken.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Rejection {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Stable name of the reason.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// What became of a push, after it is durable.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct PushAnswer {
    /// Events that are now in the log and were not before.
    pub accepted: usize,
    /// Events that already were in the log.
    pub duplicates: usize,
    /// Events that were refused.
    pub rejected: Vec<Rejection>,
    /// Points after the last event of the push.
    pub position: String,
}
