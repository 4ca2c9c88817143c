//! Events, with the identity that they have.

use std::sync::Arc;

use event_log::{Body, EventLog, Filter, ReadQuery};

use super::state::State;
use crate::{
    commands::{progress, replay::copying::append, state_file::StateFile, user::say},
    outcome::Failure,
};

const BATCH: usize = 2_000;

/// Copies what is not there yet.
pub(super) async fn copy(
    here: &dyn EventLog,
    there: &dyn EventLog,
    file: &StateFile,
    state: &mut State,
) -> Result<(), Failure> {
    let bounds = here.bounds().await?;
    let mut position = if let Some(position) = &state.events_before {
        position.clone()
    } else {
        let events = there.bounds().await?.events;
        if events > 0 {
            return Err(anyhow::anyhow!(
                    "the log that is moved to is not empty, it holds {events} events: name other `topics` in [log]"
                )
                .into());
        }
        state.events_before = Some(bounds.oldest.clone());
        file.write(state)?;
        bounds.oldest.clone()
    };
    let bar = progress::bar(bounds.newest.events_since(&position), "events");
    let query = ReadQuery {
        filter: Filter::default(),
        limit: BATCH,
    };
    let (mut copied, mut left_out) = (0_u64, 0_u64);
    loop {
        let batch = here.read(&position, &query).await?;
        let mut drafts = Vec::with_capacity(batch.records.len());
        for record in batch.records {
            match record.body {
                Body::Event(event) => drafts.push(Arc::unwrap_or_clone(event).into_draft()),
                Body::Unreadable { .. } => left_out += 1,
            }
        }
        if !drafts.is_empty() {
            let (taken, refused) = append(there, drafts).await?;
            copied += taken;
            left_out += refused;
        }
        bar.inc(batch.next.events_since(&position));
        position = batch.next;
        state.events_before = Some(position.clone());
        file.write(state)?;
        if batch.at_end {
            break;
        }
    }
    bar.finish_and_clear();
    if left_out > 0 {
        eprintln!(
            "homelog: {left_out} entries of the log could not be moved: `homelog verify` names those that cannot be read"
        );
    }
    let letters = here.dead_letter_count().await?;
    if letters > 0 {
        eprintln!(
            "homelog: {letters} dead letters stay in the directory: `homelog dead-letters list` shows them"
        );
    }
    say(&format!("events: {copied} were copied"))
}
