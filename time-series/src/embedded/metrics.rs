//! What the store counts about itself.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// What an embedded store counts. A clone counts into the same metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Points taken.
    pub(super) points: Counter,
    /// Values taken.
    pub(super) samples: Counter,
    /// Points that were older than what their entity had on disk.
    pub(super) late_points: Counter,
    /// Points refused because of an impossible time.
    pub(super) refused_points: Counter,
    /// Times that everything in memory was written to disk.
    pub(super) flushes: Counter,
    /// Times that this failed.
    pub(super) flush_errors: Counter,
    /// How long it took.
    pub(super) flush_seconds: Histogram,
    /// Points in memory alone.
    pub(super) open_points: Gauge,
    /// Bytes of points in memory alone.
    pub(super) open_bytes: Gauge,
    /// Bytes of the file.
    pub(super) disk_bytes: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            points: Counter::default(),
            samples: Counter::default(),
            late_points: Counter::default(),
            refused_points: Counter::default(),
            flushes: Counter::default(),
            flush_errors: Counter::default(),
            flush_seconds: Histogram::new([0.005, 0.02, 0.05, 0.2, 1.0, 5.0, 30.0]),
            open_points: Gauge::default(),
            open_bytes: Gauge::default(),
            disk_bytes: Gauge::default(),
        }
    }
}

impl Metrics {
    /// New metrics that a registry shows.
    pub fn register(registry: &mut Registry) -> Self {
        let new = Self::default();
        let store = registry.sub_registry_with_prefix("homelog_store");
        store.register("points", "Points taken", new.points.clone());
        store.register("samples", "Values taken", new.samples.clone());
        store.register(
            "late_points",
            "Points older than what their entity had on disk",
            new.late_points.clone(),
        );
        store.register(
            "refused_points",
            "Points refused because of an impossible time",
            new.refused_points.clone(),
        );
        store.register(
            "flushes",
            "Times that everything in memory was written to disk",
            new.flushes.clone(),
        );
        store.register(
            "flush_errors",
            "Times that writing to disk failed",
            new.flush_errors.clone(),
        );
        store.register_with_unit(
            "flush",
            "How long writing to disk took",
            Unit::Seconds,
            new.flush_seconds.clone(),
        );
        store.register(
            "open_points",
            "Points in memory, to be read from the event log again after a crash",
            new.open_points.clone(),
        );
        store.register_with_unit(
            "open",
            "Size of these points in memory",
            Unit::Bytes,
            new.open_bytes.clone(),
        );
        store.register_with_unit(
            "disk",
            "Size of the database file",
            Unit::Bytes,
            new.disk_bytes.clone(),
        );
        new
    }
}
