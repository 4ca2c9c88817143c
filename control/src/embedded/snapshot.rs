use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use schemas::{Timestamp, name::AgentName};

use super::{
    Failure, Work, audit, display_names, keys, maybe_parsed, maybe_time, owners, parsed, time,
    users,
};
use crate::{
    ApiToken, SecretHash, TokenId,
    migrate::{RestoreError, Snapshot, StoredToken, StoredUser},
};

/// Everything that is kept for good, as of one instant.
pub(super) fn take(connection: &Connection) -> rusqlite::Result<Snapshot> {
    // one transaction, so that all of it is of the same instant
    let transaction = connection.unchecked_transaction()?;
    let snapshot = read(&transaction)?;
    transaction.finish()?;
    Ok(snapshot)
}

fn read(t: &Transaction<'_>) -> rusqlite::Result<Snapshot> {
    let mut users = Vec::new();
    let mut of: BTreeMap<i64, usize> = BTreeMap::new();
    for row in users::rows(t)? {
        of.insert(row.id, users.len());
        users.push(StoredUser {
            user: row.user,
            password: row.password,
            preferences: BTreeMap::new(),
        });
    }
    let mut preferences = t.prepare("SELECT user, key, value FROM preference")?;
    let mut rows = preferences.query([])?;
    while let Some(row) = rows.next()? {
        let place = of.get(&row.get("user")?);
        if let Some(user) = place.and_then(|place| users.get_mut(*place)) {
            user.preferences.insert(row.get("key")?, row.get("value")?);
        }
    }
    let audit = t
        .prepare("SELECT * FROM audit ORDER BY id")?
        .query_map([], audit::audit_row)?
        .collect::<Result<_, _>>()?;
    let keys = t
        .prepare("SELECT id, secret, created, retires FROM signing_key ORDER BY number")?
        .query_map([], keys::key_row)?
        .collect::<Result<_, _>>()?;
    Ok(Snapshot {
        users,
        tokens: tokens(t)?,
        owners: owners::all(t)?,
        display_names: display_names::all(t)?,
        keys,
        audit,
    })
}

fn tokens(t: &Transaction<'_>) -> rusqlite::Result<Vec<StoredToken>> {
    t.prepare(
        "SELECT t.id, t.hash, t.name, u.name AS user, t.role, t.agent, t.created, t.expires, t.last_used
         FROM api_token t JOIN user u ON u.id = t.user ORDER BY t.id",
    )?
    .query_map([], |row| {
        let hash: Vec<u8> = row.get("hash")?;
        Ok(StoredToken {
            token: ApiToken {
                id: TokenId::new(&row.get::<_, String>("id")?),
                name: row.get("name")?,
                user: parsed(row, "user")?,
                role: parsed(row, "role")?,
                agent: maybe_parsed(row, "agent")?,
                created: time(row, "created")?,
                expires: maybe_time(row, "expires")?,
                last_used: maybe_time(row, "last_used")?,
            },
            hash: SecretHash::from_stored(&hash).ok_or_else(|| {
                rusqlite::Error::FromSqlConversionFailure(
                    1,
                    rusqlite::types::Type::Blob,
                    "the hash of a token is not 32 bytes long".into(),
                )
            })?,
        })
    })?
    .collect()
}

/// Writes all of it or nothing; false when it is there already.
pub(super) fn put(
    t: &Transaction<'_>,
    store: &str,
    snapshot: &Snapshot,
) -> Work<bool, RestoreError> {
    let there = read(t)?;
    if !there.is_empty() {
        return match snapshot.difference(&there) {
            None => Ok(false),
            Some(what) => Err(Failure::Refused(RestoreError::Occupied {
                store: store.to_owned(),
                what,
            })),
        };
    }
    // the key of a store that nobody used yet signs for nobody, and set-up is done
    t.execute_batch("DELETE FROM signing_key; DELETE FROM setup")?;
    put_users(t, snapshot)?;
    put_rest(t, snapshot)?;
    Ok(true)
}

fn put_users(t: &Transaction<'_>, snapshot: &Snapshot) -> rusqlite::Result<()> {
    let mut preference =
        t.prepare("INSERT INTO preference (user, key, value) VALUES (?1, ?2, ?3)")?;
    for stored in &snapshot.users {
        let user = &stored.user;
        t.execute(
            "INSERT INTO user (name, password, role, enabled, epoch, created, last_login)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                user.name.as_str(),
                stored.password.as_str(),
                user.role.as_str(),
                user.enabled,
                user.epoch,
                user.created.as_millis(),
                user.last_login.map(Timestamp::as_millis),
            ],
        )?;
        let id = t.last_insert_rowid();
        for (key, value) in &stored.preferences {
            preference.execute(params![id, key, value])?;
        }
    }
    for StoredToken { token, hash } in &snapshot.tokens {
        t.execute(
            "INSERT INTO api_token (id, hash, name, user, role, created, expires, last_used, agent)
             SELECT ?1, ?2, ?3, id, ?5, ?6, ?7, ?8, ?9 FROM user WHERE name = ?4",
            params![
                token.id.as_str(),
                hash.as_bytes(),
                token.name,
                token.user.as_str(),
                token.role.as_str(),
                token.created.as_millis(),
                token.expires.map(Timestamp::as_millis),
                token.last_used.map(Timestamp::as_millis),
                token.agent.as_ref().map(AgentName::as_str),
            ],
        )?;
    }
    Ok(())
}

fn put_rest(t: &Transaction<'_>, snapshot: &Snapshot) -> rusqlite::Result<()> {
    for owner in &snapshot.owners {
        t.execute(
            "INSERT INTO source_owner VALUES (?1, ?2, ?3)",
            params![
                owner.source.as_str(),
                owner.agent.as_str(),
                owner.since.as_millis()
            ],
        )?;
    }
    for (source, name) in &snapshot.display_names {
        t.execute(
            "INSERT INTO display_name VALUES (?1, ?2)",
            params![source.as_str(), name.as_str()],
        )?;
    }
    for key in &snapshot.keys {
        t.execute(
            "INSERT INTO signing_key (id, secret, created, retires) VALUES (?1, ?2, ?3, ?4)",
            params![
                key.id,
                key.secret(),
                key.created.as_millis(),
                key.retires.map(Timestamp::as_millis),
            ],
        )?;
    }
    let mut entry = t.prepare(
        "INSERT INTO audit (time, actor, action, target, origin, done) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for stored in &snapshot.audit {
        entry.execute(params![
            stored.time.as_millis(),
            stored.actor,
            stored.action,
            stored.target,
            stored.from,
            stored.done,
        ])?;
    }
    Ok(())
}
