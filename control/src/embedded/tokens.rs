use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use schemas::{Timestamp, api::Role, name::AgentName};

use super::{Work, maybe_parsed, maybe_time, parsed, time, users};
use crate::{
    ApiToken, NewApiToken, SecretHash, StoreError, TokenId, UserError, Username, error, limits,
};

const SELECT: &str = "SELECT t.id, t.name AS title, u.name AS user, t.role AS role, u.role AS most,
     t.agent, t.created, t.expires, t.last_used
     FROM api_token t JOIN user u ON u.id = t.user";

fn token_row(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    Ok(ApiToken {
        id: TokenId::new(&row.get::<_, String>("id")?),
        name: row.get("title")?,
        user: parsed(row, "user")?,
        role: parsed::<Role>(row, "role")?.min(parsed(row, "most")?),
        agent: maybe_parsed(row, "agent")?,
        created: time(row, "created")?,
        expires: maybe_time(row, "expires")?,
        last_used: maybe_time(row, "last_used")?,
    })
}

pub(super) fn list(
    connection: &Connection,
    user: Option<&Username>,
) -> rusqlite::Result<Vec<ApiToken>> {
    connection
        .prepare_cached(&format!(
            "{SELECT} WHERE ?1 IS NULL OR u.name = ?1 ORDER BY t.created DESC, t.id"
        ))?
        .query_map([user.map(Username::as_str)], token_row)?
        .collect()
}

pub(super) fn create(t: &Transaction<'_>, new: &NewApiToken, now: Timestamp) -> Work<ApiToken> {
    error::bounded("the name of a token", &new.name, limits::TOKEN_NAME)?;
    let owner = users::known(t, &new.user)?;
    if !owner.user.enabled {
        return Err(UserError::Disabled(new.user.clone()).into());
    }
    if new.role > owner.user.role {
        return Err(UserError::RoleTooHigh {
            user: new.user.clone(),
            role: owner.user.role.as_str(),
        }
        .into());
    }
    t.execute(
        "DELETE FROM api_token WHERE user = ?1 AND expires <= ?2",
        params![owner.id, now.as_millis()],
    )?;
    let count: i64 = t.query_row(
        "SELECT count(*) FROM api_token WHERE user = ?1",
        [owner.id],
        |row| row.get(0),
    )?;
    if count >= limits::TOKENS_PER_USER {
        return Err(UserError::too_many("tokens of one user", limits::TOKENS_PER_USER).into());
    }
    t.execute(
        "INSERT INTO api_token (id, hash, name, user, role, created, expires, agent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            new.id.as_str(),
            new.hash.as_bytes(),
            new.name,
            owner.id,
            new.role.as_str(),
            now.as_millis(),
            new.expires.map(Timestamp::as_millis),
            new.agent.as_ref().map(AgentName::as_str),
        ],
    )?;
    Ok(t.query_row(
        &format!("{SELECT} WHERE t.id = ?1"),
        [new.id.as_str()],
        token_row,
    )?)
}

pub(super) fn find(
    connection: &Connection,
    id: &TokenId,
    secret: Option<&SecretHash>,
    now: Timestamp,
) -> rusqlite::Result<Option<ApiToken>> {
    connection
        .prepare_cached(&format!(
            "{SELECT} WHERE t.id = ?1 AND u.enabled AND (t.expires IS NULL OR t.expires > ?2)
             AND (?3 IS NULL OR t.hash = ?3)"
        ))?
        .query_row(
            params![
                id.as_str(),
                now.as_millis(),
                secret.map(SecretHash::as_bytes)
            ],
            token_row,
        )
        .optional()
}

pub(super) fn touch(t: &Transaction<'_>, id: &TokenId, now: Timestamp) -> Work<(), StoreError> {
    t.execute(
        "UPDATE api_token SET last_used = ?2 WHERE id = ?1",
        params![id.as_str(), now.as_millis()],
    )?;
    Ok(())
}

pub(super) fn revoke(
    t: &Transaction<'_>,
    id: &TokenId,
    user: Option<&Username>,
) -> Work<Option<Username>, StoreError> {
    let owner = t
        .query_row(
            "SELECT u.name FROM api_token t JOIN user u ON u.id = t.user
             WHERE t.id = ?1 AND (?2 IS NULL OR u.name = ?2)",
            params![id.as_str(), user.map(Username::as_str)],
            |row| parsed::<Username>(row, "name"),
        )
        .optional()?;
    if owner.is_some() {
        t.execute("DELETE FROM api_token WHERE id = ?1", [id.as_str()])?;
    }
    Ok(owner)
}
