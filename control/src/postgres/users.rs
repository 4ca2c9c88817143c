use deadpool_postgres::{GenericClient, Transaction};
use schemas::{Timestamp, api::Role};
use tokio_postgres::Row;

use super::transaction::{Work, all, first, hold, lock, one, parsed, run};
use super::{maybe_time, time};
use crate::{NewUser, PasswordHash, SessionId, User, UserChange, UserError, Username, limits};

/// A user as stored.
pub(super) struct UserRow {
    pub(super) id: i64,
    pub(super) user: User,
    pub(super) password: PasswordHash,
}

pub(super) fn user_row<E>(row: &Row) -> Work<UserRow, E> {
    Ok(UserRow {
        id: row.try_get("id")?,
        user: User {
            name: parsed(row, "name")?,
            role: parsed(row, "role")?,
            enabled: row.try_get("enabled")?,
            epoch: row.try_get("epoch")?,
            created: time(row, "created")?,
            last_login: maybe_time(row, "last_login")?,
        },
        password: PasswordHash::from_stored(row.try_get("password")?),
    })
}

const SELECT: &str =
    "SELECT id, name, password, role, enabled, epoch, created, last_login FROM users";

pub(super) async fn list<E>(client: &impl GenericClient) -> Work<Vec<UserRow>, E> {
    all(
        client,
        &format!("{SELECT} ORDER BY name COLLATE \"C\""),
        &[],
    )
    .await?
    .iter()
    .map(user_row)
    .collect()
}

pub(super) async fn find<E>(
    client: &impl GenericClient,
    name: &Username,
) -> Work<Option<UserRow>, E> {
    first(
        client,
        &format!("{SELECT} WHERE name = $1"),
        &[&name.as_str()],
    )
    .await?
    .as_ref()
    .map(user_row)
    .transpose()
}

/// A user whom nobody else changes until the transaction ends.
pub(super) async fn known(t: &Transaction<'_>, name: &Username) -> Work<UserRow> {
    let sql = format!("{SELECT} WHERE name = $1 FOR NO KEY UPDATE");
    match first(t, &sql, &[&name.as_str()]).await? {
        Some(row) => user_row(&row),
        None => Err(UserError::Unknown(name.clone()).into()),
    }
}

pub(super) async fn count(client: &impl GenericClient) -> Result<i64, tokio_postgres::Error> {
    one(client, "SELECT count(*) FROM users", &[])
        .await?
        .try_get(0)
}

pub(super) async fn create(t: &Transaction<'_>, new: &NewUser, now: Timestamp) -> Work<User> {
    hold(t, lock::USERS).await?;
    if find::<UserError>(t, &new.name).await?.is_some() {
        return Err(UserError::Exists(new.name.clone()).into());
    }
    if count(t).await? >= limits::USERS {
        return Err(UserError::too_many("users", limits::USERS).into());
    }
    run(t, "DELETE FROM setup", &[]).await?;
    insert(t, new, now).await
}

/// The epoch begins at the instant, so that a user of a name that was used before has another one.
pub(super) async fn insert<E>(t: &Transaction<'_>, new: &NewUser, now: Timestamp) -> Work<User, E> {
    let row = one(
        t,
        "INSERT INTO users (name, password, role, epoch, created) VALUES ($1, $2, $3, $4, $4)
         RETURNING id, name, password, role, enabled, epoch, created, last_login",
        &[
            &new.name.as_str(),
            &new.password.as_str(),
            &new.role.as_str(),
            &now.as_millis(),
        ],
    )
    .await?;
    Ok(user_row(&row)?.user)
}

pub(super) async fn change(
    t: &Transaction<'_>,
    name: &Username,
    change: &UserChange,
) -> Work<User> {
    hold(t, lock::USERS).await?;
    let before = known(t, name).await?;
    let role = change.role.unwrap_or(before.user.role);
    let enabled = change.enabled.unwrap_or(before.user.enabled);
    if !(enabled && role == Role::Admin) {
        keep_an_admin(t, &before).await?;
    }
    if role == before.user.role && enabled == before.user.enabled && change.password.is_none() {
        return Ok(before.user);
    }
    let password = change.password.as_ref().unwrap_or(&before.password);
    run(
        t,
        "UPDATE users SET role = $2, enabled = $3, password = $4 WHERE id = $1",
        &[&before.id, &role.as_str(), &enabled, &password.as_str()],
    )
    .await?;
    end_but(t, before.id, change.keep.as_ref()).await?;
    Ok(known(t, name).await?.user)
}

pub(super) async fn delete(t: &Transaction<'_>, name: &Username) -> Work<()> {
    hold(t, lock::USERS).await?;
    let row = known(t, name).await?;
    keep_an_admin(t, &row).await?;
    run(t, "DELETE FROM users WHERE id = $1", &[&row.id]).await?;
    Ok(())
}

pub(super) async fn end_sessions(t: &Transaction<'_>, name: &Username) -> Work<()> {
    let row = known(t, name).await?;
    Ok(end_but(t, row.id, None).await?)
}

/// Ends sessions and, by the epoch, every access token; tickets go with their sessions.
async fn end_but(
    t: &Transaction<'_>,
    user: i64,
    keep: Option<&SessionId>,
) -> Result<(), tokio_postgres::Error> {
    run(
        t,
        "UPDATE users SET epoch = epoch + 1 WHERE id = $1",
        &[&user],
    )
    .await?;
    run(
        t,
        "DELETE FROM session WHERE user_id = $1 AND id IS DISTINCT FROM $2",
        &[&user, &keep.map(SessionId::as_str)],
    )
    .await?;
    Ok(())
}

/// Under [`lock::USERS`], so that no other change is between the look and the act.
async fn keep_an_admin(t: &Transaction<'_>, leaving: &UserRow) -> Work<()> {
    if !(leaving.user.enabled && leaving.user.role == Role::Admin) {
        return Ok(());
    }
    let others: i64 = one(
        t,
        "SELECT count(*) FROM users WHERE role = 'admin' AND enabled AND id <> $1",
        &[&leaving.id],
    )
    .await?
    .try_get(0)?;
    if others == 0 {
        return Err(UserError::LastAdmin(leaving.user.name.clone()).into());
    }
    Ok(())
}
