use std::{fmt::Debug, hash::Hash, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use schemas::Timestamp;

/// Why a dead letter was put aside; bounded.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReasonLabel {
    /// Stable name of the reason.
    pub reason: String,
}

/// A partition of the log.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PartitionLabel {
    /// Its number.
    pub partition: u32,
}

/// What a worker was told of a partition: `assigned`, `revoked`, `taken`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct MoveLabel {
    /// What happened.
    pub what: &'static str,
}

/// A number with a fraction that goes up and down.
type FloatGauge = Gauge<f64, AtomicU64>;

/// Ingest's own metrics.
#[derive(Clone, Debug)]
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
    pub lag_seconds: FloatGauge,
    /// Writes that were tried again.
    pub retries: Counter,
    /// Points that the store refused for good.
    pub refused: Counter,
    /// Whether a worker waits for the store or the log: how many do.
    pub waiting: Gauge,
    /// Batches that were sent to the store and not yet acknowledged.
    pub in_flight: Gauge,
    /// Bytes of events that are read and not yet in the store, as they are estimated.
    pub held_bytes: Gauge,
    /// From the sending of a batch to the store's answer.
    pub write_seconds: Histogram,
    /// From the arrival of the oldest event of a batch in the log to the store's acknowledgement.
    pub commit_seconds: Histogram,
    /// Times that a partition was paused because it stayed ahead of the store.
    pub pauses: Counter,
    /// Partitions that came and went.
    pub rebalances: Family<MoveLabel, Counter>,
    /// Events that the log lost before they were read, as far as their number is known.
    pub lost_events: Counter,
    /// Times that the log had lost events or was made anew.
    pub losses: Counter,
    /// Entries of a partition that are not yet in the store.
    pub partition_lag_events: Family<PartitionLabel, Gauge>,
    /// How long ago the oldest entry of a partition was logged that is not yet in the store.
    pub partition_lag_seconds: Family<PartitionLabel, FloatGauge>,
    /// How much of the log's retention the lag of a partition is; at 1 events are lost.
    pub retention_used: Family<PartitionLabel, FloatGauge>,
    /// Whether the lag of a partition is near the log's retention.
    pub lag_near_retention: Family<PartitionLabel, Gauge>,
}

impl Default for IngestMetrics {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.5, 14));
        Self {
            events: Counter::default(),
            points: Counter::default(),
            dead_letters: Family::default(),
            clock_ahead: Counter::default(),
            lag_events: Gauge::default(),
            lag_seconds: FloatGauge::default(),
            retries: Counter::default(),
            refused: Counter::default(),
            waiting: Gauge::default(),
            in_flight: Gauge::default(),
            held_bytes: Gauge::default(),
            write_seconds: seconds(),
            commit_seconds: seconds(),
            pauses: Counter::default(),
            rebalances: Family::default(),
            lost_events: Counter::default(),
            losses: Counter::default(),
            partition_lag_events: Family::default(),
            partition_lag_seconds: Family::default(),
            retention_used: Family::default(),
            lag_near_retention: Family::default(),
        }
    }
}

impl IngestMetrics {
    /// Makes the metrics known to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let m = Self::default();
        let r = registry.sub_registry_with_prefix("homelog_ingest");
        r.register("events", "Entries taken from the log", m.events.clone());
        r.register("points", "Points written to the store", m.points.clone());
        r.register(
            "dead_letters",
            "What was put aside, by reason",
            m.dead_letters.clone(),
        );
        r.register(
            "clock_ahead",
            "Points whose time was too far ahead and that are stored at their arrival",
            m.clock_ahead.clone(),
        );
        r.register(
            "lag_events",
            "Entries of the log that are not yet in the store",
            m.lag_events.clone(),
        );
        r.register_with_unit(
            "lag",
            "How long ago the oldest entry was logged that is not yet in the store",
            Unit::Seconds,
            m.lag_seconds.clone(),
        );
        r.register("retries", "Writes that were tried again", m.retries.clone());
        r.register(
            "refused",
            "Points that the store refused for good",
            m.refused.clone(),
        );
        r.register(
            "waiting",
            "Workers that wait for the store or the log",
            m.waiting.clone(),
        );
        r.register(
            "in_flight",
            "Batches that were sent to the store and not yet acknowledged",
            m.in_flight.clone(),
        );
        r.register_with_unit(
            "held",
            "Events that are read and not yet in the store, as their size is estimated",
            Unit::Bytes,
            m.held_bytes.clone(),
        );
        r.register_with_unit(
            "write",
            "From the sending of a batch to the store's answer",
            Unit::Seconds,
            m.write_seconds.clone(),
        );
        r.register_with_unit(
            "commit",
            "From the arrival of the oldest event of a batch in the log to the store's acknowledgement",
            Unit::Seconds,
            m.commit_seconds.clone(),
        );
        m.register_partitions(r);
        m
    }

    fn register_partitions(&self, r: &mut Registry) {
        r.register(
            "pauses",
            "Times that a partition was paused because it stayed ahead of the store",
            self.pauses.clone(),
        );
        r.register(
            "rebalances",
            "Partitions that came to a worker and went from it",
            self.rebalances.clone(),
        );
        r.register(
            "lost_events",
            "Events that the log lost before they were read, as far as their number is known",
            self.lost_events.clone(),
        );
        r.register(
            "losses",
            "Times that the log had lost events or was made anew",
            self.losses.clone(),
        );
        r.register(
            "partition_lag_events",
            "Entries of a partition that are not yet in the store",
            self.partition_lag_events.clone(),
        );
        r.register_with_unit(
            "partition_lag",
            "How long ago the oldest entry of a partition was logged that is not yet in the store",
            Unit::Seconds,
            self.partition_lag_seconds.clone(),
        );
        r.register_with_unit(
            "retention_used",
            "How much of the log's retention the lag of a partition is; at 1 events are lost",
            Unit::Ratios,
            self.retention_used.clone(),
        );
        r.register(
            "lag_near_retention",
            "Whether the lag of a partition is near the log's retention",
            self.lag_near_retention.clone(),
        );
    }

    /// Counts letters that were put aside.
    pub(crate) fn put_aside<'a>(&self, reasons: impl IntoIterator<Item = &'a str>) {
        for reason in reasons {
            let label = ReasonLabel {
                reason: reason.to_owned(),
            };
            self.dead_letters.get_or_create(&label).inc();
        }
    }

    /// Counts what a worker was told of partitions.
    pub(crate) fn moved(&self, what: &'static str, partitions: usize) {
        self.rebalances
            .get_or_create(&MoveLabel { what })
            .inc_by(partitions as u64);
    }
}

/// How long ago something was, in seconds; 0 if it is yet to come.
#[expect(clippy::cast_precision_loss, reason = "a time for people")]
pub(crate) fn seconds_since(time: Timestamp) -> f64 {
    Timestamp::now().since(time).max(0) as f64 / 1000.0
}
