use serde::{Deserialize, Serialize};

use crate::name::{Epoch, SourceName};

/// The sequence of one (source, epoch), as far as the log has it.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct AgentSequence {
    /// The source.
    #[ts(type = "string")]
    #[schema(value_type = String)]
    pub source: SourceName,
    /// The writer's sequence state.
    #[ts(type = "string")]
    #[schema(value_type = String)]
    pub epoch: Epoch,
    /// The highest seq that is or was in the log.
    #[ts(type = "number")]
    pub last_seq: u64,
    /// Seqs below it that never came, as inclusive ranges.
    #[ts(type = "Array<[number, number]>")]
    #[schema(value_type = Vec<Vec<u64>>)]
    pub holes: Vec<(u64, u64)>,
}

/// What the log has of an agent's sources: the agent goes on after that.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct AgentSequences {
    /// The agent.
    pub agent: String,
    /// By source and epoch.
    pub sequences: Vec<AgentSequence>,
}

/// Sources that an agent is to have.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimSources {
    /// Which.
    #[ts(type = "Array<string>")]
    #[schema(value_type = Vec<String>)]
    pub sources: Vec<SourceName>,
    /// Also those that another agent has: for a machine that was replaced.
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub take_over: bool,
}

/// A source that another agent has.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct ForeignSource {
    /// The source.
    pub source: String,
    /// Who has it.
    pub owner: String,
    /// Since when, RFC 3339; `null` for the hub's own.
    pub since: Option<String>,
}

/// What a claim came to. All that is not listed is the agent's now.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct ClaimedSources {
    /// The agent.
    pub agent: String,
    /// Sources that others have and keep.
    pub foreign: Vec<ForeignSource>,
}
