use rusqlite::{Connection, Transaction};
use schemas::Timestamp;

use super::{Failure, Work, users};
use crate::{NewUser, SecretHash, SetupError, StoreError, User};

pub(super) fn needed(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(users::count(connection)? == 0)
}

pub(super) fn offer(t: &Transaction<'_>, token: &SecretHash) -> Work<bool, StoreError> {
    if !needed(t)? {
        return Ok(false);
    }
    t.execute(
        "INSERT INTO setup (only, hash) VALUES (1, ?1)
         ON CONFLICT (only) DO UPDATE SET hash = excluded.hash",
        [token.as_bytes()],
    )?;
    Ok(true)
}

pub(super) fn complete(
    t: &Transaction<'_>,
    token: &SecretHash,
    new: &NewUser,
    now: Timestamp,
) -> Work<User, SetupError> {
    if !needed(t)? {
        return Err(Failure::Refused(SetupError::Done));
    }
    if t.execute("DELETE FROM setup WHERE hash = ?1", [token.as_bytes()])? == 0 {
        return Err(Failure::Refused(SetupError::WrongToken));
    }
    users::insert(t, new, now)?;
    let made = users::find(t, &new.name)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(made.user)
}
