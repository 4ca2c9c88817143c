use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};

/// What the shipper counts.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Events that were acknowledged and were not there before.
    pub shipped: Counter,
    /// Events that were there already.
    pub duplicates: Counter,
    /// Events that the destination refused for good; they are dead letters now.
    pub refused: Counter,
    /// Events that an overflowing spool dropped and declared.
    pub dropped: Counter,
    /// Appends that failed and were repeated.
    pub retries: Counter,
    /// Times that events were sent again because the destination had lost them.
    pub rewinds: Counter,
    /// Events that wait.
    pub backlog: Gauge,
    /// Age of the oldest of them.
    pub oldest: Gauge,
    /// 1 while the destination takes events.
    pub up: Gauge,
}

impl Metrics {
    /// Registers all of them under `homelog_shipper_…`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("homelog_shipper");
        registry.register(
            "events",
            "Events that the destination acknowledged",
            metrics.shipped.clone(),
        );
        registry.register(
            "duplicates",
            "Events that the destination had already",
            metrics.duplicates.clone(),
        );
        registry.register(
            "refused",
            "Events that the destination refused for good",
            metrics.refused.clone(),
        );
        registry.register(
            "dropped",
            "Events that an overflowing spool dropped and declared",
            metrics.dropped.clone(),
        );
        registry.register(
            "retries",
            "Appends that failed and were repeated",
            metrics.retries.clone(),
        );
        registry.register(
            "rewinds",
            "Times that events were sent again because the destination had lost them",
            metrics.rewinds.clone(),
        );
        registry.register(
            "backlog_events",
            "Events that wait in the spool",
            metrics.backlog.clone(),
        );
        registry.register_with_unit(
            "oldest_waiting",
            "Age of the oldest event that waits in the spool",
            Unit::Seconds,
            metrics.oldest.clone(),
        );
        registry.register(
            "up",
            "1 while the destination takes events",
            metrics.up.clone(),
        );
        metrics
    }
}
