//! What a partition waits for. Everything here but a write goes on until it has succeeded.

use std::{fmt, sync::Arc};

use event_log::{AppendError, DeadLetter};
use schemas::SourceName;
use time_series::{EntityState, QueryError, Selection, WriteError, Written};
use tokio::time::Instant;
use tracing::warn;

use super::{FleetServices, lane::seconds, loss};
use crate::{batch::Projected, health::Teller, patience::Patience, purge::tell};

/// What every partition of a worker works with.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) services: Arc<FleetServices>,
    pub(super) teller: Arc<Teller>,
}

/// What ended.
pub(super) enum Step {
    /// What had to end first did.
    Woke,
    /// A batch has waited long enough for more.
    Due(u64),
    /// What the store holds of some sources.
    Warmed(Vec<(SourceName, Vec<EntityState>)>),
    /// A write.
    Written(Sent),
    /// The store's types were asked because it refused something; whether some were other than was believed.
    TypesLearned { sent: Sent, changed: bool },
    /// What the store refused is put aside.
    RefusedPut { serial: u64 },
    /// A loss is told, and the store stands behind it.
    LossTold { to: u64 },
    /// A source is purged, and the store stands behind the mark.
    Purged { source: SourceName, next: u64 },
}

/// A write that came back.
pub(super) struct Sent {
    pub(super) serial: u64,
    pub(super) result: Result<Written, WriteError>,
    /// For each point, the index of its record.
    pub(super) origins: Vec<u32>,
    pub(super) seconds: f64,
}

/// Sends points to the store, once.
pub(super) async fn write(
    tools: Tools,
    made: Projected,
    partition: usize,
    next: u64,
    serial: u64,
) -> Step {
    let begun = Instant::now();
    let points = made.points.len() as u64;
    let result = tools
        .services
        .store
        .write_partition(made.points, partition, next)
        .await;
    if let Ok(written) = &result {
        let taken = points.saturating_sub(written.refused.len() as u64);
        tools.services.metrics.points.inc_by(taken);
    }
    Step::Written(Sent {
        serial,
        result,
        origins: made.origins,
        seconds: seconds(begun),
    })
}

/// Asks the store what it holds of sources.
pub(super) async fn warm(tools: Tools, sources: Vec<SourceName>) -> Step {
    let mut warmed = Vec::with_capacity(sources.len());
    for source in sources {
        let selection = Selection {
            sources: vec![source.clone()],
            ..Selection::default()
        };
        let entities = until_done(&tools, "read what the store knows", || async {
            match tools.services.store.state(&selection, None).await {
                Err(e @ QueryError::TooLarge { .. }) => {
                    warn!(source = %source, "source `{source}` has more entities than can be known: {e}");
                    Ok(Vec::new())
                }
                other => other.map(|state| state.entities),
            }
        })
        .await;
        warmed.push((source, entities));
    }
    Step::Warmed(warmed)
}

/// Puts letters aside.
pub(super) async fn put_aside(tools: Tools, letters: Vec<DeadLetter>) {
    until_done(&tools, "put dead letters aside", || {
        tools.services.log.put_dead_letters(letters.clone())
    })
    .await;
}

/// Takes over the types of fields that the store knows. Returns whether some were other than was believed.
pub(super) async fn learn_types(tools: &Tools) -> Result<bool, QueryError> {
    let mut changed = false;
    let services = &tools.services;
    for (entity_type, field, value) in services.store.field_types().await? {
        changed |= services.catalog.correct(&entity_type, &field, value);
    }
    Ok(changed)
}

/// Asks for the store's types because of what it refused.
pub(super) async fn learn_types_for(tools: Tools, sent: Sent) -> Step {
    let changed = until_done(&tools, "read the types of fields", || learn_types(&tools)).await;
    Step::TypesLearned { sent, changed }
}

/// Tells a loss, then moves the store behind it.
pub(super) async fn tell_loss(tools: Tools, partition: usize, from: u64, to: u64) -> Step {
    loss::tell(&tools, partition, from, to).await;
    Step::LossTold { to }
}

/// Drops a source from the store, then moves the store behind the mark: a crash in between drops it again.
pub(super) async fn purge(tools: Tools, partition: usize, source: SourceName, next: u64) -> Step {
    let store = &tools.services.store;
    let purged = until_done(&tools, "purge a source", || store.purge(&source)).await;
    tell(&source, &purged);
    until_done(&tools, "move the store behind a purge", || {
        store.write_partition(Vec::new(), partition, next)
    })
    .await;
    Step::Purged { source, next }
}

/// Whether a failure is expected to pass by itself.
pub(super) trait Passes: fmt::Display {
    fn passes(&self) -> bool;
}

impl Passes for AppendError {
    fn passes(&self) -> bool {
        self.is_transient()
    }
}

impl Passes for WriteError {
    fn passes(&self) -> bool {
        !self.needs_a_person()
    }
}

impl Passes for QueryError {
    fn passes(&self) -> bool {
        true
    }
}

/// Tries until it succeeds.
pub(super) async fn until_done<T, E: Passes, F: Future<Output = Result<T, E>>>(
    tools: &Tools,
    what: &'static str,
    attempt: impl Fn() -> F,
) -> T {
    let mut patience = Patience::new(tools.services.options.pace);
    loop {
        match attempt().await {
            Ok(done) => {
                tools.teller.worked();
                return done;
            }
            Err(e) => {
                let passes = e.passes();
                tools.teller.failed(what, &e, passes);
                tools.services.metrics.retries.inc();
                tokio::time::sleep(patience.next(passes)).await;
            }
        }
    }
}
