//! Which agent owns a source: the first that claims it, until another takes it over.

use std::{collections::HashMap, sync::Arc};

use rdkafka::{Message, message::OwnedHeaders};
use schemas::{SourceName, Timestamp, name::AgentName};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{Inner, SOURCES, cluster::blocking, scan::scan};
use crate::{AppendError, ReadError};

/// Why a source was not claimed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClaimError {
    /// It is another agent's.
    #[error(
        "source `{source_name}` belongs to agent `{agent}`: give one of the two sources another name, or start once with --take-over if this machine replaces that one"
    )]
    ClaimedBy {
        /// The source.
        source_name: SourceName,
        /// Its owner.
        agent: AgentName,
    },
    /// The owners cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The claim cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

#[derive(Serialize, Deserialize)]
struct Claim {
    agent: AgentName,
    /// When it was made, in Unix milliseconds.
    time: i64,
    #[serde(default)]
    take_over: bool,
}

/// The owner of each source. Blocks.
fn owners(inner: &Inner) -> Result<HashMap<SourceName, AgentName>, ReadError> {
    let mut owners: HashMap<SourceName, AgentName> = HashMap::new();
    scan(
        &inner.cluster,
        &inner.cluster.options.topic(SOURCES),
        0,
        0,
        |message| {
            let source = message
                .key()
                .and_then(|key| str::from_utf8(key).ok())
                .and_then(|key| SourceName::new(key).ok());
            let claim = message
                .payload()
                .and_then(|bytes| serde_json::from_slice::<Claim>(bytes).ok());
            if let (Some(source), Some(claim)) = (source, claim) {
                if claim.take_over || !owners.contains_key(&source) {
                    owners.insert(source, claim.agent);
                }
            } else {
                warn!(
                    offset = message.offset(),
                    "a claim of a source cannot be read, it is left out"
                );
            }
            true
        },
    )?;
    Ok(owners)
}

async fn read(inner: &Arc<Inner>) -> Result<HashMap<SourceName, AgentName>, ReadError> {
    let inner = Arc::clone(inner);
    blocking(move || owners(&inner)).await
}

pub(super) async fn all(inner: &Arc<Inner>) -> Result<Vec<(SourceName, AgentName)>, ReadError> {
    let mut all: Vec<_> = read(inner).await?.into_iter().collect();
    all.sort_unstable();
    Ok(all)
}

/// Claims sources for an agent, all or none.
pub(super) async fn claim(
    inner: &Arc<Inner>,
    sources: &[SourceName],
    agent: &AgentName,
    take_over: bool,
) -> Result<(), ClaimError> {
    let owners = read(inner).await?;
    let free = |owners: &HashMap<SourceName, AgentName>| -> Result<(), ClaimError> {
        for source in sources {
            if let Some(owner) = owners.get(source).filter(|owner| *owner != agent) {
                return Err(ClaimError::ClaimedBy {
                    source_name: source.clone(),
                    agent: owner.clone(),
                });
            }
        }
        Ok(())
    };
    if !take_over {
        free(&owners)?;
    }
    let new = sources
        .iter()
        .filter(|source| owners.get(*source) != Some(agent));
    let new: Vec<&SourceName> = new.collect();
    if new.is_empty() {
        return Ok(());
    }
    write(inner, new.iter().copied(), agent, take_over).await?;
    let owners = read(inner).await?;
    let lost = free(&owners);
    if lost.is_err() {
        // another was faster: its claim is written again, since of each source only the last record stays
        for source in new {
            if let Some(owner) = owners.get(source).filter(|owner| *owner != agent) {
                write(inner, std::iter::once(source), owner, false).await?;
            }
        }
    }
    lost
}

async fn write(
    inner: &Arc<Inner>,
    sources: impl Iterator<Item = &SourceName>,
    agent: &AgentName,
    take_over: bool,
) -> Result<(), AppendError> {
    let claim = Claim {
        agent: agent.clone(),
        time: Timestamp::now().as_millis(),
        take_over,
    };
    let value = serde_json::to_vec(&claim).map_err(|e| AppendError::Broken {
        path: SOURCES.to_owned(),
        cause: e.to_string(),
    })?;
    let records = sources
        .map(|source| {
            (
                source.as_str().as_bytes().to_vec(),
                value.clone(),
                OwnedHeaders::new(),
            )
        })
        .collect();
    inner
        .writer
        .put(&inner.cluster.options.topic(SOURCES), records)
        .await
}
