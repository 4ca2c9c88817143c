use deadpool_postgres::{GenericClient, Transaction};
use schemas::Timestamp;
use tokio_postgres::Row;

use super::{
    maybe_time, time,
    transaction::{Failure, Work, all, hold, lock, run},
};
use crate::{SigningKey, StoreError};

pub(super) fn key_row(row: &Row) -> Work<SigningKey, StoreError> {
    SigningKey::new(
        row.try_get("id")?,
        row.try_get("secret")?,
        time(row, "created")?,
        maybe_time(row, "retires")?,
    )
    .ok_or_else(|| Failure::Unreadable("a signing key is too short".to_owned()))
}

pub(super) async fn good(
    client: &impl GenericClient,
    now: Timestamp,
) -> Work<Vec<SigningKey>, StoreError> {
    all(
        client,
        "SELECT id, secret, created, retires FROM signing_key
         WHERE retires IS NULL OR retires > $1 ORDER BY number DESC",
        &[&now.as_millis()],
    )
    .await?
    .iter()
    .map(key_row)
    .collect()
}

/// Makes the first key; another instance may have been first, and then its key is the one.
pub(super) async fn ensure(
    t: &Transaction<'_>,
    now: Timestamp,
) -> Work<Vec<SigningKey>, StoreError> {
    hold(t, lock::KEYS).await?;
    let keys = good(t, now).await?;
    if keys.iter().any(|key| key.retires.is_none()) {
        return Ok(keys);
    }
    insert(t, now).await?;
    good(t, now).await
}

pub(super) async fn rotate(
    t: &Transaction<'_>,
    now: Timestamp,
    retire: Timestamp,
) -> Work<SigningKey, StoreError> {
    hold(t, lock::KEYS).await?;
    run(
        t,
        "DELETE FROM signing_key WHERE retires <= $1",
        &[&now.as_millis()],
    )
    .await?;
    run(
        t,
        "UPDATE signing_key SET retires = $1 WHERE retires IS NULL OR retires > $1",
        &[&retire.as_millis()],
    )
    .await?;
    insert(t, now).await?;
    good(t, now)
        .await?
        .into_iter()
        .next()
        .ok_or_else(|| Failure::Unreadable("a signing key that was just made is gone".to_owned()))
}

async fn insert(t: &Transaction<'_>, now: Timestamp) -> Work<(), StoreError> {
    let key = SigningKey::random(now).map_err(Failure::Refused)?;
    run(
        t,
        "INSERT INTO signing_key (id, secret, created) VALUES ($1, $2, $3)",
        &[&key.id, &key.secret(), &key.created.as_millis()],
    )
    .await?;
    Ok(())
}
