//! Where an agent ships what it has spooled: a hub, or any log that keeps identities.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use schemas::{Event, SourceName, name::AgentName};

use crate::{AppendError, EventLog, Outcome, ReadError, SequenceState, Urgency};

/// An event that a destination will never take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Its place in the append, from 0.
    pub index: usize,
    /// Stable name of the reason.
    pub code: String,
    /// What is wrong and what to do, in the destination's own words.
    pub message: String,
}

/// What became of the events of one append. All that is not refused is durable.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// Events that were not there before.
    pub appended: usize,
    /// Events that were there already.
    pub duplicates: usize,
    /// Events that are refused for good.
    pub refused: Vec<Refusal>,
}

/// A source that another agent has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignSource {
    /// The source.
    pub source: SourceName,
    /// Who has it.
    pub owner: AgentName,
}

/// Why a destination did not do what it was asked for. Of an append it is open what became of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DestinationError {
    /// It is away, busy or broken; the same may succeed later.
    #[error("{message}")]
    Away {
        /// What happened.
        message: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// It will not listen to us until a person has changed something there or here.
    #[error("{message}")]
    Denied {
        /// What is wrong and what to do.
        message: String,
    },
    /// A source is another agent's.
    #[error("{message}")]
    Claimed {
        /// Which one, whose it is and what to do.
        message: String,
    },
}

impl DestinationError {
    /// It is away.
    pub fn away(message: impl Into<String>) -> Self {
        Self::Away {
            message: message.into(),
            retry_after: None,
        }
    }

    /// It refuses us.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::Denied {
            message: message.into(),
        }
    }
}

impl From<ReadError> for DestinationError {
    fn from(cause: ReadError) -> Self {
        Self::away(cause.to_string())
    }
}

impl From<AppendError> for DestinationError {
    fn from(cause: AppendError) -> Self {
        Self::away(cause.to_string())
    }
}

/// Where an agent ships its events. Events that come again are duplicates, by (source, epoch, seq).
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    /// What messages call it: `hub nas:3001`.
    fn name(&self) -> &str;

    /// Most events of one append.
    fn most_events(&self) -> usize;

    /// Appends events under the identities that they have, in order, and answers when they are durable.
    async fn append(&self, events: Vec<Arc<Event>>) -> Result<Taken, DestinationError>;

    /// What it has of some sources: the last seq and the holes of every epoch. A source that it does not know is left out.
    async fn last_seqs(
        &self,
        sources: &[SourceName],
    ) -> Result<Vec<SequenceState>, DestinationError>;

    /// Claims sources for this agent, durably; with `take_over` also from another agent that is gone for good. Returns those
    /// that others have.
    async fn claim(
        &self,
        sources: &[SourceName],
        take_over: bool,
    ) -> Result<Vec<ForeignSource>, DestinationError>;
}

/// Who has which source, where a log remembers that.
#[async_trait]
pub trait Claims: Send + Sync + 'static {
    /// Claims sources for an agent; see [`Destination::claim`].
    async fn claim(
        &self,
        agent: &AgentName,
        sources: &[SourceName],
        take_over: bool,
    ) -> Result<Vec<ForeignSource>, DestinationError>;

    /// Who has which source: each that was ever claimed.
    async fn owners(&self) -> Result<Vec<ForeignSource>, DestinationError>;
}

/// A log that is shipped to.
pub struct LogDestination {
    name: String,
    agent: AgentName,
    log: Arc<dyn EventLog>,
    claims: Option<Arc<dyn Claims>>,
}

/// Most events of one append to a log: some hundred kilobytes of JSON.
const MOST_EVENTS: usize = 5000;
/// How long a log that knows too many sequences is left alone.
const FULL_WAIT: Duration = Duration::from_mins(1);

impl LogDestination {
    /// Ships to a log; `name` is what messages call it.
    pub fn new(name: impl Into<String>, agent: AgentName, log: Arc<dyn EventLog>) -> Self {
        Self {
            name: name.into(),
            agent,
            log,
            claims: None,
        }
    }

    /// With a memory of who has which source.
    #[must_use]
    pub fn with_claims(mut self, claims: Arc<dyn Claims>) -> Self {
        self.claims = Some(claims);
        self
    }
}

#[async_trait]
impl Destination for LogDestination {
    fn name(&self) -> &str {
        &self.name
    }

    fn most_events(&self) -> usize {
        MOST_EVENTS
    }

    async fn append(&self, events: Vec<Arc<Event>>) -> Result<Taken, DestinationError> {
        let count = events.len();
        let drafts = events
            .into_iter()
            .map(|event| Arc::unwrap_or_clone(event).into_draft())
            .collect();
        let appended = self.log.append(drafts, Urgency::Soon).await?;
        if appended.receipts.len() != count {
            return Err(DestinationError::away(format!(
                "{} answered {} of {count} events",
                self.name,
                appended.receipts.len()
            )));
        }
        let mut taken = Taken::default();
        for (index, receipt) in appended.receipts.into_iter().enumerate() {
            if receipt.outcome.is_for_now()
                && let Outcome::Refused(message) = &receipt.outcome
            {
                return Err(DestinationError::Away {
                    message: format!("{}: {message}", self.name),
                    retry_after: Some(FULL_WAIT),
                });
            }
            match receipt.outcome {
                Outcome::Appended => taken.appended += 1,
                Outcome::Duplicate => taken.duplicates += 1,
                Outcome::Refused(message) => taken.refused.push(Refusal {
                    index,
                    code: "refused".to_owned(),
                    message,
                }),
            }
        }
        Ok(taken)
    }

    async fn last_seqs(
        &self,
        sources: &[SourceName],
    ) -> Result<Vec<SequenceState>, DestinationError> {
        let mut states = self.log.sequences().await?;
        states.retain(|state| sources.contains(&state.source));
        Ok(states)
    }

    async fn claim(
        &self,
        sources: &[SourceName],
        take_over: bool,
    ) -> Result<Vec<ForeignSource>, DestinationError> {
        match &self.claims {
            Some(claims) => claims.claim(&self.agent, sources, take_over).await,
            None => Ok(Vec::new()),
        }
    }
}
