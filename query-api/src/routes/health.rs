use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use schemas::api::{ErrorAnswer, HealthAnswer, HealthState};
use serde_json::json;

use crate::{ApiError, App, auth::Caller, health};

/// How Homelog and its sources do; why, of which class that is and what to do only with a token.
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "Healthy or degraded: a source that is down degrades", body = HealthAnswer),
        (status = 503, description = "Unhealthy: a part of Homelog itself does not work", body = HealthAnswer),
    )
)]
pub(crate) async fn health(State(app): State<App>, caller: Option<Caller>) -> Response {
    let health = health::health(&app).await;
    let mut answer = HealthAnswer::clone(&health);
    if caller.is_none() {
        for service in answer.services.values_mut() {
            *service = service.for_strangers();
        }
    }
    shown(answer)
}

/// The answer with the status that a load balancer looks at.
pub(crate) fn shown(answer: HealthAnswer) -> Response {
    let status = if answer.status == HealthState::Unhealthy {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

/// Whether the process answers at all.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    security(()),
    responses((status = 200, description = "It does"))
)]
pub(crate) async fn live() -> Response {
    (
        [(header::CACHE_CONTROL, "no-store")],
        Json(json!({"status": "alive"})),
    )
        .into_response()
}

/// Whether reads are complete: the store has everything that the log held at start.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "They are"),
        (status = 503, description = "The store is being rebuilt after a start", body = ErrorAnswer),
    )
)]
pub(crate) async fn ready(State(app): State<App>) -> Result<Response, ApiError> {
    if !*app.services.caught_up.borrow() {
        return Err(ApiError::unavailable(
            "rebuilding",
            "the time-series store is being rebuilt from the event log after a start",
            1,
        ));
    }
    Ok((
        [(header::CACHE_CONTROL, "no-store")],
        Json(json!({"status": "ready"})),
    )
        .into_response())
}
