use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params, params};
use schemas::Timestamp;

use super::{Work, parsed, time, users};
use crate::{
    NewSession, Rotation, RotationRule, SecretHash, Session, SessionId, StoreError, UserError,
    Username, limits,
};

pub(super) fn open(t: &Transaction<'_>, new: &NewSession, now: Timestamp) -> Work<Session> {
    let row = users::known(t, &new.user)?;
    if !row.user.enabled {
        return Err(UserError::Disabled(new.user.clone()).into());
    }
    if row.user.epoch != new.epoch {
        return Err(UserError::Changed(new.user.clone()).into());
    }
    t.execute(
        "DELETE FROM session WHERE idle_until <= ?1 OR expires <= ?1",
        [now.as_millis()],
    )?;
    t.execute(
        "INSERT INTO session (id, user, created, idle_until, expires)
         VALUES (:id, :user, :now, :idle_until, :expires)",
        named_params! {
            ":id": new.id.as_str(),
            ":user": row.id,
            ":now": now.as_millis(),
            ":idle_until": new.idle_until.min(new.expires).as_millis(),
            ":expires": new.expires.as_millis(),
        },
    )?;
    t.execute(
        "INSERT INTO refresh (hash, session) VALUES (?1, ?2)",
        params![new.refresh.as_bytes(), new.id.as_str()],
    )?;
    t.execute(
        "DELETE FROM session WHERE user = ?1 AND id <> ?2 AND id NOT IN (
             SELECT id FROM session WHERE user = ?1 AND id <> ?2
             ORDER BY idle_until DESC, created DESC LIMIT ?3)",
        params![row.id, new.id.as_str(), limits::SESSIONS_PER_USER - 1],
    )?;
    t.execute(
        "UPDATE user SET last_login = ?2 WHERE id = ?1",
        params![row.id, now.as_millis()],
    )?;
    Ok(find(t, &new.id, now)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
}

pub(super) fn find(
    connection: &Connection,
    id: &SessionId,
    now: Timestamp,
) -> rusqlite::Result<Option<Session>> {
    connection
        .prepare_cached(
            "SELECT s.id, u.name, u.role, u.epoch, s.expires
             FROM session s JOIN user u ON u.id = s.user
             WHERE s.id = ?1 AND u.enabled AND s.idle_until > ?2 AND s.expires > ?2",
        )?
        .query_row(params![id.as_str(), now.as_millis()], |row| {
            Ok(Session {
                id: id.clone(),
                user: parsed(row, "name")?,
                role: parsed(row, "role")?,
                epoch: row.get("epoch")?,
                expires: time(row, "expires")?,
            })
        })
        .optional()
}

pub(super) fn rotate(
    t: &Transaction<'_>,
    presented: &SecretHash,
    next: &SecretHash,
    rule: RotationRule,
    now: Timestamp,
) -> Work<Rotation, StoreError> {
    let Some((id, used)) = t
        .query_row(
            "SELECT session, used FROM refresh WHERE hash = ?1",
            [presented.as_bytes()],
            |row| {
                let id: String = row.get(0)?;
                Ok((SessionId::new(&id), row.get::<_, Option<i64>>(1)?))
            },
        )
        .optional()?
    else {
        return Ok(Rotation::Unknown);
    };
    let Some(session) = find(t, &id, now)? else {
        return Ok(Rotation::Unknown);
    };
    match used.map(Timestamp::from_millis) {
        None => {
            advance(t, &session, presented, next, rule, now)?;
            Ok(Rotation::Rotated(session))
        }
        Some(used) if now.since(used) <= rule.grace_ms => Ok(Rotation::Repeated {
            next_is_current: is_current(t, &id, next)?,
            session,
        }),
        Some(_) => {
            t.execute("DELETE FROM session WHERE id = ?1", [id.as_str()])?;
            Ok(Rotation::Reused(session.user))
        }
    }
}

fn advance(
    t: &Transaction<'_>,
    session: &Session,
    presented: &SecretHash,
    next: &SecretHash,
    rule: RotationRule,
    now: Timestamp,
) -> rusqlite::Result<()> {
    t.execute(
        "UPDATE refresh SET used = ?2 WHERE hash = ?1",
        params![presented.as_bytes(), now.as_millis()],
    )?;
    t.execute(
        "INSERT INTO refresh (hash, session) VALUES (?1, ?2)",
        params![next.as_bytes(), session.id.as_str()],
    )?;
    t.execute(
        "DELETE FROM refresh WHERE session = ?1 AND used < ?2",
        params![
            session.id.as_str(),
            now.plus_millis(-limits::USED_REFRESH_MS).as_millis()
        ],
    )?;
    t.execute(
        "UPDATE session SET idle_until = ?2 WHERE id = ?1",
        params![
            session.id.as_str(),
            now.plus_millis(rule.idle_ms)
                .min(session.expires)
                .as_millis()
        ],
    )?;
    Ok(())
}

fn is_current(t: &Transaction<'_>, id: &SessionId, refresh: &SecretHash) -> rusqlite::Result<bool> {
    t.query_row(
        "SELECT count(*) FROM refresh WHERE session = ?1 AND hash = ?2 AND used IS NULL",
        params![id.as_str(), refresh.as_bytes()],
        |row| Ok(row.get::<_, i64>(0)? == 1),
    )
}

pub(super) fn end(t: &Transaction<'_>, id: &SessionId) -> Work<bool, StoreError> {
    Ok(t.execute("DELETE FROM session WHERE id = ?1", [id.as_str()])? == 1)
}

pub(super) fn end_of(
    t: &Transaction<'_>,
    refresh: &SecretHash,
) -> Work<Option<Username>, StoreError> {
    let found = t
        .query_row(
            "SELECT s.id, u.name FROM refresh r
             JOIN session s ON s.id = r.session JOIN user u ON u.id = s.user
             WHERE r.hash = ?1",
            [refresh.as_bytes()],
            |row| Ok((row.get::<_, String>(0)?, parsed::<Username>(row, "name")?)),
        )
        .optional()?;
    let Some((id, user)) = found else {
        return Ok(None);
    };
    end(t, &SessionId::new(&id))?;
    Ok(Some(user))
}
