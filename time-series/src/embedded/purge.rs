//! Everything of one source goes: chunks, newest values, entities.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use schemas::SourceName;
use tracing::warn;

use super::{
    error::Fault,
    key, schema,
    state::{State, Totals},
    writer::{Shared, totals, vacuum},
};
use crate::WriteError;

/// Chunks that go in one transaction.
const STEP: i64 = 256;

/// What is counted of a source: the numbers of its entities, and its points in memory.
#[derive(Debug)]
pub(super) struct Held {
    ids: Vec<i64>,
    open: u64,
}

/// Takes what memory knows of a source.
pub(super) fn take(state: &State, source: &SourceName) -> Held {
    let selection = crate::Selection {
        sources: vec![source.clone()],
        ..crate::Selection::default()
    };
    let entities = state.select(&selection);
    let in_memory = entities.iter().flat_map(|entity| entity.in_memory());
    Held {
        open: in_memory.map(|chunk| chunk.len() as u64).sum(),
        ids: entities.iter().map(|entity| entity.id).collect(),
    }
}

/// Counts the points of a source; one that is in memory and on disk is counted twice.
pub(super) fn count(conn: &Connection, held: &Held) -> Result<u64, Fault> {
    let mut points = held.open;
    let mut statement = conn
        .prepare_cached("SELECT coalesce(sum(points), 0) FROM chunks WHERE id BETWEEN ?1 AND ?2")?;
    for &id in &held.ids {
        let there: i64 =
            statement.query_row([key::lowest(id), key::highest(id)], |row| row.get(0))?;
        points += u64::try_from(there).unwrap_or(0);
    }
    Ok(points)
}

/// Drops everything of a source, after what was open is on disk. Returns how many points went.
pub(super) fn run(
    conn: &mut Connection,
    shared: &Shared,
    source: &SourceName,
) -> Result<u64, WriteError> {
    purge(conn, shared, source).map_err(|fault| fault.of_write(&shared.shown))
}

fn purge(conn: &mut Connection, shared: &Shared, source: &SourceName) -> Result<u64, Fault> {
    overwrite_what_was_freed(conn, shared)?;
    let ids = take(&shared.lock(), source).ids;
    let mut points = 0;
    for id in ids {
        while let Some((gone, totals)) = remove(conn, id)? {
            points += gone;
            shared.lock().disk = totals;
        }
    }
    {
        // a reader finds memory and disk as they were before or after, never one of each
        let mut state = shared.lock();
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute("DELETE FROM entities WHERE source = ?1", [source.as_str()])?;
        tx.execute(
            "UPDATE meta SET generation = ?1 WHERE id = 1",
            [state.generation()],
        )?;
        tx.commit()?;
        points += state.forget(source);
    }
    vacuum(conn, shared);
    // what the write-ahead log held of it goes, too
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        warn!(
            path = %shared.shown,
            "a reader holds the write-ahead log of the time-series store back, the next start takes it in"
        );
    }
    Ok(points)
}

/// Removes some chunks of an entity; none if there are none.
fn remove(conn: &mut Connection, id: i64) -> Result<Option<(u64, Totals)>, Fault> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let bounds = params![key::lowest(id), key::highest(id), STEP];
    let found: Option<(i64, i64, i64)> = tx
        .prepare_cached(
            "SELECT max(id), sum(points), sum(samples) FROM (
                 SELECT id, points, samples FROM chunks WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3
             ) HAVING count(*) > 0",
        )?
        .query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((last, points, samples)) = found else {
        return Ok(None);
    };
    tx.prepare_cached("DELETE FROM chunks WHERE id BETWEEN ?1 AND ?2")?
        .execute([key::lowest(id), last])?;
    let totals = tx.query_row(
        "UPDATE meta SET points = points - ?1, samples = samples - ?2 WHERE id = 1
         RETURNING points, samples, trimmed_before",
        [points, samples],
        totals,
    )?;
    tx.commit()?;
    Ok(Some((u64::try_from(points).unwrap_or(0), totals)))
}

/// Earlier releases did not overwrite what they freed: such a file is rewritten once. Where there is no room for that, what is
/// to go goes nevertheless, and the next purge tries it again.
fn overwrite_what_was_freed(conn: &Connection, shared: &Shared) -> Result<(), Fault> {
    if schema::is_current(conn)? {
        return Ok(());
    }
    match conn.execute_batch("VACUUM;") {
        Ok(()) => schema::make_current(conn)?,
        Err(error) => warn!(
            path = %shared.shown, %error,
            "the time-series store cannot be rewritten, so that traces of what was purged may be left in pages that an earlier release freed: free as much space as the file takes and purge again"
        ),
    }
    Ok(())
}
