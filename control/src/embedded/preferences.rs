use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};

use super::{Work, users};
use crate::Username;

pub(super) fn get(
    connection: &Connection,
    user: &Username,
) -> rusqlite::Result<BTreeMap<String, String>> {
    connection
        .prepare_cached(
            "SELECT p.key, p.value FROM preference p JOIN user u ON u.id = p.user WHERE u.name = ?1",
        )?
        .query_map([user.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub(super) fn set(
    t: &Transaction<'_>,
    user: &Username,
    preferences: &BTreeMap<String, String>,
) -> Work<()> {
    let row = users::known(t, user)?;
    t.execute("DELETE FROM preference WHERE user = ?1", [row.id])?;
    let mut insert =
        t.prepare_cached("INSERT INTO preference (user, key, value) VALUES (?1, ?2, ?3)")?;
    for (key, value) in preferences {
        insert.execute(params![row.id, key, value])?;
    }
    Ok(())
}
