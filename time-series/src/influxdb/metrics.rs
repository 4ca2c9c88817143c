//! What the store counts about itself.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// What an InfluxDB store counts. A clone counts into the same metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Points acknowledged.
    pub(super) points: Counter,
    /// Points and values refused for good.
    pub(super) refused_points: Counter,
    /// Points that wait or are in flight.
    pub(super) pending_points: Gauge,
    /// Write requests made.
    pub(super) requests: Counter,
    /// Write requests that failed and are made again.
    pub(super) retries: Counter,
    /// Batches that were split because the server refused a part of them.
    pub(super) splits: Counter,
    /// Bytes of line protocol.
    pub(super) line_bytes: Counter,
    /// Bytes sent, compressed.
    pub(super) sent_bytes: Counter,
    /// How long a write request took.
    pub(super) request_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            points: Counter::default(),
            refused_points: Counter::default(),
            pending_points: Gauge::default(),
            requests: Counter::default(),
            retries: Counter::default(),
            splits: Counter::default(),
            line_bytes: Counter::default(),
            sent_bytes: Counter::default(),
            request_seconds: Histogram::new([0.005, 0.02, 0.05, 0.2, 1.0, 5.0, 30.0]),
        }
    }
}

impl Metrics {
    /// New metrics that a registry shows.
    pub fn register(registry: &mut Registry) -> Self {
        let new = Self::default();
        let store = registry.sub_registry_with_prefix("homelog_store");
        store.register("points", "Points acknowledged", new.points.clone());
        store.register(
            "refused_points",
            "Points and values that the store refused for good",
            new.refused_points.clone(),
        );
        store.register(
            "pending_points",
            "Points that wait for the store or are on their way",
            new.pending_points.clone(),
        );
        store.register("write_requests", "Write requests", new.requests.clone());
        store.register(
            "write_retries",
            "Write requests that failed and were made again",
            new.retries.clone(),
        );
        store.register(
            "write_splits",
            "Batches that were split because the store refused a part of them",
            new.splits.clone(),
        );
        store.register_with_unit(
            "line_protocol",
            "Size of what was written, before compression",
            Unit::Bytes,
            new.line_bytes.clone(),
        );
        store.register_with_unit(
            "sent",
            "Size of what was written, as it was sent",
            Unit::Bytes,
            new.sent_bytes.clone(),
        );
        store.register_with_unit(
            "write_request",
            "How long a write request took",
            Unit::Seconds,
            new.request_seconds.clone(),
        );
        new
    }
}
