//! The part that takes events from the log into the store: one worker, or some of a fleet.

use std::sync::Arc;

use ingest::{FleetOptions, FleetServices, FleetWorker, Health, Ingest, IngestMetrics, Services};
use prometheus_client::registry::Registry;
use query_api::Probe;
use schemas::{
    Catalog,
    api::{HealthState, ServiceHealth},
};
use supervision::Supervisor;
use tokio::sync::watch;

use crate::{
    adapters::{log::Log, store::Store},
    config::Config,
};

/// What ingests here.
pub(super) enum Ingesting {
    /// The one worker of this log and store.
    Alone(Ingest),
    /// Workers that share the log with those of other processes.
    Fleet(Vec<FleetWorker>),
}

/// Starts ingest on a log and a store: with others where both can be shared.
pub(super) fn start(
    supervisor: &Supervisor,
    config: &Config,
    log: &Log,
    store: &Store,
    catalog: Arc<Catalog>,
    registry: &mut Registry,
) -> Ingesting {
    let metrics = IngestMetrics::register(registry);
    let limits = store.limits(config);
    let (Some(fleet), Some(shared)) = (&log.fleet, &store.shared) else {
        return Ingesting::Alone(Ingest::start(
            supervisor,
            Services {
                log: Arc::clone(&log.events),
                store: Arc::clone(&store.series),
                catalog,
                limits,
                metrics,
            },
        ));
    };
    let services = FleetServices {
        log: Arc::clone(&log.events),
        fleet: Arc::clone(fleet),
        store: Arc::clone(shared),
        catalog,
        limits,
        metrics,
        options: FleetOptions {
            group: config.ingest.group.as_str().to_owned(),
            retention: Some(config.retention.events.0),
            // a stop of `homelog up` has 3.5 s for its tasks
            drain: std::time::Duration::from_millis(2500),
            ..FleetOptions::default()
        },
    };
    let workers = (0..config.ingest.workers.get())
        .map(|nth| FleetWorker::start(supervisor, format!("ingest/{nth}"), services.clone()))
        .collect();
    Ingesting::Fleet(workers)
}

/// A store that others fill is read as it is.
pub(super) fn always() -> watch::Receiver<bool> {
    watch::channel(true).1
}

impl Ingesting {
    /// True once reads are complete.
    pub(super) fn caught_up(&self) -> watch::Receiver<bool> {
        match self {
            Self::Alone(ingest) => ingest.caught_up(),
            Self::Fleet(_) => always(),
        }
    }

    /// How the workers do, as a part of that name.
    pub(super) fn probes(&self, part: &'static str) -> Vec<Probe> {
        match self {
            // it ends the process when it cannot go on
            Self::Alone(_) => Vec::new(),
            Self::Fleet(workers) => workers
                .iter()
                .map(|worker| {
                    let health = worker.health();
                    Probe::new(part, move || shown(&health.borrow()))
                })
                .collect(),
        }
    }
}

fn shown(health: &Health) -> ServiceHealth {
    match health {
        Health::Working => ServiceHealth::new(HealthState::Healthy, None),
        Health::Waiting { what, why, passes } => ServiceHealth::new(
            if *passes {
                HealthState::Degraded
            } else {
                HealthState::Unhealthy
            },
            Some(format!("ingest cannot {what}: {why}")),
        ),
    }
}
