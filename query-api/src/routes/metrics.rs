use std::{net::SocketAddr, sync::PoisonError};

use axum::{
    extract::{ConnectInfo, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use prometheus_client::encoding::text::encode;
use schemas::api::ErrorAnswer;

use crate::{ApiError, App};

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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !is_direct(&headers) || !is_near(&app, peer) {
        app.services.auth.authenticate(&headers, None).await?;
    }
    let mut text = String::new();
    {
        let registry = app
            .services
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry).map_err(|e| ApiError::internal(&e))?;
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

/// Behind a proxy the address is the proxy's, which says nothing about who asks.
fn is_direct(headers: &HeaderMap) -> bool {
    !["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

fn is_near(app: &App, peer: SocketAddr) -> bool {
    let address = peer.ip().to_canonical();
    app.options
        .metrics_from
        .iter()
        .any(|network| network.contains(&address))
}
