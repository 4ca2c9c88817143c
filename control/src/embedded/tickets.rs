use rusqlite::{OptionalExtension as _, Transaction, params};
use schemas::Timestamp;

use super::Work;
use crate::{NewTicket, Principal, SecretHash, SessionId, StoreError, TicketUse, TokenId, limits};

pub(super) fn issue(t: &Transaction<'_>, new: &NewTicket, now: Timestamp) -> Work<(), StoreError> {
    let (session, token) = match &new.owner {
        Principal::Session(id) => (Some(id.as_str()), None),
        Principal::Token(id) => (None, Some(id.as_str())),
    };
    t.execute(
        "DELETE FROM ticket WHERE stream IS NULL AND expires <= ?1",
        [now.as_millis()],
    )?;
    t.execute(
        "INSERT INTO ticket (hash, session, token, expires) VALUES (?1, ?2, ?3, ?4)",
        params![new.hash.as_bytes(), session, token, new.expires.as_millis()],
    )?;
    t.execute(
        "DELETE FROM ticket WHERE session IS ?1 AND token IS ?2 AND id NOT IN (
             SELECT id FROM ticket WHERE session IS ?1 AND token IS ?2 ORDER BY id DESC LIMIT ?3)",
        params![session, token, limits::TICKETS_PER_OWNER],
    )?;
    Ok(())
}

pub(super) fn redeem(
    t: &Transaction<'_>,
    ticket: &SecretHash,
    usage: TicketUse,
    now: Timestamp,
) -> Work<Option<Principal>, StoreError> {
    let found = t
        .query_row(
            "SELECT id, session, token, expires, stream FROM ticket WHERE hash = ?1",
            [ticket.as_bytes()],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, Option<String>>(1)?,
                    row.get::<_, Option<String>>(2)?,
                    Timestamp::from_millis(row.get(3)?),
                    row.get::<_, Option<Vec<u8>>>(4)?,
                ))
            },
        )
        .optional()?;
    let Some((id, session, token, expires, bound)) = found else {
        return Ok(None);
    };
    match (usage, bound) {
        (TicketUse::Once, None) if now < expires => {
            t.execute("DELETE FROM ticket WHERE id = ?1", [id])?;
        }
        (TicketUse::Stream(stream), None) if now < expires => {
            t.execute(
                "UPDATE ticket SET stream = ?2 WHERE id = ?1",
                params![id, stream.as_bytes()],
            )?;
        }
        (TicketUse::Stream(stream), Some(bound)) if bound == stream.as_bytes() => {}
        _ => return Ok(None),
    }
    Ok(match (session, token) {
        (Some(session), _) => Some(Principal::Session(SessionId::new(&session))),
        (None, Some(token)) => Some(Principal::Token(TokenId::new(&token))),
        (None, None) => None,
    })
}
