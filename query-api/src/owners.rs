//! Which agent has which source, as the control store says, and the log where it remembers that too; remembered for a
//! moment, since every push asks.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use control::{ControlStore, SourceOwner};
use event_log::{Claims, DestinationError};
use schemas::{SourceName, Timestamp, name::AgentName};
use tracing::warn;

use crate::{ApiError, Services};

/// How long an answer is good: another API process may change owners.
const FRESH: Duration = Duration::from_secs(5);
/// The same for what a log says: it reads a whole topic for it, and each claim is made there again.
const FRESH_OF_LOG: Duration = Duration::from_secs(30);
/// Most sources of one agent.
const MOST_OWNED: usize = 1000;

pub(crate) type ByName = HashMap<SourceName, AgentName>;
type Remembered = RwLock<Option<(Instant, Arc<ByName>)>>;

/// The owners of sources.
#[derive(Default)]
pub(crate) struct Owners {
    all: Remembered,
    of_log: Remembered,
}

/// A source that its owner keeps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) source: SourceName,
    pub(crate) owner: AgentName,
    /// Since when, where that is known.
    pub(crate) since: Option<Timestamp>,
}

impl Owners {
    /// Who has what.
    ///
    /// # Errors
    /// The control store failed, or the log.
    pub(crate) async fn all(&self, services: &Services) -> Result<Arc<ByName>, ApiError> {
        if let Some(owners) = fresh(&self.all, FRESH) {
            return Ok(owners);
        }
        let mut owners: ByName = services
            .control
            .source_owners()
            .await?
            .into_iter()
            .map(|owner| (owner.source, owner.agent))
            .collect();
        // whoever writes to the log itself may have taken a source over there
        if let Some(claims) = &services.claims {
            let there = self.of_log(&**claims).await?;
            owners.extend(there.iter().map(|(s, a)| (s.clone(), a.clone())));
        }
        Ok(remember(&self.all, owners))
    }

    async fn of_log(&self, claims: &dyn Claims) -> Result<Arc<ByName>, ApiError> {
        if let Some(owners) = fresh(&self.of_log, FRESH_OF_LOG) {
            return Ok(owners);
        }
        let owners = claims.owners().await.map_err(|e| away(&e))?;
        let owners = owners.into_iter().map(|o| (o.source, o.owner)).collect();
        Ok(remember(&self.of_log, owners))
    }

    /// Makes an agent the owner of sources that nobody has, and with `take_over` of those whose owner may not push any more.
    /// Returns those that others keep.
    ///
    /// # Errors
    /// An owner has a valid token, there are too many sources, the control store failed, or the log.
    pub(crate) async fn claim(
        &self,
        services: &Services,
        agent: &AgentName,
        sources: &[SourceName],
        take_over: bool,
    ) -> Result<Vec<Kept>, ApiError> {
        let owners = services.control.source_owners().await?;
        bounded(&owners, agent, sources)?;
        let wanted: BTreeSet<_> = sources.iter().collect();
        let foreign: Vec<&SourceOwner> = owners
            .iter()
            .filter(|owner| owner.agent != *agent && wanted.contains(&owner.source))
            .collect();
        if take_over {
            all_gone(&*services.control, &foreign).await?;
        }
        let mut kept = Vec::new();
        if let Some(claims) = &services.claims {
            // who is known here for an agent may be replaced there too; who only the log knows replaces it there
            let (known, other): (Vec<SourceName>, Vec<SourceName>) = sources
                .iter()
                .cloned()
                .partition(|source| take_over && foreign.iter().any(|o| o.source == *source));
            // it reads a whole topic for that
            let current = if known.is_empty() {
                Vec::new()
            } else {
                claims.owners().await.map_err(|e| away(&e))?
            };
            let (stale, moved): (Vec<SourceName>, Vec<SourceName>) =
                known.into_iter().partition(|source| {
                    current.iter().all(|there| {
                        there.source != *source
                            || foreign
                                .iter()
                                .any(|o| o.source == *source && o.agent == there.owner)
                    })
                });
            let other = [other, moved].concat();
            for (sources, take_over) in [(stale, true), (other, false)] {
                kept.extend(claim_there(&**claims, agent, &sources, take_over).await?);
            }
        }
        let here: Vec<SourceName> = sources
            .iter()
            .filter(|source| kept.iter().all(|k| k.source != **source))
            .cloned()
            .collect();
        let refused = services
            .control
            .claim_sources(agent, &here, take_over, Timestamp::now())
            .await?;
        for remembered in [&self.all, &self.of_log] {
            *remembered.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        kept.extend(refused.into_iter().map(|owner| Kept {
            source: owner.source,
            owner: owner.agent,
            since: Some(owner.since),
        }));
        Ok(kept)
    }
}

fn fresh(remembered: &Remembered, good_for: Duration) -> Option<Arc<ByName>> {
    let known = remembered.read().unwrap_or_else(PoisonError::into_inner);
    known
        .as_ref()
        .filter(|(read, _)| read.elapsed() < good_for)
        .map(|(_, owners)| Arc::clone(owners))
}

fn remember(remembered: &Remembered, owners: ByName) -> Arc<ByName> {
    let owners = Arc::new(owners);
    *remembered.write().unwrap_or_else(PoisonError::into_inner) =
        Some((Instant::now(), Arc::clone(&owners)));
    owners
}

fn away(cause: &DestinationError) -> ApiError {
    warn!("the log does not tell who has which source: {cause}");
    ApiError::unavailable(
        "log_unavailable",
        "the log does not tell now who has which source",
        5,
    )
}

/// Claims in the log, which gives all or none: those that others have are left out of a second try.
async fn claim_there(
    claims: &dyn Claims,
    agent: &AgentName,
    sources: &[SourceName],
    take_over: bool,
) -> Result<Vec<Kept>, ApiError> {
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let claim = async |sources: &[SourceName]| {
        let foreign = claims.claim(agent, sources, take_over).await;
        foreign.map_err(|e| away(&e))
    };
    let mut kept = claim(sources).await?;
    if !kept.is_empty() {
        let free: Vec<SourceName> = sources
            .iter()
            .filter(|source| kept.iter().all(|k| k.source != **source))
            .cloned()
            .collect();
        if !free.is_empty() {
            kept.extend(claim(&free).await?);
        }
    }
    Ok(kept
        .into_iter()
        .map(|foreign| Kept {
            source: foreign.source,
            owner: foreign.owner,
            since: None,
        })
        .collect())
}

fn bounded(
    owners: &[SourceOwner],
    agent: &AgentName,
    sources: &[SourceName],
) -> Result<(), ApiError> {
    let mut own: BTreeSet<&SourceName> = owners
        .iter()
        .filter(|owner| owner.agent == *agent)
        .map(|owner| &owner.source)
        .collect();
    let before = own.len();
    own.extend(sources);
    if own.len() > MOST_OWNED && own.len() > before {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "too_many",
            format!(
                "agent `{agent}` would have more than {MOST_OWNED} sources: push under fewer names"
            ),
        ));
    }
    Ok(())
}

/// Refuses to take sources from an agent that may still push: who holds one agent's token is not every agent.
async fn all_gone(control: &dyn ControlStore, foreign: &[&SourceOwner]) -> Result<(), ApiError> {
    if foreign.is_empty() {
        return Ok(());
    }
    let now = Timestamp::now();
    let mut live = BTreeSet::new();
    for token in control.api_tokens(None).await? {
        if let Some(agent) = &token.agent
            && foreign.iter().any(|owner| owner.agent == *agent)
            && control.api_token(&token.id, None, now).await?.is_some()
        {
            live.insert(agent.clone());
        }
    }
    let Some(owner) = foreign.iter().find(|owner| live.contains(&owner.agent)) else {
        return Ok(());
    };
    Err(ApiError::new(
        StatusCode::CONFLICT,
        "owner_has_token",
        format!(
            "source `{}` belongs to agent `{}`, which has a valid token: if that machine was replaced, let an admin revoke its token first (DELETE /auth/tokens/{{id}}), then take over",
            owner.source, owner.agent
        ),
    ))
}
