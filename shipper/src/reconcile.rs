//! What is asked of the destination before anything is sent.

use std::collections::{BTreeSet, HashSet};

use event_log::{DestinationError, EventLog, ForeignSource, SequenceState};
use schemas::SourceName;

use crate::{Services, known::Known};

/// Most sources of one claim.
const TOGETHER: usize = 500;
/// Most dead letters of one read.
const LETTERS: usize = 200;

/// What both sides have.
pub(crate) struct Reconciled {
    pub(crate) sources: Vec<SourceName>,
    /// Of the spool.
    pub(crate) states: Vec<SequenceState>,
    /// Of the destination.
    pub(crate) known: Known,
    /// Where the spool begins.
    pub(crate) oldest: u64,
}

impl Reconciled {
    /// Whether the destination has more of a sequence than the spool: then the spool would give fresh events the identities
    /// of others, and they would be taken for duplicates.
    pub(crate) fn older(&self, destination: &str) -> Option<String> {
        let (state, there) = self.states.iter().find_map(|state| {
            let there = self.known.last(&state.source, &state.epoch);
            (there > state.last_seq).then_some((state, there))
        })?;
        Some(format!(
            "the spool is older than what was shipped from it: of source `{}` {destination} has seq {there}, the spool ends at {}. \
             It was restored from a copy: move it away, so that a new one begins with an epoch of its own",
            state.source, state.last_seq
        ))
    }
}

/// Claims every source of the spool and reads back what the destination has of them.
pub(crate) async fn reconcile(
    services: Services,
    take_over: bool,
) -> Result<Reconciled, DestinationError> {
    let spool = &services.spool;
    let states = spool.sequences().await?;
    let sources: BTreeSet<_> = states.iter().map(|state| state.source.clone()).collect();
    let sources: Vec<_> = sources.into_iter().collect();
    claim(&services, &sources, take_over).await?;
    let known = services.destination.last_seqs(&sources).await?;
    Ok(Reconciled {
        sources,
        states,
        known: Known::new(known),
        oldest: spool.bounds().await?.oldest.offset(0),
    })
}

/// Claims sources.
///
/// # Errors
/// Another agent has one of them.
pub(crate) async fn claim(
    services: &Services,
    sources: &[SourceName],
    take_over: bool,
) -> Result<(), DestinationError> {
    for sources in sources.chunks(TOGETHER) {
        let foreign = services.destination.claim(sources, take_over).await?;
        if let Some(ForeignSource { source, owner }) = foreign.first() {
            let more = match foreign.len() {
                1 => String::new(),
                count => format!(" (and {} more)", count - 1),
            };
            return Err(DestinationError::Claimed {
                message: format!(
                    "source `{source}`{more} belongs to agent `{owner}` at {}: rename it in this agent's configuration, \
                     or start once with --take-over if this machine replaces `{owner}`",
                    services.destination.name()
                ),
            });
        }
    }
    Ok(())
}

/// Offsets of the spool that are dead letters.
pub(crate) async fn letters(spool: &dyn EventLog) -> Result<HashSet<u64>, DestinationError> {
    let mut offsets = HashSet::new();
    let mut skip = 0;
    loop {
        let letters = spool.dead_letters(skip, LETTERS).await?;
        skip += letters.len() as u64;
        let is_last = letters.len() < LETTERS;
        offsets.extend(letters.into_iter().map(|letter| letter.offset));
        if is_last {
            return Ok(offsets);
        }
    }
}
