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

/// Starts task `retention`, for the store and an embedded log. Kafka drops what is old by itself; of InfluxDB, which does so
/// too, what must stay is put aside first.
pub(super) fn start(
    supervisor: &Supervisor,
    retention: Retention,
    log: Option<Arc<dyn EventLog>>,
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
            trim_points(&retention, &*store).await;
            if let Some(log) = &log {
                trim_events(&retention, &**log, &*store).await;
            }
            wait = EVERY;
        }
    });
}

/// Trims the store once. A failure is told and tried again an hour later: nothing but room is lost.
async fn trim_points(retention: &Retention, store: &dyn TimeSeries) {
    match store.trim(before(Timestamp::now(), retention.raw.0)).await {
        Ok(0) => {}
        Ok(points) => info!(
            points,
            "dropped {points} points that are older than `retention.raw`"
        ),
        Err(e) => {
            warn!(error = %e, "points past their retention could not be dropped, next try in an hour");
        }
    }
}

/// Trims the log once.
async fn trim_events(retention: &Retention, log: &dyn EventLog, store: &dyn TimeSeries) {
    let now = Timestamp::now();
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
            warn!(error = %e, "events past their retention could not be dropped, next try in an hour");
        }
    }
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    now.plus_millis(-i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use event_log::{Filter, ReadQuery, Urgency};
    use schemas::{
        Draft, Entity, EventType, Fields, SourceName,
        name::{EntityId, EntityType, SourceKind},
    };
    use time_series::WriteBatch;

    use super::*;
    use crate::config::Age;

    fn draft(time: Timestamp) -> Draft {
        let mut fields = Fields::new();
        fields.set_rounded("temperature_celsius", 21.5, 1);
        Draft {
            source: SourceName::new("nas1").unwrap(),
            kind: SourceKind::new("push").unwrap(),
            agent: None,
            event_type: EventType::Sample,
            time,
            entity: Entity::new(
                EntityType::new("disk").unwrap(),
                EntityId::new("sda").unwrap(),
            ),
            fields,
            identity: None,
        }
    }

    /// Retention by age alone would drop events that the store has not taken yet, and a crash would then lose them.
    #[tokio::test]
    async fn the_log_keeps_what_the_store_has_not_made_durable() {
        let dir = tempfile::tempdir().unwrap();
        let log =
            event_log::Embedded::open(dir.path(), event_log::embedded::Options::default()).unwrap();
        let store = time_series::Embedded::open(
            dir.path().join("series.db"),
            time_series::embedded::Options::default(),
        )
        .unwrap();
        let now = Timestamp::now();
        let first = log.append(vec![draft(now)], Urgency::Soon).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        // everything is older than a millisecond
        let retention = Retention {
            events: Age(Duration::from_millis(1)),
            raw: Age(Duration::from_hours(1)),
        };
        trim_points(&retention, &store).await;
        trim_events(&retention, &log, &store).await;
        assert_eq!(log.bounds().await.unwrap().events, 1, "nothing is durable");

        store
            .write(WriteBatch {
                points: Vec::new(),
                position: first.position.clone(),
            })
            .await
            .unwrap();
        store.flush().await.unwrap();
        log.append(vec![draft(now)], Urgency::Soon).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        trim_points(&retention, &store).await;
        trim_events(&retention, &log, &store).await;
        let bounds = log.bounds().await.unwrap();
        let query = ReadQuery {
            filter: Filter::default(),
            limit: 10,
        };
        let left = log.read(&bounds.oldest, &query).await.unwrap();
        let offsets: Vec<_> = left.records.iter().map(|r| r.offset).collect();
        assert!(
            offsets.ends_with(&[1]),
            "the second event is not in the store: {offsets:?}"
        );
        log.close().await.unwrap();
        store.close().await.unwrap();
    }
}
