use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// Why a dead letter was put aside; bounded.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReasonLabel {
    /// Stable name of the reason.
    pub reason: String,
}

/// Ingest's own metrics.
#[derive(Clone, Debug, Default)]
pub struct IngestMetrics {
    /// Entries taken from the log.
    pub events: Counter,
    /// Points written to the store.
    pub points: Counter,
    /// What was put aside, by reason.
    pub dead_letters: Family<ReasonLabel, Counter>,
    /// Points whose time was too far ahead and that are stored at their arrival.
    pub clock_ahead: Counter,
    /// Entries of the log that are not yet in the store.
    pub lag_events: Gauge,
    /// How long ago the oldest entry was logged that is not yet in the store.
    pub lag_seconds: Gauge<f64, AtomicU64>,
    /// Writes to the store that were tried again.
    pub retries: Counter,
}

impl IngestMetrics {
    /// Makes the metrics known to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let ingest = registry.sub_registry_with_prefix("homelog_ingest");
        ingest.register(
            "events",
            "Entries taken from the log",
            metrics.events.clone(),
        );
        ingest.register(
            "points",
            "Points written to the store",
            metrics.points.clone(),
        );
        ingest.register(
            "dead_letters",
            "What was put aside, by reason",
            metrics.dead_letters.clone(),
        );
        ingest.register(
            "clock_ahead",
            "Points whose time was too far ahead and that are stored at their arrival",
            metrics.clock_ahead.clone(),
        );
        ingest.register(
            "lag_events",
            "Entries of the log that are not yet in the store",
            metrics.lag_events.clone(),
        );
        ingest.register_with_unit(
            "lag",
            "How long ago the oldest entry was logged that is not yet in the store",
            Unit::Seconds,
            metrics.lag_seconds.clone(),
        );
        ingest.register(
            "retries",
            "Writes to the store that were tried again",
            metrics.retries.clone(),
        );
        metrics
    }
}
