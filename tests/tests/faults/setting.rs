use anyhow::{Context, Result};
use schemas::Timestamp;

/// How a run is.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Decides the order of the faults.
    pub(crate) seed: u64,
    /// Events that are sent at least.
    pub(crate) events: u64,
    /// Events of all agents in a second.
    pub(crate) rate: u64,
    pub(crate) agents: usize,
    pub(crate) sources: usize,
    pub(crate) workers: usize,
    pub(crate) partitions: usize,
    pub(crate) brokers: usize,
}

const EVENTS: u64 = 200_000;
/// About how long one round of all faults takes.
const ROUND_SECONDS: u64 = 360;
const MOST_PER_SECOND: u64 = 6_000;

impl Setting {
    pub(crate) fn read() -> Result<Self> {
        let now = Timestamp::now().as_millis().cast_unsigned();
        let events = number("HOMELOG_FAULT_EVENTS")?.unwrap_or(EVENTS);
        Ok(Self {
            seed: number("HOMELOG_FAULT_SEED")?.unwrap_or(now),
            events,
            rate: (events / ROUND_SECONDS).clamp(100, MOST_PER_SECOND),
            agents: 2,
            sources: 3,
            workers: 2,
            partitions: 3,
            brokers: 3,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by their environment"
)]
fn number(name: &str) -> Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .map(Some)
            .with_context(|| format!("{name}={text}")),
        Err(_) => Ok(None),
    }
}
