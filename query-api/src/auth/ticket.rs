use std::sync::Arc;

use axum::{Json, extract::State, response::IntoResponse};
use control::{NewTicket, SecretHash, random_secret};
use schemas::{
    Timestamp,
    api::{ErrorAnswer, Ticket},
};
use secrecy::ExposeSecret;

use super::{Auth, Caller, login, options::millis};
use crate::ApiError;

/// A ticket for a WebSocket or an event stream, which browsers open without headers.
#[utoipa::path(
    post,
    path = "/auth/ticket",
    tag = "auth",
    responses(
        (status = 200, description = "Opens one WebSocket, or one event stream and its reconnects while the session lives", body = Ticket),
        (status = 401, description = "No valid token", body = ErrorAnswer),
    )
)]
pub(super) async fn issue(
    State(auth): State<Arc<Auth>>,
    caller: Caller,
) -> Result<impl IntoResponse, ApiError> {
    let now = Timestamp::now();
    let ticket = random_secret().map_err(|e| ApiError::internal(&e))?;
    let owner = caller
        .principal()
        .ok_or_else(|| ApiError::internal(&"a caller without session and token"))?;
    let new = NewTicket {
        hash: SecretHash::of_secret(&ticket),
        owner,
        expires: now.plus_millis(millis(auth.options.ticket_ttl)),
    };
    auth.control.issue_ticket(new, now).await?;
    let body = Ticket {
        ticket: ticket.expose_secret().to_owned(),
        expires_in: auth.options.ticket_ttl.as_secs(),
    };
    Ok((login::private(), Json(body)))
}
