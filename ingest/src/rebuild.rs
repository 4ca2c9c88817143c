use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use event_log::{Batch, EventLog, Filter, ReadQuery, Record};
use schemas::{Catalog, Position, limits};
use time_series::{Selection, TimeSeries, WriteBatch, WriteError};
use tokio_util::sync::CancellationToken;

use crate::{
    batch::{project_all, refused_letters},
    known::KnownEntities,
    patience::{Pace, Patience},
    project::Limits,
    purge::{self, Split},
};

/// Events of one write.
const BATCH: usize = 5_000;

/// What a store is filled from, and with what.
pub struct Rebuild<'a> {
    /// The log that is read; nothing is written to it.
    pub log: &'a dyn EventLog,
    /// The store that is filled.
    pub store: &'a dyn TimeSeries,
    /// Types of fields.
    pub catalog: &'a Catalog,
    /// What the store takes.
    pub limits: Limits,
    /// Which events.
    pub filter: Filter,
    /// Whether a store that holds something goes on from its position; else it is refused.
    pub resume: bool,
    /// How soon a write is tried again that may succeed later.
    pub pace: Pace,
}

/// How far it is.
#[derive(Clone, PartialEq, Debug)]
pub struct Progress {
    /// Everything before it is in the store.
    pub position: Position,
    /// Entries of the log that were passed.
    pub passed: u64,
    /// About how many there are to pass.
    pub of: u64,
    /// Points that were written.
    pub points: u64,
}

/// What was done.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rebuilt {
    /// Events that were wanted.
    pub events: u64,
    /// Points that were written.
    pub points: u64,
    /// What could not be used, by reason; a live ingest would put it aside.
    pub unused: BTreeMap<String, u64>,
    /// The first message of each reason.
    pub examples: BTreeMap<String, String>,
    /// Whether it ran to the end that the log had at its start.
    pub complete: bool,
}

/// Reads a log from its beginning to the end that it has now and writes the points to a store, with the position: a run that
/// was stopped or failed goes on where it was.
///
/// # Errors
/// The store holds something and `resume` is not asked for, the position is not in the log any more, or one of both fails in
/// a way that trying again does not mend.
pub async fn rebuild(
    with: &Rebuild<'_>,
    stop: &CancellationToken,
    mut progress: impl FnMut(&Progress),
) -> anyhow::Result<Rebuilt> {
    let bounds = with.log.bounds().await.context("bounds of the event log")?;
    let there = with
        .store
        .position()
        .await
        .context("position of the store")?;
    let start = match there {
        Some(position) => {
            ensure!(
                with.resume,
                "the store holds something already, up to position {position}: name an empty one, or resume"
            );
            ensure!(
                position.reaches(&bounds.oldest) && bounds.newest.reaches(&position),
                "the store's position {position} is not in this log: it was filled from another, or the log does not reach back far enough"
            );
            position
        }
        None => with.first(&bounds.oldest).await?,
    };
    let mut run = Run::open(with, start.clone()).await?;
    let of = bounds.newest.events_since(&start);
    let mut batch = run.read().await?;
    loop {
        let position = batch.next.clone();
        let last = batch.at_end || position.reaches(&bounds.newest);
        // the next is read while this one is written
        let (next, written) = tokio::join!(
            async {
                if last {
                    Ok(None)
                } else {
                    with.read(&position).await.map(Some)
                }
            },
            run.write(batch, stop)
        );
        if !written? {
            return Ok(run.done);
        }
        progress(&Progress {
            passed: run.position.events_since(&start),
            position: run.position.clone(),
            of,
            points: run.done.points,
        });
        match next? {
            None => break,
            Some(_) if stop.is_cancelled() => return Ok(run.done),
            Some(next) => batch = next,
        }
    }
    with.store.flush().await.context("flush the store")?;
    run.done.complete = true;
    Ok(run.done)
}

impl Rebuild<'_> {
    /// Where events that are wanted can begin.
    async fn first(&self, oldest: &Position) -> anyhow::Result<Position> {
        match self.filter.from {
            // a clock that is ahead puts an event's time after the time at which it was logged
            Some(from) => Ok(self
                .log
                .seek(from.plus_millis(-limits::FUTURE_SKEW_MS))
                .await?),
            None => Ok(oldest.clone()),
        }
    }

    async fn read(&self, from: &Position) -> anyhow::Result<Batch> {
        let query = ReadQuery {
            filter: self.filter.clone(),
            limit: BATCH,
        };
        self.log
            .read(from, &query)
            .await
            .context("read the event log")
    }
}

struct Run<'a> {
    with: &'a Rebuild<'a>,
    known: KnownEntities,
    position: Position,
    done: Rebuilt,
}

impl<'a> Run<'a> {
    async fn open(with: &'a Rebuild<'a>, position: Position) -> anyhow::Result<Self> {
        let mut known = KnownEntities::default();
        let all = Selection::default();
        let state = with.store.state(&all, None).await;
        known.take_over(state.context("known entities")?.entities);
        let types = with.store.field_types().await.context("known fields")?;
        with.catalog.register_all(types);
        Ok(Self {
            with,
            known,
            position,
            done: Rebuilt::default(),
        })
    }

    async fn read(&self) -> anyhow::Result<Batch> {
        self.with.read(&self.position).await
    }

    /// Writes what was read; false if it was stopped. Where a record marks a purge, what came before it is written, then its
    /// source goes from the store.
    async fn write(&mut self, batch: Batch, stop: &CancellationToken) -> anyhow::Result<bool> {
        let mut rest = &*batch.records;
        let mut reached = self.position.clone();
        while let Some(Split {
            before,
            mark,
            source,
            after,
            behind,
        }) = purge::split(rest, &reached)
        {
            if !self.write_records(before, mark, stop).await? {
                return Ok(false);
            }
            let mut patience = Patience::new(self.with.pace);
            let purged = loop {
                match self.with.store.purge(source).await {
                    Ok(purged) => break purged,
                    Err(e) if !again(&e, &mut patience, stop).await => {
                        return stopped(e, "purge a source from the store");
                    }
                    Err(_) => {}
                }
            };
            purge::tell(source, &purged);
            self.known.forget(source);
            self.done.events += 1;
            (rest, reached) = (after, behind);
        }
        self.write_records(rest, batch.next, stop).await
    }

    async fn write_records(
        &mut self,
        records: &[Record],
        position: Position,
        stop: &CancellationToken,
    ) -> anyhow::Result<bool> {
        let made = project_all(
            records,
            self.with.catalog,
            &mut self.known,
            &self.with.limits,
        );
        let points = made.points.len() as u64;
        let write = WriteBatch {
            points: made.points,
            position,
        };
        let mut patience = Patience::new(self.with.pace);
        let written = loop {
            match self.with.store.write(write.clone()).await {
                Ok(written) => break written,
                Err(e) if !again(&e, &mut patience, stop).await => {
                    return stopped(e, "write to the store");
                }
                Err(_) => {}
            }
        };
        let refused = refused_letters(records, &made.origins, &written.refused);
        self.done.events += records.len() as u64;
        self.done.points += points.saturating_sub(refused.len() as u64);
        for letter in made.letters.into_iter().chain(refused) {
            *self.done.unused.entry(letter.reason.clone()).or_default() += 1;
            self.done
                .examples
                .entry(letter.reason)
                .or_insert(letter.message);
        }
        self.position = write.position;
        Ok(true)
    }
}

/// Waits before a write is tried again that may succeed later; false if it may not, or if it was stopped meanwhile.
async fn again(error: &WriteError, patience: &mut Patience, stop: &CancellationToken) -> bool {
    if !error.is_transient() {
        return false;
    }
    tracing::warn!("the store cannot take it now, will try again: {error}");
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(patience.next(true)) => true,
    }
}

/// What a write that is not tried again means: the end if it was stopped, else an error.
fn stopped(error: WriteError, what: &'static str) -> anyhow::Result<bool> {
    if error.is_transient() {
        return Ok(false);
    }
    Err(error).context(what)
}
