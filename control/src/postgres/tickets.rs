use deadpool_postgres::Transaction;
use schemas::Timestamp;

use super::transaction::{Work, first, run};
use crate::{NewTicket, Principal, SecretHash, SessionId, StoreError, TicketUse, TokenId, limits};

pub(super) async fn issue(
    t: &Transaction<'_>,
    new: &NewTicket,
    now: Timestamp,
) -> Work<(), StoreError> {
    let (session, token) = match &new.owner {
        Principal::Session(id) => (Some(id.as_str()), None),
        Principal::Token(id) => (None, Some(id.as_str())),
    };
    // the owner's row is locked, so that two instances count the same tickets
    let owner = match session {
        Some(_) => "SELECT 1 FROM session WHERE id = $1 FOR NO KEY UPDATE",
        None => "SELECT 1 FROM api_token WHERE id = $1 FOR NO KEY UPDATE",
    };
    first(t, owner, &[&session.or(token)]).await?;
    // what another instance is at is left to it
    run(
        t,
        "DELETE FROM ticket WHERE id IN (
             SELECT id FROM ticket WHERE stream IS NULL AND expires <= $1 FOR UPDATE SKIP LOCKED)",
        &[&now.as_millis()],
    )
    .await?;
    run(
        t,
        "INSERT INTO ticket (hash, session, token, expires) VALUES ($1, $2, $3, $4)",
        &[
            &new.hash.as_bytes().as_slice(),
            &session,
            &token,
            &new.expires.as_millis(),
        ],
    )
    .await?;
    run(
        t,
        "DELETE FROM ticket WHERE (session = $1 OR token = $2) AND id NOT IN (
             SELECT id FROM ticket WHERE session = $1 OR token = $2 ORDER BY id DESC LIMIT $3)",
        &[&session, &token, &limits::TICKETS_PER_OWNER],
    )
    .await?;
    Ok(())
}

/// One statement takes the ticket or binds it: of many tries at once, in any instance, one finds it free.
pub(super) async fn redeem(
    t: &Transaction<'_>,
    ticket: &SecretHash,
    usage: TicketUse,
    now: Timestamp,
) -> Work<Option<Principal>, StoreError> {
    let hash = ticket.as_bytes().as_slice();
    let now = now.as_millis();
    let row = match usage {
        TicketUse::Once => {
            let sql = "DELETE FROM ticket WHERE hash = $1 AND stream IS NULL AND expires > $2
                 RETURNING session, token";
            first(t, sql, &[&hash, &now]).await?
        }
        TicketUse::Stream(stream) => {
            let sql = "UPDATE ticket SET stream = $3
                 WHERE hash = $1 AND (stream = $3 OR stream IS NULL AND expires > $2)
                 RETURNING session, token";
            first(t, sql, &[&hash, &now, &stream.as_bytes().as_slice()]).await?
        }
    };
    let Some(row) = row else {
        return Ok(None);
    };
    let session: Option<&str> = row.try_get("session")?;
    let token: Option<&str> = row.try_get("token")?;
    Ok(match (session, token) {
        (Some(session), _) => Some(Principal::Session(SessionId::new(session))),
        (None, Some(token)) => Some(Principal::Token(TokenId::new(token))),
        (None, None) => None,
    })
}
