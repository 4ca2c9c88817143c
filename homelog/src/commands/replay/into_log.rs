//! Into an empty log: events keep their time and identity.

use std::sync::Arc;

use event_log::{Body, EventLog, ReadError};
use prometheus_client::registry::Registry;

use super::{Replay, copying::append, state::State, target::Target};
use crate::{
    adapters::{self, Patience},
    commands::{progress, user::say},
    outcome::Failure,
    roles::Signals,
};

pub(super) async fn run(
    replay: &Replay,
    target: &Target,
    state: Option<State>,
) -> Result<(), Failure> {
    let opener = adapters::log::Opener::new(
        &target.config,
        target.data.as_deref(),
        &mut Registry::default(),
    )?;
    let log = opener.open(&target.supervisor, Patience::Once).await?;
    let outcome = fill(replay, target, &*log.events, state).await;
    log.events.close().await?;
    outcome
}

async fn fill(
    replay: &Replay,
    target: &Target,
    into: &dyn EventLog,
    state: Option<State>,
) -> Result<(), Failure> {
    let mut state = if let Some(state) = state {
        state
    } else {
        let there = into.bounds().await?.events;
        if there > 0 {
            return Err(anyhow::anyhow!(
                    "the log in {} is not empty, it holds {there} events: name an empty one with --target",
                    target.name
                )
                .into());
        }
        let state = State::begin(&replay.filter, replay.start().await?);
        target.state.write(&state)?;
        state
    };
    let end = replay.log.bounds().await?.newest;
    let bar = progress::bar(end.events_since(&state.position), "replay");
    let mut signals = Signals::new()?;
    let query = replay.query();
    let mut left_out = 0_u64;
    loop {
        let read = tokio::select! {
            read = replay.log.read(&state.position, &query) => read,
            _ = signals.recv() => {
                bar.finish_and_clear();
                return Err(anyhow::anyhow!(
                    "stopped after {} events: the same command goes on from there",
                    state.events
                )
                .into());
            }
        };
        let batch = match read {
            Ok(batch) => batch,
            Err(ReadError::PositionGone { oldest, .. }) if !state.position.reaches(&oldest) => {
                eprintln!("homelog: events up to {oldest} were dropped by retention meanwhile");
                state.position = oldest;
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        let mut drafts = Vec::with_capacity(batch.records.len());
        for record in batch.records {
            match record.body {
                Body::Event(event) => drafts.push(Arc::unwrap_or_clone(event).into_draft()),
                Body::Unreadable { .. } => left_out += 1,
            }
        }
        if !drafts.is_empty() {
            let (taken, refused) = append(into, drafts).await?;
            state.events += taken;
            left_out += refused;
        }
        bar.inc(batch.next.events_since(&state.position));
        state.position = batch.next;
        state.complete = batch.at_end;
        target.state.write(&state)?;
        if batch.at_end {
            break;
        }
    }
    bar.finish_and_clear();
    say(&format!("{} events are in {}", state.events, target.name))?;
    if left_out > 0 {
        return Err(anyhow::anyhow!(
            "{left_out} entries of the log could not be used and were left out: `homelog verify` names them"
        )
        .into());
    }
    Ok(())
}
