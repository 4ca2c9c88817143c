//! The one thread that writes the file.

use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rusqlite::{Connection, params};
use schemas::Timestamp;
use tracing::{debug, error, warn};

use super::{
    error::Fault,
    key,
    load::{count, fields_to_json, labels_to_json},
    options::Options,
    place::Place,
    purge,
    state::{Flush, Requests, State, Totals, number},
};
use crate::WriteError;

/// What the writer and the readers share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// The file.
    pub(super) path: PathBuf,
    /// The file, to be shown.
    pub(super) shown: String,
    /// How the store behaves.
    pub(super) options: Options,
}

impl Shared {
    /// Shares a state.
    pub(super) fn new(state: State, path: PathBuf, options: Options) -> Self {
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            shown: path.display().to_string(),
            path,
            options,
        }
    }

    /// The state, for a moment.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks something of the writer.
    pub(super) fn ask(&self, ask: impl FnOnce(&mut Requests)) {
        ask(&mut self.lock().requests);
        self.wake();
    }

    /// Lets the writer see what was asked of it.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    fn next_requests(&self) -> Requests {
        let mut state = self.lock();
        loop {
            state = match state.rest(self.options.flush_age) {
                Some(rest) if rest.is_zero() => return std::mem::take(&mut state.requests),
                Some(rest) => {
                    self.wake
                        .wait_timeout(state, rest)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// Writes until it is told to stop.
pub(super) fn run(mut conn: Connection, shared: &Arc<Shared>) {
    loop {
        let requests = shared.next_requests();
        if !requests.stop || !requests.flushes.is_empty() {
            let flushed = flush_all(&mut conn, shared);
            for waiting in requests.flushes {
                // who does not wait any more needs no answer
                drop(waiting.send(flushed.clone()));
            }
        }
        for (before, waiting) in requests.trims {
            drop(waiting.send(trim(&mut conn, shared, before)));
        }
        for (source, waiting) in requests.purges {
            // what is being written stands in the way of forgetting
            let flushed = flush_all(&mut conn, shared);
            let purged = flushed.and_then(|()| purge::run(&mut conn, shared, &source));
            drop(waiting.send(purged));
        }
        if requests.stop {
            return;
        }
    }
}

fn flush_all(conn: &mut Connection, shared: &Shared) -> Result<(), WriteError> {
    let metrics = &shared.options.metrics;
    let mut wrote = false;
    // what was refused before, then what is open now; what comes meanwhile waits for the next time
    for _ in 0..2 {
        let (flush, again) = {
            let mut state = shared.lock();
            if let Some(end @ WriteError::Failed { .. }) = &state.end {
                return Err(end.clone());
            }
            (state.take(), state.was_refused())
        };
        let Some(flush) = flush else { break };
        let begun = Instant::now();
        match write(conn, &flush, shared) {
            Ok(totals) => {
                let mut state = shared.lock();
                state.flushed(&flush, totals);
                let open = state.load();
                drop(state);
                wrote = true;
                metrics.flushes.inc();
                metrics.flush_seconds.observe(begun.elapsed().as_secs_f64());
                metrics.open_points.set(number(open.points));
                metrics.open_bytes.set(number(open.bytes));
                debug!(
                    entities = flush.entities.len(),
                    seconds = begun.elapsed().as_secs_f64(),
                    "points are on disk"
                );
            }
            Err(fault) => {
                let refused = fault.of_write(&shared.shown);
                metrics.flush_errors.inc();
                shared.lock().refused(&refused);
                if refused.is_transient() {
                    warn!("points stay in memory: {refused}");
                } else {
                    error!("points cannot be written: {refused}");
                }
                return Err(refused);
            }
        }
        if !again {
            break;
        }
    }
    if wrote {
        checkpoint(conn, shared);
    }
    Ok(())
}

fn write(conn: &mut Connection, flush: &Flush, shared: &Shared) -> Result<Totals, Fault> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let (mut points, mut samples, mut late) = (0, 0, 0);
    for (_, entity) in &flush.entities {
        tx.prepare_cached(
            "INSERT INTO entities (id, key, source, type, kind, agent, labels, last_time, fields)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, agent = excluded.agent, labels = excluded.labels,
               last_time = excluded.last_time, fields = excluded.fields",
        )?
        .execute(params![
            entity.id,
            entity.key.to_string(),
            entity.key.source.as_str(),
            entity.key.entity_type.as_str(),
            entity.origin.kind.as_str(),
            entity.origin.agent.as_ref().map(AsRef::<str>::as_ref),
            labels_to_json(&entity.origin.labels),
            entity.last_time,
            fields_to_json(&entity.fields),
        ])?;
        if let Some(chunk) = &entity.flushing {
            let change = Place::write(&tx, entity, chunk, shared.options.chunk_points)?;
            points += change.points;
            samples += change.samples;
            late += change.late;
        }
    }
    for (entity_type, field, value_type) in &flush.types {
        tx.prepare_cached("INSERT OR IGNORE INTO field_types VALUES (?1, ?2, ?3)")?
            .execute(params![
                entity_type.as_str(),
                field.as_str(),
                value_type.as_str()
            ])?;
    }
    let totals = tx.query_row(
        "UPDATE meta SET position = ?1, generation = ?2, points = points + ?3, samples = samples + ?4 WHERE id = 1
         RETURNING points, samples, trimmed_before",
        params![
            flush.position.as_ref().map(ToString::to_string),
            flush.generation,
            points,
            samples
        ],
        totals,
    )?;
    tx.commit()?;
    shared.options.metrics.late_points.inc_by(late);
    Ok(totals)
}

pub(super) fn totals(row: &rusqlite::Row<'_>) -> rusqlite::Result<Totals> {
    Ok(Totals {
        points: count(row, 0)?,
        samples: count(row, 1)?,
        trimmed_before: row.get(2)?,
    })
}

fn trim(conn: &mut Connection, shared: &Shared, before: Timestamp) -> Result<u64, WriteError> {
    let ids: Vec<i64> = {
        let state = shared.lock();
        if let Some(end @ WriteError::Failed { .. }) = &state.end {
            return Err(end.clone());
        }
        state
            .select(&crate::Selection::default())
            .into_iter()
            .map(|entity| entity.id)
            .collect()
    };
    let before = before.as_millis();
    let (points, totals) =
        remove(conn, &ids, before).map_err(|fault| fault.of_write(&shared.shown))?;
    shared.lock().disk = totals;
    if points > 0 {
        vacuum(conn, shared);
        checkpoint(conn, shared);
    }
    Ok(points)
}

fn remove(conn: &mut Connection, ids: &[i64], before: i64) -> Result<(u64, Totals), Fault> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let (mut points, mut samples) = (0_i64, 0_i64);
    for &id in ids {
        let bounds = params![key::lowest(id), key::of(id, before), before];
        let (p, s): (i64, i64) = tx
            .prepare_cached(
                "SELECT coalesce(sum(points), 0), coalesce(sum(samples), 0) FROM chunks
                 WHERE id >= ?1 AND id < ?2 AND last_time < ?3",
            )?
            .query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?;
        if p > 0 {
            tx.prepare_cached("DELETE FROM chunks WHERE id >= ?1 AND id < ?2 AND last_time < ?3")?
                .execute(bounds)?;
        }
        points += p;
        samples += s;
    }
    let totals = tx.query_row(
        "UPDATE meta SET points = points - ?1, samples = samples - ?2,
           trimmed_before = max(coalesce(trimmed_before, ?3), ?3) WHERE id = 1
         RETURNING points, samples, trimmed_before",
        params![points, samples, before],
        totals,
    )?;
    tx.commit()?;
    Ok((u64::try_from(points).unwrap_or(0), totals))
}

/// Gives free pages back to the disk. Nothing depends on it, so that a failure is only told.
pub(super) fn vacuum(conn: &Connection, shared: &Shared) {
    let vacuumed = conn.prepare("PRAGMA incremental_vacuum").and_then(|mut s| {
        let mut rows = s.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    });
    if let Err(error) = vacuumed {
        warn!(path = %shared.shown, %error, "free pages stay in the file: {error}");
    }
}

/// Brings the write-ahead log into the file, after everybody has their answer. Nothing depends on it.
fn checkpoint(conn: &Connection, shared: &Shared) {
    if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        warn!(path = %shared.shown, %error, "the write-ahead log stays as it is: {error}");
    }
    if let Ok(file) = std::fs::metadata(&shared.path) {
        let bytes = i64::try_from(file.len()).unwrap_or(i64::MAX);
        shared.options.metrics.disk_bytes.set(bytes);
    }
}
