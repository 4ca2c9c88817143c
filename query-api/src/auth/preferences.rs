use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use schemas::api::{ErrorAnswer, Preferences};

use super::{Auth, Caller, body::Body};
use crate::ApiError;

/// Largest body: what is allowed, with every character escaped.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// One's own preferences.
#[utoipa::path(
    get,
    path = "/api/v1/preferences",
    tag = "preferences",
    responses((status = 200, description = "What the user set", body = Preferences))
)]
pub(super) async fn get(
    State(auth): State<Arc<Auth>>,
    caller: Caller,
) -> Result<Json<Preferences>, ApiError> {
    let preferences = auth.control.preferences(&caller.name()?).await?;
    Ok(Json(Preferences { preferences }))
}

/// Replaces one's own preferences.
#[utoipa::path(
    put,
    path = "/api/v1/preferences",
    tag = "preferences",
    request_body = Preferences,
    responses(
        (status = 204, description = "They are kept"),
        (status = 400, description = "A key or value is too long", body = ErrorAnswer),
        (status = 409, description = "`too_many`", body = ErrorAnswer),
    )
)]
pub(super) async fn put(
    State(auth): State<Arc<Auth>>,
    caller: Caller,
    Body(request): Body<Preferences, MAX_BODY>,
) -> Result<StatusCode, ApiError> {
    auth.control
        .set_preferences(&caller.name()?, request.preferences)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
