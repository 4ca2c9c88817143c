use deadpool_postgres::{GenericClient, Transaction};
use schemas::{Timestamp, api::Role, name::AgentName};
use tokio_postgres::Row;

use super::{
    maybe_time, time,
    transaction::{Work, all, first, maybe_parsed, one, parsed, run},
    users,
};
use crate::{
    ApiToken, NewApiToken, SecretHash, StoreError, TokenId, UserError, Username, error, limits,
};

const SELECT: &str = "SELECT t.id, t.name AS title, u.name AS user_name, t.role, u.role AS most,
     t.agent, t.created, t.expires, t.last_used
     FROM api_token t JOIN users u ON u.id = t.user_id";

fn token_row<E>(row: &Row) -> Work<ApiToken, E> {
    Ok(ApiToken {
        id: TokenId::new(row.try_get("id")?),
        name: row.try_get("title")?,
        user: parsed(row, "user_name")?,
        role: parsed::<Role, E>(row, "role")?.min(parsed(row, "most")?),
        agent: maybe_parsed(row, "agent")?,
        created: time(row, "created")?,
        expires: maybe_time(row, "expires")?,
        last_used: maybe_time(row, "last_used")?,
    })
}

pub(super) async fn list(
    client: &impl GenericClient,
    user: Option<&Username>,
) -> Work<Vec<ApiToken>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE $1::text IS NULL OR u.name = $1
         ORDER BY t.created DESC, t.id COLLATE \"C\""
    );
    all(client, &sql, &[&user.map(Username::as_str)])
        .await?
        .iter()
        .map(token_row)
        .collect()
}

pub(super) async fn create(
    t: &Transaction<'_>,
    new: &NewApiToken,
    now: Timestamp,
) -> Work<ApiToken> {
    error::bounded("the name of a token", &new.name, limits::TOKEN_NAME)?;
    let owner = users::known(t, &new.user).await?;
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
    run(
        t,
        "DELETE FROM api_token WHERE user_id = $1 AND expires <= $2",
        &[&owner.id, &now.as_millis()],
    )
    .await?;
    let count: i64 = one(
        t,
        "SELECT count(*) FROM api_token WHERE user_id = $1",
        &[&owner.id],
    )
    .await?
    .try_get(0)?;
    if count >= limits::TOKENS_PER_USER {
        return Err(UserError::too_many("tokens of one user", limits::TOKENS_PER_USER).into());
    }
    run(
        t,
        "INSERT INTO api_token (id, hash, name, user_id, role, created, expires, agent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &new.id.as_str(),
            &new.hash.as_bytes().as_slice(),
            &new.name,
            &owner.id,
            &new.role.as_str(),
            &now.as_millis(),
            &new.expires.map(Timestamp::as_millis),
            &new.agent.as_ref().map(AgentName::as_str),
        ],
    )
    .await?;
    token_row(&one(t, &format!("{SELECT} WHERE t.id = $1"), &[&new.id.as_str()]).await?)
}

pub(super) async fn find(
    client: &impl GenericClient,
    id: &TokenId,
    secret: Option<&SecretHash>,
    now: Timestamp,
) -> Work<Option<ApiToken>, StoreError> {
    if id.as_str().contains('\0') {
        return Ok(None);
    }
    let sql = format!(
        "{SELECT} WHERE t.id = $1 AND u.enabled AND (t.expires IS NULL OR t.expires > $2)
         AND ($3::bytea IS NULL OR t.hash = $3)"
    );
    let secret = secret.map(|hash| hash.as_bytes().as_slice());
    first(client, &sql, &[&id.as_str(), &now.as_millis(), &secret])
        .await?
        .as_ref()
        .map(token_row)
        .transpose()
}

pub(super) async fn touch(
    client: &impl GenericClient,
    id: &TokenId,
    now: Timestamp,
) -> Work<(), StoreError> {
    if id.as_str().contains('\0') {
        return Ok(());
    }
    run(
        client,
        "UPDATE api_token SET last_used = $2 WHERE id = $1",
        &[&id.as_str(), &now.as_millis()],
    )
    .await?;
    Ok(())
}

pub(super) async fn revoke(
    t: &Transaction<'_>,
    id: &TokenId,
    user: Option<&Username>,
) -> Work<Option<Username>, StoreError> {
    if id.as_str().contains('\0') {
        return Ok(None);
    }
    let revoked = first(
        t,
        "DELETE FROM api_token t USING users u
         WHERE t.id = $1 AND u.id = t.user_id AND ($2::text IS NULL OR u.name = $2)
         RETURNING u.name",
        &[&id.as_str(), &user.map(Username::as_str)],
    )
    .await?;
    revoked.map(|row| parsed(&row, "name")).transpose()
}
