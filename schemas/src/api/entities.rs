use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ApiValue;

/// The newest value of one field.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct LatestValue {
    /// The value.
    #[ts(type = "number | string | boolean")]
    #[schema(value_type = serde_json::Value)]
    pub value: ApiValue,
    /// When it was observed, Unix milliseconds.
    #[ts(type = "number")]
    pub time: i64,
}

/// One entity with its newest values.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct EntityState {
    /// `source/type/id`, with the id percent-encoded.
    pub key: String,
    /// The source that observes it.
    pub source: String,
    /// What it is.
    #[serde(rename = "type")]
    pub entity_type: String,
    /// Which one.
    pub id: String,
    /// Slow facts about it.
    pub labels: BTreeMap<String, String>,
    /// Newest value of every field.
    pub fields: BTreeMap<String, LatestValue>,
}

/// What exists, or existed at a time.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct EntitiesAnswer {
    /// The log position that the answer reflects.
    pub position: String,
    /// By key.
    pub entities: Vec<EntityState>,
}
