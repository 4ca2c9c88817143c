use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

use super::{
    time,
    transaction::{Work, all, run},
};
use crate::{AuditEntry, StoreError, limits};

pub(super) async fn record(t: &Transaction<'_>, entry: &AuditEntry) -> Work<(), StoreError> {
    run(
        t,
        "INSERT INTO audit (time, actor, action, target, origin, done) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            &entry.time.as_millis(),
            &entry.actor,
            &entry.action,
            &entry.target,
            &entry.from,
            &entry.done,
        ],
    )
    .await?;
    // what another instance is at is left to it
    run(
        t,
        "DELETE FROM audit WHERE id IN (
             SELECT id FROM audit WHERE id <= (SELECT max(id) FROM audit) - $1 FOR UPDATE SKIP LOCKED)",
        &[&limits::AUDIT_ENTRIES],
    )
    .await?;
    Ok(())
}

pub(super) fn audit_row(row: &Row) -> Work<AuditEntry, StoreError> {
    Ok(AuditEntry {
        time: time(row, "time")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        target: row.try_get("target")?,
        from: row.try_get("origin")?,
        done: row.try_get("done")?,
    })
}

pub(super) async fn newest(
    client: &impl GenericClient,
    limit: usize,
) -> Work<Vec<AuditEntry>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(limits::AUDIT_ENTRIES);
    all(
        client,
        "SELECT time, actor, action, target, origin, done FROM audit ORDER BY id DESC LIMIT $1",
        &[&limit],
    )
    .await?
    .iter()
    .map(audit_row)
    .collect()
}
