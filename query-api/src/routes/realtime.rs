use std::sync::Arc;

use axum::{
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    response::Response,
};
use schemas::api::ErrorAnswer;

use crate::{ApiError, App, auth::Caller, socket::Socket};

/// Longest message of a client, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;
/// What is set aside for each direction of a connection, in bytes.
const BUFFER: usize = 8 * 1024;
/// What a client that does not read may make us hold, in bytes.
const MAX_UNSENT: usize = 1024 * 1024;

/// Events over a WebSocket.
///
/// The client sends `ClientMessage`s: `{"op":"subscribe","id":"a","filter":{"source","entity","type","event"},"from":POSITION}`,
/// `{"op":"unsubscribe","id":"a"}`, `{"op":"ping"}`. The server sends `ServerMessage`s: `subscribed` with the position where the
/// subscription begins, `nas-update`, `proxmox-update`, `pihole-update`, `home-assistant-update`, for all else
/// `<entity type>-update` such as `container-update` and `source-update`, with an event and its position, `unsubscribed`, `pong`,
/// `error`, and `gap` with `oldest` and `newest` where the log does not have what comes next; its `position` tells where the
/// subscription goes on.
#[utoipa::path(
    get,
    path = "/realtime",
    tag = "live",
    params(("ticket" = Option<String>, Query, description = "A ticket instead of a token, for browsers")),
    responses(
        (status = 101, description = "The connection is a WebSocket now"),
        (status = 400, description = "Not the opening of a WebSocket", body = ErrorAnswer),
        (status = 401, description = "No valid token or ticket", body = ErrorAnswer),
        (status = 429, description = "Too many streams of one user", body = ErrorAnswer),
    )
)]
pub(crate) async fn realtime(
    State(app): State<App>,
    caller: Caller,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|e| {
        ApiError::new(
            e.status(),
            "websocket_required",
            format!("this path is a WebSocket: {}", e.body_text()),
        )
    })?;
    let place = app.streams.open(&caller.username)?;
    Ok(upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .max_write_buffer_size(MAX_UNSENT)
        .on_upgrade(move |socket| async move {
            let supervisor = app.supervisor.clone();
            let run = Socket::new(app, Arc::new(caller), place).run(socket);
            // from here on the supervisor knows it, so that a stop waits for its goodbye
            supervisor.spawn_transient("api/realtime", run);
        }))
}
