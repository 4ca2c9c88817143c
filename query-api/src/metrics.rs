//! The API's own metrics.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    /// Path template: bounded, unlike paths.
    pub(crate) route: String,
    pub(crate) method: &'static str,
    pub(crate) status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct RouteLabels {
    pub(crate) route: String,
    pub(crate) method: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct StreamLabel {
    /// `sse` or `websocket`.
    pub(crate) transport: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct OutcomeLabel {
    /// `accepted`, `duplicate` or `rejected`.
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new([
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
        ])
    }
}

/// Requests, their duration, live streams, pushed events.
#[derive(Clone, Debug)]
pub(crate) struct ApiMetrics {
    /// Requests by route, method and status.
    pub(crate) requests: Family<RequestLabels, Counter>,
    /// Seconds until an answer begins, by route and method.
    pub(crate) duration: Family<RouteLabels, Histogram, Durations>,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Open live streams by transport.
    pub(crate) streams: Family<StreamLabel, Gauge>,
    /// Pushed events by what became of them.
    pub(crate) pushed: Family<OutcomeLabel, Counter>,
}

impl ApiMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(Durations),
            connections: Gauge::default(),
            streams: Family::default(),
            pushed: Family::default(),
        };
        let api = registry.sub_registry_with_prefix("homelog_http");
        api.register(
            "requests",
            "Requests by route, method and status",
            metrics.requests.clone(),
        );
        api.register_with_unit(
            "request_duration",
            "Time until the answer to a request begins",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        api.register(
            "connections",
            "Open connections",
            metrics.connections.clone(),
        );
        api.register(
            "live_streams",
            "Open live streams by transport",
            metrics.streams.clone(),
        );
        api.register(
            "pushed_events",
            "Pushed events by what became of them",
            metrics.pushed.clone(),
        );
        metrics
    }
}
