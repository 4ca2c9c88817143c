//! Any number of workers that share a log, each some of its partitions.
//!
//! What a worker keeps to:
//! - a partition is read from what the store remembers of it, or from where the group has gone if that is less: what the store
//!   refused may not be put aside yet. A store that has nothing of a partition is filled from the oldest event;
//! - several batches of a partition are with the store at a time. Where one fails, nothing new is sent until the others have
//!   come back; then it and all that followed it are sent again in their order, so that the later log position wins;
//! - dead letters are put aside before the position moves past what they tell of;
//! - the group is told a place only when everything before it is in the store or put aside;
//! - what is read and not yet in the store is bounded in bytes; a partition that is ahead is paused;
//! - a loss in the log becomes an event of its own, in the log, before the position jumps over it.

mod delivery;
mod lag;
mod lane;
mod loss;
mod open;
mod stage;
mod work;

use std::{sync::Arc, time::Duration};

use event_log::{EventLog, Fleet};
use schemas::Catalog;
use supervision::Supervisor;
use time_series::PartitionedStore;
use tokio::sync::watch;

use crate::{
    health::{Health, Teller},
    metrics::IngestMetrics,
    patience::Pace,
    project::Limits,
};

/// How a worker of a fleet works.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The group that shares the log.
    pub group: String,
    /// Most events of one write.
    pub batch_events: usize,
    /// A write with more bytes than this (as they are estimated) is sent.
    pub batch_bytes: usize,
    /// How long events wait for others before they are sent.
    pub linger: Duration,
    /// Most writes of one partition that are with the store at a time.
    pub in_flight: usize,
    /// Most bytes of events that are read and not yet in the store, as they are estimated; shared by the partitions. One more
    /// delivery of each partition may be above it.
    pub backlog_bytes: usize,
    /// How long a partition that goes to another worker, or a stop, waits for writes that are with the store.
    pub drain: Duration,
    /// How long the log keeps events, if it is known: a lag near it is an alarm.
    pub retention: Option<Duration>,
    /// How soon what failed is tried again.
    pub pace: Pace,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            group: "homelog-ingest".to_owned(),
            batch_events: 2_000,
            batch_bytes: 2 * 1024 * 1024,
            linger: Duration::from_millis(200),
            in_flight: 6,
            backlog_bytes: 8 * 1024 * 1024,
            drain: Duration::from_secs(4),
            retention: None,
            pace: Pace::default(),
        }
    }
}

/// What a worker of a fleet works with.
#[derive(Clone)]
pub struct FleetServices {
    /// Where dead letters and losses go: the same log that is shared.
    pub log: Arc<dyn EventLog>,
    /// The log that is shared.
    pub fleet: Arc<dyn Fleet>,
    /// Where points go.
    pub store: Arc<dyn PartitionedStore>,
    /// Types of fields; what is pushed is taken over from the store, whose answer decides where workers differ.
    pub catalog: Arc<Catalog>,
    /// What the store takes.
    pub limits: Limits,
    /// Its own metrics; workers of one process may share them.
    pub metrics: IngestMetrics,
    /// How it works.
    pub options: FleetOptions,
}

/// A running worker of a fleet.
#[derive(Debug, Clone)]
pub struct FleetWorker {
    health: watch::Receiver<Health>,
}

impl FleetWorker {
    /// Starts a worker as a task of that name. It goes on for ever, whatever the log and the store do, until it is told to
    /// stop; then it finishes what is with the store and leaves the group.
    pub fn start(
        supervisor: &Supervisor,
        name: impl Into<Arc<str>>,
        services: FleetServices,
    ) -> Self {
        let teller = Arc::new(Teller::new(services.metrics.waiting.clone()));
        let health = teller.watch();
        let token = supervisor.token();
        supervisor.spawn(name, async move {
            work::Worker::new(services, teller).run(token).await;
            Ok(())
        });
        Self { health }
    }

    /// Whether it gets on.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }
}
