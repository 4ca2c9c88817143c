use std::sync::{Mutex, PoisonError};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use schemas::api::ErrorAnswer;

use crate::{
    ApiError, App,
    auth::Caller,
    guard::{Client, Proxy},
};

/// Own metrics for Prometheus: to the networks of `[api] metrics_from`, else with a token.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses(
        (status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"),
        (status = 401, description = "Neither from a network of `metrics_from` nor with a valid token", body = ErrorAnswer),
    )
)]
pub(crate) async fn metrics(
    State(app): State<App>,
    client: Client,
    caller: Option<Caller>,
) -> Result<Response, ApiError> {
    let is_allowed = caller.is_some() || is_near(&app, client);
    if !is_allowed {
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "metrics are given to the networks of `[api] metrics_from`, else with a token",
        ));
    }
    text(&app.services.registry).map_err(|e| ApiError::internal(&e))
}

/// All of a registry.
///
/// # Errors
/// A metric cannot be written.
pub(crate) fn text(registry: &Mutex<Registry>) -> Result<Response, std::fmt::Error> {
    let mut text = String::new();
    {
        let registry = registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry)?;
    }
    let head = [
        (
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((head, text).into_response())
}

/// Behind a proxy that is not trusted the address is the proxy's, which says nothing about who asks.
fn is_near(app: &App, client: Client) -> bool {
    let address = client.address.to_canonical();
    let is_known = client.proxy != Proxy::Stranger;
    is_known
        && app
            .options
            .metrics_from
            .iter()
            .any(|network| network.contains(&address))
}
