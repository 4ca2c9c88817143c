//! Drops what is older than it should be kept.

use std::{sync::Arc, time::Duration};

use event_log::EventLog;
use schemas::Timestamp;
use supervision::Supervisor;
use time_series::TimeSeries;
use tracing::{info, warn};

use crate::config::Retention;

/// After a start there is more urgent work.
const FIRST: Duration = Duration::from_mins(5);
const EVERY: Duration = Duration::from_hours(1);

/// Starts task `retention`.
pub(super) fn start(
    supervisor: &Supervisor,
    retention: Retention,
    log: Arc<dyn EventLog>,
    store: Arc<dyn TimeSeries>,
) {
    let token = supervisor.token();
    supervisor.spawn("retention", async move {
        let mut wait = FIRST;
        loop {
            // jittered, so that many machines on one disk array do not work at the same instant
            let jittered = wait.mul_f64(rand::random_range(0.9..1.1));
            tokio::select! {
                () = token.cancelled() => return Ok(()),
                () = tokio::time::sleep(jittered) => {}
            }
            apply(&retention, &*log, &*store).await;
            wait = EVERY;
        }
    });
}

/// Trims both once. A failure is told and tried again an hour later: nothing but room is lost.
async fn apply(retention: &Retention, log: &dyn EventLog, store: &dyn TimeSeries) {
    let now = Timestamp::now();
    match store.trim(before(now, retention.raw.0)).await {
        Ok(0) => {}
        Ok(points) => info!(
            points,
            "dropped {points} points that are older than `retention.raw`"
        ),
        Err(e) => {
            warn!(error = %e, "points past their retention could not be dropped, next try in an hour")
        }
    }
    // the log must keep what the store would read again after a crash: ingest tells it how far that is, and here once
    // more, so that what was flushed since then may go too
    match store.durable_position().await {
        Ok(Some(durable)) => {
            if let Err(e) = log.set_consumer_position(ingest::CONSUMER, &durable).await {
                warn!(error = %e, "the event log did not take the store's position, next try in an hour");
                return;
            }
        }
        // nothing is durable yet, so nothing may go
        Ok(None) => return,
        Err(e) => {
            warn!(error = %e, "the store does not tell its position, next try in an hour");
            return;
        }
    }
    let trim = event_log::Retention {
        before: Some(before(now, retention.events.0)),
        max_bytes: None,
    };
    match log.trim(&trim).await {
        Ok(0) => {}
        Ok(events) => info!(
            events,
            "dropped {events} events that are older than `retention.events`"
        ),
        Err(e) => {
            warn!(error = %e, "events past their retention could not be dropped, next try in an hour")
        }
    }
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    now.plus_millis(-i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
