use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use schemas::{Timestamp, name::AgentName};

use super::{
    audit, display_names,
    options::Named,
    owners, preferences,
    transaction::{Failure, Work, all, hold, lock, maybe_parsed, one, parsed, run},
    users,
};
use crate::{
    ApiToken, SecretHash, StoreError, TokenId,
    migrate::{RestoreError, Snapshot, StoredToken, StoredUser},
};

/// Everything that is kept for good, as of one instant.
pub(super) async fn take(t: &Transaction<'_>) -> Work<Snapshot, StoreError> {
    t.batch_execute(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = '60s'",
    )
    .await?;
    read(t).await
}

async fn read(t: &Transaction<'_>) -> Work<Snapshot, StoreError> {
    let mut users = Vec::new();
    let mut of: BTreeMap<i64, usize> = BTreeMap::new();
    for row in users::list::<StoreError>(t).await? {
        of.insert(row.id, users.len());
        users.push(StoredUser {
            user: row.user,
            password: row.password,
            preferences: BTreeMap::new(),
        });
    }
    for row in all(t, "SELECT user_id, key, value FROM preference", &[]).await? {
        let place = of.get(&row.try_get("user_id")?);
        if let Some(user) = place.and_then(|place| users.get_mut(*place)) {
            user.preferences
                .insert(row.try_get("key")?, row.try_get("value")?);
        }
    }
    let audit = all(
        t,
        "SELECT time, actor, action, target, origin, done FROM audit ORDER BY id",
        &[],
    )
    .await?
    .iter()
    .map(audit::audit_row)
    .collect::<Result<_, _>>()?;
    let keys = all(
        t,
        "SELECT id, secret, created, retires FROM signing_key ORDER BY number",
        &[],
    )
    .await?
    .iter()
    .map(super::keys::key_row)
    .collect::<Result<_, _>>()?;
    Ok(Snapshot {
        users,
        tokens: tokens(t).await?,
        owners: owners::list(t).await?,
        display_names: display_names::list(t).await?,
        keys,
        audit,
    })
}

async fn tokens(t: &Transaction<'_>) -> Work<Vec<StoredToken>, StoreError> {
    let rows = all(
        t,
        "SELECT t.id, t.hash, t.name, u.name AS user_name, t.role, t.agent, t.created, t.expires, t.last_used
         FROM api_token t JOIN users u ON u.id = t.user_id ORDER BY t.id COLLATE \"C\"",
        &[],
    )
    .await?;
    rows.iter()
        .map(|row| {
            let hash = SecretHash::from_stored(row.try_get("hash")?)
                .ok_or_else(|| Failure::Unreadable("the hash of a token".to_owned()))?;
            Ok(StoredToken {
                token: ApiToken {
                    id: TokenId::new(row.try_get("id")?),
                    name: row.try_get("name")?,
                    user: parsed(row, "user_name")?,
                    role: parsed(row, "role")?,
                    agent: maybe_parsed(row, "agent")?,
                    created: super::time(row, "created")?,
                    expires: super::maybe_time(row, "expires")?,
                    last_used: super::maybe_time(row, "last_used")?,
                },
                hash,
            })
        })
        .collect()
}

/// Writes all of it or nothing; false when it is there already.
pub(super) async fn put(
    t: &Transaction<'_>,
    named: &Named,
    snapshot: &Snapshot,
) -> Work<bool, RestoreError> {
    t.batch_execute("SET LOCAL statement_timeout = '60s'")
        .await?;
    hold(t, lock::USERS).await?;
    hold(t, lock::KEYS).await?;
    hold(t, lock::OWNERS).await?;
    t.batch_execute(
        "LOCK TABLE users, api_token, source_owner, display_name, preference, signing_key, audit IN SHARE ROW EXCLUSIVE MODE",
    )
    .await?;
    let there = read(t).await.map_err(|failure| match failure {
        Failure::Postgres(e) => Failure::Postgres(e),
        Failure::Unreadable(what) => Failure::Unreadable(what),
        Failure::Refused(e) => Failure::Refused(RestoreError::Store(e)),
    })?;
    if !there.is_empty() {
        return match snapshot.difference(&there) {
            None => Ok(false),
            Some(what) => Err(Failure::Refused(RestoreError::Occupied {
                store: named.store(),
                what,
            })),
        };
    }
    // the key that an instance made that was started too early signs for nobody, and set-up is done
    t.batch_execute("DELETE FROM signing_key; DELETE FROM setup")
        .await?;
    put_users(t, snapshot).await?;
    put_tokens(t, snapshot).await?;
    put_owners(t, snapshot).await?;
    for (source, name) in &snapshot.display_names {
        display_names::put(t, source, name).await?;
    }
    put_keys(t, snapshot).await?;
    put_audit(t, snapshot).await?;
    Ok(true)
}

async fn put_users(t: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), tokio_postgres::Error> {
    for stored in &snapshot.users {
        let user = &stored.user;
        let id: i64 = one(
            t,
            "INSERT INTO users (name, password, role, enabled, epoch, created, last_login)
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
            &[
                &user.name.as_str(),
                &stored.password.as_str(),
                &user.role.as_str(),
                &user.enabled,
                &user.epoch,
                &user.created.as_millis(),
                &user.last_login.map(Timestamp::as_millis),
            ],
        )
        .await?
        .try_get(0)?;
        preferences::insert(t, id, &stored.preferences).await?;
    }
    Ok(())
}

async fn put_tokens(t: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), tokio_postgres::Error> {
    for StoredToken { token, hash } in &snapshot.tokens {
        run(
            t,
            "INSERT INTO api_token (id, hash, name, user_id, role, created, expires, last_used, agent)
             SELECT $1, $2, $3, id, $5, $6, $7, $8, $9 FROM users WHERE name = $4",
            &[
                &token.id.as_str(),
                &hash.as_bytes().as_slice(),
                &token.name,
                &token.user.as_str(),
                &token.role.as_str(),
                &token.created.as_millis(),
                &token.expires.map(Timestamp::as_millis),
                &token.last_used.map(Timestamp::as_millis),
                &token.agent.as_ref().map(AgentName::as_str),
            ],
        )
        .await?;
    }
    Ok(())
}

async fn put_owners(t: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), tokio_postgres::Error> {
    for owner in &snapshot.owners {
        run(
            t,
            "INSERT INTO source_owner (source, agent, since) VALUES ($1, $2, $3)",
            &[
                &owner.source.as_str(),
                &owner.agent.as_str(),
                &owner.since.as_millis(),
            ],
        )
        .await?;
    }
    Ok(())
}

async fn put_keys(t: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), tokio_postgres::Error> {
    for key in &snapshot.keys {
        run(
            t,
            "INSERT INTO signing_key (id, secret, created, retires) VALUES ($1, $2, $3, $4)",
            &[
                &key.id,
                &key.secret(),
                &key.created.as_millis(),
                &key.retires.map(Timestamp::as_millis),
            ],
        )
        .await?;
    }
    Ok(())
}

/// In one statement, since there are many; the order of the ids is that of the entries.
async fn put_audit(t: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), tokio_postgres::Error> {
    let entries = &snapshot.audit;
    let times: Vec<i64> = entries.iter().map(|e| e.time.as_millis()).collect();
    let texts = |of: fn(&crate::AuditEntry) -> &str| entries.iter().map(of).collect::<Vec<_>>();
    let done: Vec<bool> = entries.iter().map(|e| e.done).collect();
    run(
        t,
        "INSERT INTO audit (time, actor, action, target, origin, done)
         SELECT time, actor, action, target, origin, done
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[])
              WITH ORDINALITY AS given (time, actor, action, target, origin, done, place)
         ORDER BY place",
        &[
            &times,
            &texts(|e| &e.actor),
            &texts(|e| &e.action),
            &texts(|e| &e.target),
            &texts(|e| &e.from),
            &done,
        ],
    )
    .await?;
    Ok(())
}
