use schemas::{SourceName, Timestamp, name::AgentName};

/// Which agent has a source: only that one may push under its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceOwner {
    /// The source.
    pub source: SourceName,
    /// Who has it.
    pub agent: AgentName,
    /// Since when.
    pub since: Timestamp,
}
