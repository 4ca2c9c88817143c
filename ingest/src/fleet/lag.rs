//! How far a worker's partitions are behind.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{error, info};

use super::{lane::Lane, stage::Tools};
use crate::metrics::{PartitionLabel, seconds_since};

/// A lag of this part of the log's retention is an alarm: there is as much time left to act.
const NEAR: f64 = 0.5;

/// Partitions whose lag is near the log's retention.
#[derive(Default)]
pub(super) struct Lags {
    near: BTreeSet<usize>,
}

impl Lags {
    /// Shows the lag of every partition.
    pub(super) fn show(&mut self, lanes: &BTreeMap<usize, Lane>, tools: &Tools) {
        let metrics = &tools.services.metrics;
        let (mut events, mut longest) = (0_u64, 0.0_f64);
        for (partition, lane) in lanes {
            let label = label(*partition);
            let seconds = lane.oldest_held().map_or(0.0, seconds_since);
            events = events.saturating_add(lane.lag_events());
            longest = longest.max(seconds);
            metrics
                .partition_lag_events
                .get_or_create(&label)
                .set(signed(lane.lag_events()));
            metrics
                .partition_lag_seconds
                .get_or_create(&label)
                .set(seconds);
            if let Some(retention) = tools.services.options.retention {
                let used = seconds / retention.as_secs_f64().max(1.0);
                metrics.retention_used.get_or_create(&label).set(used);
                metrics
                    .lag_near_retention
                    .get_or_create(&label)
                    .set(i64::from(used >= NEAR));
                self.alarm(*partition, used, seconds);
            }
        }
        metrics.lag_events.set(signed(events));
        metrics.lag_seconds.set(longest);
    }

    fn alarm(&mut self, partition: usize, used: f64, seconds: f64) {
        if used >= NEAR {
            if self.near.insert(partition) {
                error!(
                    partition,
                    lag_secs = seconds,
                    "partition {partition} is {seconds:.0} s behind, more than half of what the event log keeps: mend the store, add workers or keep events longer, or events are lost unread"
                );
            }
        } else if self.near.remove(&partition) {
            info!(partition, "partition {partition} has caught up far enough");
        }
    }

    /// Forgets a partition that went.
    pub(super) fn forget(&mut self, partition: usize, tools: &Tools) {
        let metrics = &tools.services.metrics;
        let label = label(partition);
        self.near.remove(&partition);
        metrics.partition_lag_events.remove(&label);
        metrics.partition_lag_seconds.remove(&label);
        metrics.retention_used.remove(&label);
        metrics.lag_near_retention.remove(&label);
    }
}

fn label(partition: usize) -> PartitionLabel {
    PartitionLabel {
        partition: u32::try_from(partition).unwrap_or(u32::MAX),
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
