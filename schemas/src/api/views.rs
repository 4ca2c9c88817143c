use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ApiValue, SourceInfo, SourceState};

/// One thing in a view, with its newest values.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ViewItem {
    /// `source/type/id`, with the id percent-encoded.
    pub key: String,
    /// The source that observes it.
    pub source: String,
    /// How that source does: while it is not up, the values are those of before.
    pub source_state: SourceState,
    /// What it is.
    #[serde(rename = "type")]
    pub entity_type: String,
    /// Which one.
    pub id: String,
    /// What a person calls it: its label `name`, else its id.
    pub name: String,
    /// When anything of it was last observed, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<i64>,
    /// Slow facts about it.
    pub labels: BTreeMap<String, String>,
    /// Newest value of every field that is known; `/api/v1/catalog` tells the unit and the meaning of each.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub fields: BTreeMap<String, ApiValue>,
}

/// The storage of every NAS.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NasStorage {
    /// The log position that the answer reflects.
    pub position: String,
    /// The sources, by name.
    pub sources: Vec<SourceInfo>,
    /// The devices themselves.
    pub systems: Vec<ViewItem>,
    /// Storage pools and RAID groups.
    pub pools: Vec<ViewItem>,
    /// Volumes.
    pub volumes: Vec<ViewItem>,
    /// Shared folders.
    pub shares: Vec<ViewItem>,
    /// Disks.
    pub disks: Vec<ViewItem>,
}

/// The containers of every Docker Engine.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DockerContainers {
    /// The log position that the answer reflects.
    pub position: String,
    /// The sources, by name.
    pub sources: Vec<SourceInfo>,
    /// The engines.
    pub engines: Vec<ViewItem>,
    /// The containers, also those that were removed: their `state` says so.
    pub containers: Vec<ViewItem>,
}

/// The nodes of every Proxmox VE cluster and what runs on them.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProxmoxNodes {
    /// The log position that the answer reflects.
    pub position: String,
    /// The sources, by name.
    pub sources: Vec<SourceInfo>,
    /// The clusters.
    pub clusters: Vec<ViewItem>,
    /// The nodes.
    pub nodes: Vec<ViewItem>,
    /// Virtual machines and containers.
    pub guests: Vec<ViewItem>,
    /// Storages.
    pub storages: Vec<ViewItem>,
    /// Disks of the nodes.
    pub disks: Vec<ViewItem>,
    /// ZFS pools of the nodes.
    pub pools: Vec<ViewItem>,
}

/// What every Pi-hole answered and blocked.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PiholeSummary {
    /// The log position that the answer reflects.
    pub position: String,
    /// The sources, by name.
    pub sources: Vec<SourceInfo>,
    /// The Pi-holes.
    pub piholes: Vec<ViewItem>,
    /// The DNS servers that they ask.
    pub upstreams: Vec<ViewItem>,
    /// Domains that were asked for, where a source is told to keep them.
    pub domains: Vec<ViewItem>,
    /// Clients that asked, where a source is told to keep them.
    pub clients: Vec<ViewItem>,
}

/// Everything that Home Assistant has a state of.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HomeAssistantStates {
    /// The log position that the answer reflects.
    pub position: String,
    /// The sources, by name.
    pub sources: Vec<SourceInfo>,
    /// The Home Assistants themselves.
    pub instances: Vec<ViewItem>,
    /// The states of all else, by type and key.
    pub states: Vec<ViewItem>,
}
