//! The worker between a real log and a real store.

#![expect(clippy::unwrap_used, reason = "a test says where it failed")]

use std::{sync::Arc, time::Duration};

use event_log::{EventLog, Outcome, Urgency};
use ingest::{Ingest, IngestMetrics, Limits, Services};
use schemas::{
    Catalog, Draft, Entity, EventType, FieldValue, Fields, SourceName, Timestamp,
    name::{EntityId, EntityType, SourceKind},
};
use supervision::Supervisor;
use time_series::{Selection, TimeSeries};

fn draft(id: &str, field: &'static str, value: impl Into<FieldValue>, time: Timestamp) -> Draft {
    let mut fields = Fields::new();
    fields.set(field, value);
    Draft {
        source: SourceName::new("lab").unwrap(),
        kind: SourceKind::new("push").unwrap(),
        agent: None,
        event_type: EventType::Sample,
        time,
        entity: Entity::new(EntityType::new("room").unwrap(), EntityId::new(id).unwrap()),
        fields,
        identity: None,
    }
}

/// That many visits of the hall, a millisecond apart.
fn visits(count: i64, from: Timestamp) -> Vec<Draft> {
    (0..count)
        .map(|n| {
            draft(
                "hall",
                "visits_total",
                FieldValue::I64(n),
                from.plus_millis(n),
            )
        })
        .collect()
}

struct House {
    log: Arc<dyn EventLog>,
    store: Arc<dyn TimeSeries>,
    catalog: Arc<Catalog>,
    limits: Limits,
}

impl House {
    fn open(directory: &std::path::Path) -> Self {
        let log =
            event_log::Embedded::open(directory, event_log::embedded::Options::default()).unwrap();
        let store = time_series::Embedded::open(
            directory.join("series.db"),
            time_series::embedded::Options::default(),
        )
        .unwrap();
        Self {
            log: Arc::new(log),
            store: Arc::new(store),
            catalog: Arc::default(),
            limits: Limits::default(),
        }
    }

    fn services(&self) -> Services {
        Services {
            log: Arc::clone(&self.log),
            store: Arc::clone(&self.store),
            catalog: Arc::clone(&self.catalog),
            limits: self.limits,
            metrics: IngestMetrics::default(),
        }
    }

    async fn append(&self, drafts: Vec<Draft>) {
        let appended = self.log.append(drafts, Urgency::Soon).await.unwrap();
        assert!(
            appended
                .receipts
                .iter()
                .all(|r| r.outcome == Outcome::Appended),
            "{appended:?}"
        );
    }

    /// Runs a worker until the store has what the log has, then stops it.
    async fn catch_up(&self) {
        let supervisor = Supervisor::new();
        let ingest = Ingest::start(&supervisor, self.services());
        let mut caught_up = ingest.caught_up();
        tokio::time::timeout(Duration::from_secs(20), caught_up.wait_for(|done| *done))
            .await
            .unwrap()
            .unwrap();
        assert!(
            supervisor
                .drain(Duration::from_secs(5))
                .await
                .cut
                .is_empty()
        );
    }

    async fn rooms(&self) -> Vec<(String, FieldValue)> {
        let state = self.store.state(&Selection::default(), None).await.unwrap();
        state
            .entities
            .iter()
            .flat_map(|e| {
                e.fields
                    .values()
                    .map(|latest| (e.key.to_string(), latest.value.clone()))
            })
            .collect()
    }
}

#[tokio::test]
async fn what_is_logged_is_stored_and_a_crash_before_the_flush_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let time = Timestamp::now();
    {
        let house = House::open(directory.path());
        house.append(visits(500, time)).await;
        house.catch_up().await;
        assert_eq!(house.store.stats().await.unwrap().points, 500);
        // dropped without a flush: what a crash leaves
    }
    let house = House::open(directory.path());
    house.catch_up().await;
    assert_eq!(
        house.store.stats().await.unwrap().points,
        500,
        "read again from the log, once each"
    );
    house.store.flush().await.unwrap();
    house.catch_up().await;
    assert_eq!(house.store.stats().await.unwrap().points, 500);
    assert_eq!(
        house.rooms().await,
        [("lab/room/hall".to_owned(), FieldValue::I64(499))]
    );
}

/// Everything of a source before the mark goes, what came back after it stays, also where the mark is read again after a crash;
/// the source may have as many entities as a new one.
#[tokio::test]
async fn a_purged_source_begins_anew_after_its_mark() {
    let directory = tempfile::tempdir().unwrap();
    let time = Timestamp::now();
    let room = |n: i64| {
        draft(
            &format!("room{n}"),
            "visits_total",
            1_i64,
            time.plus_millis(n),
        )
    };
    for crashes in [true, false] {
        let mut house = House::open(directory.path());
        house.limits.entities_per_source = 20;
        if crashes {
            house.append((0..20).map(room).collect()).await;
            house.catch_up().await;
            house.store.flush().await.unwrap();
            let purge = schemas::Purge {
                source: SourceName::new("lab").unwrap(),
                by: "admin".to_owned(),
            };
            let kind = SourceKind::new("push").unwrap();
            let mut story = vec![room(5), purge.draft(kind, time).unwrap()];
            story.extend((100..119).map(room));
            story.push(room(5));
            house.append(story).await;
        }
        house.catch_up().await;
        let rooms = house.rooms().await;
        assert_eq!(rooms.len(), 20, "{rooms:?}");
        assert!(!rooms.iter().any(|(key, _)| key == "lab/room/room7"));
        assert_eq!(house.store.stats().await.unwrap().points, 20);
        assert_eq!(house.log.dead_letter_count().await.unwrap(), 0);
        // dropped without a flush: what a crash leaves
    }
}

#[tokio::test]
async fn what_does_not_fit_is_put_aside_once_however_often_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let time = Timestamp::now();
    for start in 0..3 {
        let house = House::open(directory.path());
        if start == 0 {
            house
                .append(vec![draft(
                    "hall",
                    "temperature_celsius",
                    FieldValue::F64(20.5),
                    time,
                )])
                .await;
            house
                .append(vec![draft(
                    "hall",
                    "temperature_celsius",
                    true,
                    time.plus_millis(1),
                )])
                .await;
        }
        house.catch_up().await;
        let letters = house.log.dead_letters(0, 10).await.unwrap();
        let [letter] = &letters[..] else {
            panic!("{letters:?}")
        };
        assert_eq!(
            (letter.reason.as_str(), letter.field.as_deref()),
            ("type_conflict", Some("temperature_celsius"))
        );
        assert_eq!(house.log.dead_letter_count().await.unwrap(), 1);
        assert_eq!(
            house.rooms().await,
            [("lab/room/hall".to_owned(), FieldValue::F64(20.5))]
        );
    }
}

#[tokio::test]
async fn a_log_that_was_replaced_is_read_from_its_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let time = Timestamp::now();
    {
        let house = House::open(directory.path());
        house.append(visits(50, time)).await;
        house.catch_up().await;
        house.store.close().await.unwrap();
        house.log.close().await.unwrap();
    }
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(
            directory.path().join(format!("log.db{suffix}")),
        ));
    }
    let house = House::open(directory.path());
    house
        .append(vec![draft(
            "cellar",
            "visits_total",
            FieldValue::I64(7),
            time,
        )])
        .await;
    house.catch_up().await;
    let rooms = house.rooms().await;
    assert!(
        rooms.contains(&("lab/room/cellar".to_owned(), FieldValue::I64(7))),
        "{rooms:?}"
    );
    assert!(
        rooms.contains(&("lab/room/hall".to_owned(), FieldValue::I64(49))),
        "{rooms:?}"
    );
}

#[tokio::test]
async fn a_tail_is_stored_as_it_is_appended() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let supervisor = Supervisor::new();
    let ingest = Ingest::start(&supervisor, house.services());
    ingest.caught_up().wait_for(|done| *done).await.unwrap();
    let time = Timestamp::now();
    for n in 1..=20 {
        house
            .append(vec![draft(
                "hall",
                "visits_total",
                FieldValue::I64(n),
                time.plus_millis(n),
            )])
            .await;
        let mut seen = 0;
        for _ in 0..2_000 {
            seen = house.store.stats().await.unwrap().points;
            if seen == n.unsigned_abs() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(seen, n.unsigned_abs());
    }
    assert!(
        supervisor
            .drain(Duration::from_secs(5))
            .await
            .cut
            .is_empty()
    );
}
