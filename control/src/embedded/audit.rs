use rusqlite::{Connection, Row, Transaction, params};

use super::{Work, time};
use crate::{AuditEntry, StoreError, limits};

pub(super) fn record(t: &Transaction<'_>, entry: &AuditEntry) -> Work<(), StoreError> {
    t.execute(
        "INSERT INTO audit (time, actor, action, target, origin, done) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            entry.time.as_millis(),
            entry.actor,
            entry.action,
            entry.target,
            entry.from,
            entry.done,
        ],
    )?;
    t.execute(
        "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1",
        [limits::AUDIT_ENTRIES],
    )?;
    Ok(())
}

pub(super) fn newest(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<AuditEntry>> {
    let limit = i64::try_from(limit).unwrap_or(limits::AUDIT_ENTRIES);
    connection
        .prepare_cached("SELECT * FROM audit ORDER BY id DESC LIMIT ?1")?
        .query_map([limit], audit_row)?
        .collect()
}

pub(super) fn audit_row(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        time: time(row, "time")?,
        actor: row.get("actor")?,
        action: row.get("action")?,
        target: row.get("target")?,
        from: row.get("origin")?,
        done: row.get("done")?,
    })
}
