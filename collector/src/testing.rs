//! What the tests of several modules need.

use std::sync::Arc;

use schemas::{SourceName, Timestamp, name::AgentName};
use supervision::Supervisor;

use crate::{Batch, Context};

pub(crate) fn context(source: &str) -> Context {
    Context {
        source: SourceName::new(source).unwrap(),
        agent: AgentName::new("agent").unwrap(),
        hostname: Arc::from(source.split('.').next().unwrap_or(source)),
        supervisor: Supervisor::new(),
    }
}

pub(crate) fn batch() -> Batch {
    Batch::at(Timestamp::now())
}
