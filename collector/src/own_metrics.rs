//! What the collector tells about itself. The registry is passed in; there is no global.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::FailureClass;

/// One source.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OfSource {
    source: String,
}

/// One source and a bounded word.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OfSourceAndClass {
    source: String,
    class: String,
}

/// Why events are lost before the log takes them.
const WHYS: [&str; 4] = ["backlog_full", "too_many", "invalid", "refused"];

/// Counters of all sources.
#[derive(Clone, Debug)]
pub struct CollectorMetrics {
    polls: Family<OfSource, Counter>,
    failures: Family<OfSourceAndClass, Counter>,
    poll_seconds: Family<OfSource, Histogram>,
    events: Family<OfSource, Counter>,
    dropped: Family<OfSourceAndClass, Counter>,
    backlog: Family<OfSource, Gauge>,
    busy: Family<OfSource, Counter<f64, AtomicU64>>,
    requests: Family<OfSource, Counter>,
    interval: Family<OfSource, Gauge<f64, AtomicU64>>,
    late: Histogram,
}

impl CollectorMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            polls: Family::default(),
            failures: Family::default(),
            poll_seconds: Family::new_with_constructor(|| {
                Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0])
            }),
            events: Family::default(),
            dropped: Family::default(),
            backlog: Family::default(),
            busy: Family::default(),
            requests: Family::default(),
            interval: Family::default(),
            late: Histogram::new([
                0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
            ]),
        };
        registry.register(
            "homelog_collector_polls",
            "Polls that were begun",
            metrics.polls.clone(),
        );
        registry.register(
            "homelog_collector_poll_failures",
            "Polls that failed, by class",
            metrics.failures.clone(),
        );
        registry.register_with_unit(
            "homelog_collector_poll",
            "How long a poll takes",
            Unit::Seconds,
            metrics.poll_seconds.clone(),
        );
        registry.register(
            "homelog_collector_events",
            "Events that the log took",
            metrics.events.clone(),
        );
        registry.register(
            "homelog_collector_dropped_events",
            "Events that were lost before the log took them, by why",
            metrics.dropped.clone(),
        );
        registry.register(
            "homelog_collector_backlog_events",
            "Events that wait for the log",
            metrics.backlog.clone(),
        );
        registry.register_with_unit(
            "homelog_collector_busy",
            "How long a service was being polled",
            Unit::Seconds,
            metrics.busy.clone(),
        );
        registry.register(
            "homelog_collector_requests",
            "HTTP requests to a service",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "homelog_collector_interval",
            "Time between polls, longer than configured while the service answers slowly",
            Unit::Seconds,
            metrics.interval.clone(),
        );
        registry.register_with_unit(
            "homelog_collector_poll_late",
            "How much later than planned a poll began, over all sources",
            Unit::Seconds,
            metrics.late.clone(),
        );
        metrics
    }

    /// Takes a source out that is gone for good.
    pub(crate) fn forget(&self, source: &str) {
        let label = OfSource {
            source: source.to_owned(),
        };
        self.polls.remove(&label);
        self.poll_seconds.remove(&label);
        self.events.remove(&label);
        self.backlog.remove(&label);
        self.busy.remove(&label);
        self.requests.remove(&label);
        self.interval.remove(&label);
        let of_class = |class: &str| OfSourceAndClass {
            source: source.to_owned(),
            class: class.to_owned(),
        };
        for class in FailureClass::ALL {
            self.failures.remove(&of_class(class.as_str()));
        }
        for why in WHYS {
            self.dropped.remove(&of_class(why));
        }
    }

    pub(crate) fn of(&self, source: &str) -> SourceMetrics {
        let label = OfSource {
            source: source.to_owned(),
        };
        SourceMetrics {
            polls: self.polls.get_or_create_owned(&label),
            poll_seconds: self.poll_seconds.get_or_create_owned(&label),
            events: self.events.get_or_create_owned(&label),
            backlog: self.backlog.get_or_create_owned(&label),
            busy: self.busy.get_or_create_owned(&label),
            requests: self.requests.get_or_create_owned(&label),
            interval: self.interval.get_or_create_owned(&label),
            all: self.clone(),
            label,
        }
    }
}

/// The metrics of one source.
#[derive(Debug)]
pub(crate) struct SourceMetrics {
    pub(crate) polls: Counter,
    pub(crate) poll_seconds: Histogram,
    pub(crate) events: Counter,
    pub(crate) backlog: Gauge,
    pub(crate) busy: Counter<f64, AtomicU64>,
    pub(crate) requests: Counter,
    pub(crate) interval: Gauge<f64, AtomicU64>,
    all: CollectorMetrics,
    label: OfSource,
}

impl SourceMetrics {
    pub(crate) fn late(&self, by: Duration) {
        self.all.late.observe(by.as_secs_f64());
    }

    pub(crate) fn failed(&self, class: &str) {
        self.all.failures.get_or_create(&self.classed(class)).inc();
    }

    pub(crate) fn dropped(&self, why: &str, events: u64) {
        self.all
            .dropped
            .get_or_create(&self.classed(why))
            .inc_by(events);
    }

    fn classed(&self, class: &str) -> OfSourceAndClass {
        OfSourceAndClass {
            source: self.label.source.clone(),
            class: class.to_owned(),
        }
    }
}
