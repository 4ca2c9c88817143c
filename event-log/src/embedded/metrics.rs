use prometheus_client::{
    metrics::{
        counter::Counter,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// What the embedded log counts of itself. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) appended: Counter,
    pub(super) duplicates: Counter,
    pub(super) refused: Counter,
    pub(super) commits: Counter,
    pub(super) failed_commits: Counter,
    pub(super) commit_seconds: Histogram,
    pub(super) body_bytes: Counter,
    pub(super) trimmed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            appended: Counter::default(),
            duplicates: Counter::default(),
            refused: Counter::default(),
            commits: Counter::default(),
            failed_commits: Counter::default(),
            // 0.25 ms to 4 s
            commit_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            body_bytes: Counter::default(),
            trimmed: Counter::default(),
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
                "Events that were in the log already",
                &metrics.duplicates,
            ),
            (
                "refused_events",
                "Events that the log could not take",
                &metrics.refused,
            ),
            (
                "commits",
                "Transactions that became durable",
                &metrics.commits,
            ),
            (
                "failed_commits",
                "Transactions that did not become durable",
                &metrics.failed_commits,
            ),
            (
                "body_bytes",
                "Compressed bytes of events written, each time they are packed",
                &metrics.body_bytes,
            ),
            (
                "trimmed_events",
                "Events that retention removed",
                &metrics.trimmed,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "commit_seconds",
            "Time from the beginning of a transaction until it was durable",
            metrics.commit_seconds.clone(),
        );
        metrics
    }
}
