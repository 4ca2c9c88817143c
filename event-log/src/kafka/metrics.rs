use prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// What a log on Kafka counts of itself. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) appended: Counter,
    pub(super) duplicates: Counter,
    pub(super) refused: Counter,
    pub(super) append_seconds: Histogram,
    pub(super) in_flight: Gauge,
    /// Requests that the producer sent to a broker again.
    pub retries: Counter,
    pub(super) recoveries: Counter,
    pub(super) echoes: Counter,
    pub(super) trimmed: Counter,
    pub(super) snapshots: Counter,
    pub(super) rebuilt: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            appended: Counter::default(),
            duplicates: Counter::default(),
            refused: Counter::default(),
            // 1 ms to 32 s
            append_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            in_flight: Gauge::default(),
            retries: Counter::default(),
            recoveries: Counter::default(),
            echoes: Counter::default(),
            trimmed: Counter::default(),
            snapshots: Counter::default(),
            rebuilt: Counter::default(),
        }
    }
}

impl Metrics {
    /// Metrics that a registry shows, as `event_log_…`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("event_log");
        for (name, help, counter) in [
            (
                "appended_events",
                "Events that became durable",
                &metrics.appended,
            ),
            (
                "duplicate_events",
                "Events that were in the log already when they were appended",
                &metrics.duplicates,
            ),
            (
                "refused_events",
                "Events that the log could not take",
                &metrics.refused,
            ),
            (
                "producer_retries",
                "Requests that the producer sent to a broker again",
                &metrics.retries,
            ),
            (
                "producer_recoveries",
                "Times that a new producer took over what an old one could not deliver",
                &metrics.recoveries,
            ),
            (
                "echoed_events",
                "Records that stand in the log again and were dropped by reading",
                &metrics.echoes,
            ),
            (
                "trimmed_events",
                "Events that retention removed",
                &metrics.trimmed,
            ),
            (
                "sequence_snapshots",
                "Snapshots of the writers' sequences that were written",
                &metrics.snapshots,
            ),
            (
                "rebuilt_partitions",
                "Times that a partition was cut short or made anew",
                &metrics.rebuilt,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "append_seconds",
            "Time from an append until its events were durable",
            metrics.append_seconds.clone(),
        );
        registry.register(
            "in_flight_events",
            "Events on their way to the brokers",
            metrics.in_flight.clone(),
        );
        metrics
    }
}
