use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, named_params, params};
use schemas::{Timestamp, api::Role};

use super::{Work, maybe_time, parsed, time};
use crate::{NewUser, PasswordHash, SessionId, User, UserChange, UserError, Username, limits};

/// A user as stored.
pub(super) struct UserRow {
    pub(super) id: i64,
    pub(super) user: User,
    pub(super) password: PasswordHash,
}

fn user_row(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        id: row.get("id")?,
        user: User {
            name: parsed(row, "name")?,
            role: parsed(row, "role")?,
            enabled: row.get("enabled")?,
            epoch: row.get("epoch")?,
            created: time(row, "created")?,
            last_login: maybe_time(row, "last_login")?,
        },
        password: PasswordHash::from_stored(&row.get::<_, String>("password")?),
    })
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<User>> {
    Ok(rows(connection)?.into_iter().map(|row| row.user).collect())
}

pub(super) fn rows(connection: &Connection) -> rusqlite::Result<Vec<UserRow>> {
    connection
        .prepare_cached("SELECT * FROM user ORDER BY name")?
        .query_map([], user_row)?
        .collect()
}

pub(super) fn find(connection: &Connection, name: &Username) -> rusqlite::Result<Option<UserRow>> {
    connection
        .prepare_cached("SELECT * FROM user WHERE name = ?1")?
        .query_row([name.as_str()], user_row)
        .optional()
}

pub(super) fn known(t: &Transaction<'_>, name: &Username) -> Work<UserRow> {
    Ok(find(t, name)?.ok_or_else(|| UserError::Unknown(name.clone()))?)
}

pub(super) fn count(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM user", [], |row| row.get(0))
}

pub(super) fn create(t: &Transaction<'_>, new: &NewUser, now: Timestamp) -> Work<User> {
    if find(t, &new.name)?.is_some() {
        return Err(UserError::Exists(new.name.clone()).into());
    }
    if count(t)? >= limits::USERS {
        return Err(UserError::too_many("users", limits::USERS).into());
    }
    insert(t, new, now)?;
    t.execute("DELETE FROM setup", [])?;
    Ok(known(t, &new.name)?.user)
}

/// The epoch begins at the instant, so that a user of a name that was used before has another one.
pub(super) fn insert(t: &Transaction<'_>, new: &NewUser, now: Timestamp) -> rusqlite::Result<()> {
    t.execute(
        "INSERT INTO user (name, password, role, epoch, created)
         VALUES (:name, :password, :role, :now, :now)",
        named_params! {
            ":name": new.name.as_str(),
            ":password": new.password.as_str(),
            ":role": new.role.as_str(),
            ":now": now.as_millis(),
        },
    )?;
    Ok(())
}

pub(super) fn change(t: &Transaction<'_>, name: &Username, change: &UserChange) -> Work<User> {
    let before = known(t, name)?;
    let role = change.role.unwrap_or(before.user.role);
    let enabled = change.enabled.unwrap_or(before.user.enabled);
    if !(enabled && role == Role::Admin) {
        keep_an_admin(t, &before)?;
    }
    if role == before.user.role && enabled == before.user.enabled && change.password.is_none() {
        return Ok(before.user);
    }
    t.execute(
        "UPDATE user SET role = ?2, enabled = ?3, password = ?4 WHERE id = ?1",
        params![
            before.id,
            role.as_str(),
            enabled,
            change
                .password
                .as_ref()
                .unwrap_or(&before.password)
                .as_str(),
        ],
    )?;
    end_but(t, before.id, change.keep.as_ref())?;
    Ok(known(t, name)?.user)
}

pub(super) fn delete(t: &Transaction<'_>, name: &Username) -> Work<()> {
    let row = known(t, name)?;
    keep_an_admin(t, &row)?;
    t.execute("DELETE FROM user WHERE id = ?1", [row.id])?;
    Ok(())
}

pub(super) fn end_sessions(t: &Transaction<'_>, name: &Username) -> Work<()> {
    let row = known(t, name)?;
    Ok(end_but(t, row.id, None)?)
}

/// Ends sessions and, by the epoch, every access token; tickets go with their sessions.
fn end_but(t: &Transaction<'_>, user: i64, keep: Option<&SessionId>) -> rusqlite::Result<()> {
    t.execute("UPDATE user SET epoch = epoch + 1 WHERE id = ?1", [user])?;
    t.execute(
        "DELETE FROM session WHERE user = ?1 AND id IS NOT ?2",
        params![user, keep.map(SessionId::as_str)],
    )?;
    Ok(())
}

fn keep_an_admin(t: &Transaction<'_>, leaving: &UserRow) -> Work<()> {
    if !(leaving.user.enabled && leaving.user.role == Role::Admin) {
        return Ok(());
    }
    let others: i64 = t.query_row(
        "SELECT count(*) FROM user WHERE role = 'admin' AND enabled AND id <> ?1",
        [leaving.id],
        |row| row.get(0),
    )?;
    if others == 0 {
        return Err(UserError::LastAdmin(leaving.user.name.clone()).into());
    }
    Ok(())
}
