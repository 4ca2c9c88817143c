//! Into an empty store, as ingest would have filled it.

use std::cell::RefCell;

use ingest::{Limits, Pace, Rebuild, rebuild};
use prometheus_client::registry::Registry;
use schemas::Catalog;
use time_series::TimeSeries;
use tokio_util::sync::CancellationToken;

use super::{Replay, state::State, target::Target};
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
    let opener = adapters::store::Opener::new(
        &target.config,
        target.data.as_deref(),
        &mut Registry::default(),
    )?;
    let store = opener.open(&target.supervisor, Patience::Once).await?;
    let outcome = fill(replay, target, &*store.series, state).await;
    store.series.close().await?;
    outcome
}

async fn fill(
    replay: &Replay,
    target: &Target,
    into: &dyn TimeSeries,
    state: Option<State>,
) -> Result<(), Failure> {
    let resume = state.is_some();
    let mut state = if let Some(state) = state {
        state
    } else {
        // points can be there without a position, after a move
        if into.position().await?.is_some() || into.stats().await?.points > 0 {
            return Err(anyhow::anyhow!(
                "the store in {} is not empty: name an empty one with --target",
                target.name
            )
            .into());
        }
        let state = State::begin(&replay.filter, replay.start().await?);
        target.state.write(&state)?;
        state
    };
    let catalog = Catalog::new(collector::catalog());
    let with = Rebuild {
        log: &replay.log,
        store: into,
        catalog: &catalog,
        limits: Limits {
            unsigned: into.capabilities().unsigned,
            ..Limits::default()
        },
        filter: replay.filter.clone(),
        resume,
        pace: Pace::default(),
    };
    let stop = CancellationToken::new();
    let bar = RefCell::new(None);
    let filling = rebuild(&with, &stop, |progress| {
        bar.borrow_mut()
            .get_or_insert_with(|| progress::bar(progress.of, "replay"))
            .set_position(progress.passed);
    });
    let mut filling = std::pin::pin!(filling);
    let mut signals = Signals::new()?;
    let ended = tokio::select! {
        ended = &mut filling => ended,
        _ = signals.recv() => {
            stop.cancel();
            // a read that waits for its time would not see the stop
            tokio::time::timeout(std::time::Duration::from_secs(3), filling)
                .await
                .unwrap_or_else(|_| Ok(ingest::Rebuilt::default()))
        }
    };
    if let Some(bar) = bar.take() {
        bar.finish_and_clear();
    }
    let rebuilt = ended?;
    for (reason, count) in &rebuilt.unused {
        let example = rebuilt.examples.get(reason).map_or("", String::as_str);
        eprintln!("homelog: {count} values could not be used ({reason}): {example}");
    }
    state.events += rebuilt.events;
    if !rebuilt.complete {
        into.flush().await?;
        target.state.write(&state)?;
        return Err(anyhow::anyhow!(
            "stopped after {} events: the same command goes on from there",
            state.events
        )
        .into());
    }
    state.complete = true;
    target.state.write(&state)?;
    say(&format!(
        "{} events are in {} as {} points",
        state.events, target.name, rebuilt.points
    ))
}
