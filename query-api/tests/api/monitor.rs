//! The small face of a process without an API.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use prometheus_client::{metrics::counter::Counter, registry::Registry};
use query_api::{Monitor, Probe};
use schemas::api::{HealthState, ServiceHealth};
use serde_json::Value;
use supervision::Supervisor;
use tokio::net::TcpListener;

#[tokio::test]
async fn metrics_and_health_are_told_without_a_token_and_nothing_else() {
    let supervisor = Supervisor::new();
    let mut registry = Registry::default();
    let counter: Counter = Counter::default();
    registry.register("things", "Things", counter.clone());
    counter.inc();
    let well = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&well);
    let waiting = Probe::new("event_log", || {
        ServiceHealth::new(
            HealthState::Degraded,
            Some("the brokers are away".to_owned()),
        )
    });
    let worker = Probe::new("ingest", move || {
        let status = if asked.load(Ordering::Relaxed) {
            HealthState::Healthy
        } else {
            HealthState::Unhealthy
        };
        ServiceHealth::new(status, None)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    Monitor {
        registry: Arc::new(Mutex::new(registry)),
        probes: vec![waiting, worker],
    }
    .serve(listener, &supervisor)
    .unwrap();

    let http = reqwest::Client::builder().build().unwrap();
    let get = async |path: &str| http.get(format!("{url}{path}")).send().await.unwrap();
    let answer = get("/health").await;
    assert_eq!(answer.status(), 200);
    let health: Value = answer.json().await.unwrap();
    assert_eq!(health["status"], "degraded");
    assert_eq!(
        health["services"]["event_log"]["reason"],
        "the brokers are away"
    );
    well.store(false, Ordering::Relaxed);
    assert_eq!(get("/health").await.status(), 503);
    assert_eq!(get("/health/live").await.status(), 200);
    let metrics = get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("things_total 1"), "{metrics}");
    for other in ["/", "/api/v1/events", "/auth/login"] {
        assert_eq!(get(other).await.status(), 404, "{other}");
    }
    supervisor.drain(std::time::Duration::from_secs(5)).await;
}
