use std::{sync::Arc, time::Duration};

use event_log::{Destination, EventLog};
use schemas::name::AgentName;

use crate::Metrics;

/// What the shipper works with.
#[derive(Clone)]
pub struct Services {
    /// The agent's own log, of one partition.
    pub spool: Arc<dyn EventLog>,
    /// Where its events go.
    pub destination: Arc<dyn Destination>,
    /// The agent.
    pub agent: AgentName,
    /// What is counted.
    pub metrics: Metrics,
}

/// How it ships.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a spooled event stays after the destination took it.
    pub keep: Duration,
    /// The spool drops its oldest events over this many bytes, and declares it.
    pub max_bytes: u64,
    /// The spool drops events that waited longer than this, and declares it.
    pub max_age: Duration,
    /// Most events in memory.
    pub window_events: usize,
    /// Most events of one append; the destination may take fewer.
    pub batch_events: usize,
    /// Most appends that are answered at the same time.
    pub in_flight: usize,
    /// How long the first pause after a failure is; it doubles, with jitter.
    pub first_retry: Duration,
    /// How long the longest pause after a failure is.
    pub slowest_retry: Duration,
    /// How often the position is written and the spool is tended.
    pub upkeep: Duration,
    /// How long a stop waits for what is in flight.
    pub grace: Duration,
    /// Claims sources that another agent has: for a machine that was replaced.
    pub take_over: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keep: Duration::from_hours(24),
            max_bytes: 2 * 1024 * 1024 * 1024,
            max_age: Duration::from_hours(7 * 24),
            window_events: 12_000,
            batch_events: 2000,
            in_flight: 4,
            first_retry: Duration::from_millis(250),
            slowest_retry: Duration::from_secs(30),
            upkeep: Duration::from_secs(1),
            grace: Duration::from_secs(5),
            take_over: false,
        }
    }
}
