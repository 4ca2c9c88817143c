use rusqlite::{Connection, Row, Transaction, params};
use schemas::Timestamp;

use super::{Failure, Work, maybe_time, time};
use crate::{SigningKey, StoreError};

pub(super) fn good(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<SigningKey>> {
    connection
        .prepare_cached(
            "SELECT id, secret, created, retires FROM signing_key
             WHERE retires IS NULL OR retires > ?1 ORDER BY number DESC",
        )?
        .query_map([now.as_millis()], key_row)?
        .collect()
}

pub(super) fn key_row(row: &Row<'_>) -> rusqlite::Result<SigningKey> {
    SigningKey::new(
        row.get("id")?,
        row.get("secret")?,
        time(row, "created")?,
        maybe_time(row, "retires")?,
    )
    .ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(
            1,
            rusqlite::types::Type::Blob,
            "a signing key is too short".into(),
        )
    })
}

/// Makes the first key; another process may have been first.
pub(super) fn ensure(t: &Transaction<'_>, now: Timestamp) -> Work<Vec<SigningKey>, StoreError> {
    let keys = good(t, now)?;
    if keys.iter().any(|key| key.retires.is_none()) {
        return Ok(keys);
    }
    insert(t, now)?;
    Ok(good(t, now)?)
}

pub(super) fn rotate(
    t: &Transaction<'_>,
    now: Timestamp,
    retire: Timestamp,
) -> Work<SigningKey, StoreError> {
    t.execute(
        "DELETE FROM signing_key WHERE retires <= ?1",
        [now.as_millis()],
    )?;
    t.execute(
        "UPDATE signing_key SET retires = ?1 WHERE retires IS NULL OR retires > ?1",
        [retire.as_millis()],
    )?;
    insert(t, now)?;
    Ok(good(t, now)?
        .into_iter()
        .next()
        .ok_or(rusqlite::Error::QueryReturnedNoRows)?)
}

fn insert(t: &Transaction<'_>, now: Timestamp) -> Work<(), StoreError> {
    let key = SigningKey::random(now).map_err(Failure::Refused)?;
    t.execute(
        "INSERT INTO signing_key (id, secret, created) VALUES (?1, ?2, ?3)",
        params![key.id, key.secret(), key.created.as_millis()],
    )?;
    Ok(())
}
