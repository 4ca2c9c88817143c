use deadpool_postgres::{GenericClient, Transaction};
use schemas::Timestamp;

use super::{
    transaction::{Work, hold, lock, run},
    users,
};
use crate::{NewUser, SecretHash, SetupError, StoreError, User};

pub(super) async fn needed(client: &impl GenericClient) -> Work<bool, StoreError> {
    Ok(users::count(client).await? == 0)
}

pub(super) async fn offer(t: &Transaction<'_>, token: &SecretHash) -> Work<bool, StoreError> {
    hold(t, lock::USERS).await?;
    if !needed(t).await? {
        return Ok(false);
    }
    run(
        t,
        "INSERT INTO setup (only_row, hash) VALUES (true, $1)
         ON CONFLICT (only_row) DO UPDATE SET hash = excluded.hash",
        &[&token.as_bytes().as_slice()],
    )
    .await?;
    Ok(true)
}

pub(super) async fn complete(
    t: &Transaction<'_>,
    token: &SecretHash,
    new: &NewUser,
    now: Timestamp,
) -> Work<User, SetupError> {
    hold(t, lock::USERS).await?;
    if users::count(t).await? > 0 {
        return Err(SetupError::Done.into());
    }
    let hash = token.as_bytes().as_slice();
    if run(t, "DELETE FROM setup WHERE hash = $1", &[&hash]).await? == 0 {
        return Err(SetupError::WrongToken.into());
    }
    users::insert(t, new, now).await
}
