use deadpool_postgres::{GenericClient, Transaction};
use schemas::Timestamp;

use super::{
    time,
    transaction::{Failure, Work, first, parsed, run},
    users,
};
use crate::{
    NewSession, Rotation, RotationRule, SecretHash, Session, SessionId, StoreError, UserError,
    Username, limits,
};

pub(super) async fn open(t: &Transaction<'_>, new: &NewSession, now: Timestamp) -> Work<Session> {
    let row = users::known(t, &new.user).await?;
    if !row.user.enabled {
        return Err(UserError::Disabled(new.user.clone()).into());
    }
    if row.user.epoch != new.epoch {
        return Err(UserError::Changed(new.user.clone()).into());
    }
    // what another instance is at is left to it
    run(
        t,
        "DELETE FROM session WHERE id IN (
             SELECT id FROM session WHERE idle_until <= $1 OR expires <= $1 FOR UPDATE SKIP LOCKED)",
        &[&now.as_millis()],
    )
    .await?;
    run(
        t,
        "INSERT INTO session (id, user_id, created, idle_until, expires) VALUES ($1, $2, $3, $4, $5)",
        &[
            &new.id.as_str(),
            &row.id,
            &now.as_millis(),
            &new.idle_until.min(new.expires).as_millis(),
            &new.expires.as_millis(),
        ],
    )
    .await?;
    run(
        t,
        "INSERT INTO refresh (hash, session) VALUES ($1, $2)",
        &[&new.refresh.as_bytes().as_slice(), &new.id.as_str()],
    )
    .await?;
    run(
        t,
        "DELETE FROM session WHERE user_id = $1 AND id <> $2 AND id NOT IN (
             SELECT id FROM session WHERE user_id = $1 AND id <> $2
             ORDER BY idle_until DESC, created DESC LIMIT $3)",
        &[&row.id, &new.id.as_str(), &(limits::SESSIONS_PER_USER - 1)],
    )
    .await?;
    run(
        t,
        "UPDATE users SET last_login = $2 WHERE id = $1",
        &[&row.id, &now.as_millis()],
    )
    .await?;
    find(t, &new.id, now)
        .await?
        .ok_or_else(|| Failure::Unreadable("a session that was just opened is over".to_owned()))
}

pub(super) async fn find<E>(
    client: &impl GenericClient,
    id: &SessionId,
    now: Timestamp,
) -> Work<Option<Session>, E> {
    if id.as_str().contains('\0') {
        return Ok(None);
    }
    let row = first(
        client,
        "SELECT u.name, u.role, u.epoch, s.expires
         FROM session s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND u.enabled AND s.idle_until > $2 AND s.expires > $2",
        &[&id.as_str(), &now.as_millis()],
    )
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some(Session {
        id: id.clone(),
        user: parsed(&row, "name")?,
        role: parsed(&row, "role")?,
        epoch: row.try_get("epoch")?,
        expires: time(&row, "expires")?,
    }))
}

/// The session's row is locked first: of many uses of one token at once, in any instance, the next one sees what the one
/// before it did. Whoever ends a session locks that row too.
pub(super) async fn rotate(
    t: &Transaction<'_>,
    presented: &SecretHash,
    next: &SecretHash,
    rule: RotationRule,
    now: Timestamp,
) -> Work<Rotation, StoreError> {
    let hash = presented.as_bytes().as_slice();
    let locked = first(
        t,
        "SELECT id FROM session WHERE id = (SELECT session FROM refresh WHERE hash = $1) FOR UPDATE",
        &[&hash],
    )
    .await?;
    let Some(locked) = locked else {
        return Ok(Rotation::Unknown);
    };
    let id = SessionId::new(locked.try_get("id")?);
    let Some(session) = find(t, &id, now).await? else {
        return Ok(Rotation::Unknown);
    };
    let Some(refresh) = first(t, "SELECT used FROM refresh WHERE hash = $1", &[&hash]).await?
    else {
        return Ok(Rotation::Unknown);
    };
    match refresh
        .try_get::<_, Option<i64>>("used")?
        .map(Timestamp::from_millis)
    {
        None => {
            advance(t, &session, presented, next, rule, now).await?;
            Ok(Rotation::Rotated(session))
        }
        Some(used) if now.since(used) <= rule.grace_ms => Ok(Rotation::Repeated {
            next_is_current: is_current(t, &id, next).await?,
            session,
        }),
        Some(_) => {
            end(t, &id).await?;
            Ok(Rotation::Reused(session.user))
        }
    }
}

async fn advance(
    t: &Transaction<'_>,
    session: &Session,
    presented: &SecretHash,
    next: &SecretHash,
    rule: RotationRule,
    now: Timestamp,
) -> Result<(), tokio_postgres::Error> {
    run(
        t,
        "UPDATE refresh SET used = $2 WHERE hash = $1",
        &[&presented.as_bytes().as_slice(), &now.as_millis()],
    )
    .await?;
    run(
        t,
        "INSERT INTO refresh (hash, session) VALUES ($1, $2)",
        &[&next.as_bytes().as_slice(), &session.id.as_str()],
    )
    .await?;
    run(
        t,
        "DELETE FROM refresh WHERE session = $1 AND used < $2",
        &[
            &session.id.as_str(),
            &now.plus_millis(-limits::USED_REFRESH_MS).as_millis(),
        ],
    )
    .await?;
    let idle_until = now.plus_millis(rule.idle_ms).min(session.expires);
    run(
        t,
        "UPDATE session SET idle_until = $2 WHERE id = $1",
        &[&session.id.as_str(), &idle_until.as_millis()],
    )
    .await?;
    Ok(())
}

async fn is_current(
    t: &Transaction<'_>,
    id: &SessionId,
    refresh: &SecretHash,
) -> Result<bool, tokio_postgres::Error> {
    let found = first(
        t,
        "SELECT 1 FROM refresh WHERE session = $1 AND hash = $2 AND used IS NULL",
        &[&id.as_str(), &refresh.as_bytes().as_slice()],
    )
    .await?;
    Ok(found.is_some())
}

pub(super) async fn end(
    client: &impl GenericClient,
    id: &SessionId,
) -> Result<bool, tokio_postgres::Error> {
    if id.as_str().contains('\0') {
        return Ok(false);
    }
    Ok(run(client, "DELETE FROM session WHERE id = $1", &[&id.as_str()]).await? == 1)
}

pub(super) async fn end_of(
    t: &Transaction<'_>,
    refresh: &SecretHash,
) -> Work<Option<Username>, StoreError> {
    let ended = first(
        t,
        "DELETE FROM session s USING users u
         WHERE s.id = (SELECT session FROM refresh WHERE hash = $1) AND u.id = s.user_id
         RETURNING u.name",
        &[&refresh.as_bytes().as_slice()],
    )
    .await?;
    ended.map(|row| parsed(&row, "name")).transpose()
}
