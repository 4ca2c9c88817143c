use std::collections::BTreeMap;

use deadpool_postgres::{GenericClient, Transaction};

use super::{
    transaction::{Work, all, run},
    users,
};
use crate::{StoreError, Username};

pub(super) async fn get(
    client: &impl GenericClient,
    user: &Username,
) -> Work<BTreeMap<String, String>, StoreError> {
    all(
        client,
        "SELECT p.key, p.value FROM preference p JOIN users u ON u.id = p.user_id WHERE u.name = $1",
        &[&user.as_str()],
    )
    .await?
    .iter()
    .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
    .collect()
}

pub(super) async fn set(
    t: &Transaction<'_>,
    user: &Username,
    preferences: &BTreeMap<String, String>,
) -> Work<()> {
    let row = users::known(t, user).await?;
    run(t, "DELETE FROM preference WHERE user_id = $1", &[&row.id]).await?;
    Ok(insert(t, row.id, preferences).await?)
}

pub(super) async fn insert(
    t: &Transaction<'_>,
    user: i64,
    preferences: &BTreeMap<String, String>,
) -> Result<(), tokio_postgres::Error> {
    let keys: Vec<&str> = preferences.keys().map(String::as_str).collect();
    let values: Vec<&str> = preferences.values().map(String::as_str).collect();
    run(
        t,
        "INSERT INTO preference (user_id, key, value)
         SELECT $1, key, value FROM unnest($2::text[], $3::text[]) AS given (key, value)",
        &[&user, &keys, &values],
    )
    .await?;
    Ok(())
}
