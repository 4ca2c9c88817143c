//! The small face of a process without an API: its metrics and whether it does well.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};
use serde_json::json;
use supervision::Supervisor;
use tokio::{net::TcpListener, sync::Semaphore};
use tracing::error;

use crate::{
    ApiOptions, Probe, probe, routes,
    server::{self, Acceptor},
};

/// Most connections at once: health checks and scrapers are few.
const CONNECTIONS: usize = 32;

/// What is shown.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// Metrics of every part.
    pub registry: Arc<Mutex<Registry>>,
    /// How the parts do.
    pub probes: Vec<Probe>,
}

impl Monitor {
    /// Serves `/metrics`, `/health`, `/health/live` and `/health/ready` without a token, in tasks of the supervisor.
    ///
    /// # Errors
    /// The listener does not know its address.
    pub fn serve(self, listener: TcpListener, supervisor: &Supervisor) -> anyhow::Result<()> {
        let connections = Gauge::default();
        self.registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sub_registry_with_prefix("homelog_http")
            .register("connections", "Open connections", connections.clone());
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/health", get(health))
            .route("/health/live", get(routes::health::live))
            .route("/health/ready", get(ready))
            .with_state(Arc::new(self));
        server::start(
            Acceptor {
                listener,
                router,
                connections,
                supervisor: supervisor.clone(),
                tls: None,
                places: Arc::new(Semaphore::new(CONNECTIONS)),
                head_timeout: ApiOptions::default().head_timeout,
            },
            "monitor",
        )
    }
}

async fn metrics(State(monitor): State<Arc<Monitor>>) -> Response {
    routes::metrics::text(&monitor.registry).unwrap_or_else(|e| {
        error!("the metrics cannot be written: {e}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

async fn health(State(monitor): State<Arc<Monitor>>) -> Response {
    routes::health::shown(probe::answer(&monitor.probes))
}

async fn ready() -> Response {
    let head = [(header::CACHE_CONTROL, "no-store")];
    (head, Json(json!({"status": "ready"}))).into_response()
}
