//! Dead letters that come home.

use std::{sync::Arc, time::Duration};

use event_log::{EventLog, Memory};
use ingest::{Ingest, IngestMetrics, Limits, Retried, Retry, Services, Target, retry};
use schemas::{Catalog, FieldValue, SourceName, Timestamp, codec};
use supervision::Supervisor;
use time_series::{PartitionedStore, TimeSeries};

use crate::{
    faulty::{Faulty, POISON},
    lab::{House, append, content, draft},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_can_be_used_now_is_stored_and_gone() {
    let log = Arc::new(Memory::new(3));
    let store = Faulty::new(3);
    let house = House::new(&log, Arc::clone(&store) as Arc<dyn PartitionedStore>);
    let time = Timestamp::now();
    let sent = |id: &str, value: FieldValue| {
        draft(
            "lab0",
            id,
            time,
            &[("visits_total", value), (POISON, FieldValue::Bool(true))],
        )
    };
    append(log.as_ref(), vec![sent("hall", FieldValue::I64(1))]).await;
    // a release to come writes what this one cannot read
    log.append_bytes(&SourceName::new("lab0").unwrap(), br#"{"schema":99}"#);
    let worker = house.worker();
    house.done(Duration::from_secs(20)).await;
    worker.stop().await;
    let letters = house.letters().await;
    assert_eq!(letters.len(), 2, "{letters:?}");

    let catalog = Catalog::default();
    let mut with = Retry {
        log: log.as_ref(),
        store: Target::Shared(store.as_ref()),
        catalog: &catalog,
        limits: Limits::default(),
    };
    let positions = store.inner.position().await.unwrap();
    let still = retry(&letters, &with).await.unwrap();
    assert!(still.iter().all(|r| *r != Retried::Stored), "{still:?}");
    assert_eq!(house.letters().await, letters);

    // now the store takes it, and a later release reads the other
    let mut readable = letters.clone();
    for letter in &mut readable {
        if letter.reason == "undecodable" {
            let event = sent("cellar", FieldValue::I64(2)).into_event(schemas::event::Identity {
                epoch: schemas::name::Epoch::new("e").unwrap(),
                seq: 9,
            });
            letter.bytes.clear();
            codec::encode(&event, &mut letter.bytes).unwrap();
        }
    }
    with.store = Target::Shared(&store.inner);
    let done = retry(&readable, &with).await.unwrap();
    assert_eq!(done, [Retried::Stored, Retried::Stored]);
    assert!(house.letters().await.is_empty());
    let there = content(&store.inner).await;
    assert_eq!(there.len(), 4, "{there:?}");
    assert_eq!(store.inner.position().await.unwrap(), positions, "it moved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_of_one_field_brings_that_field_alone() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let store: Arc<dyn TimeSeries> = Arc::new(time_series::Memory::new());
    let catalog = Arc::new(Catalog::default());
    let time = Timestamp::now();
    append(
        log.as_ref(),
        vec![
            draft("lab", "hall", time, &[("mood", 1.5.into_value())]),
            draft(
                "lab",
                "hall",
                time.plus_millis(1),
                &[
                    ("mood", FieldValue::text("good").unwrap()),
                    ("visits_total", FieldValue::I64(1)),
                ],
            ),
            draft(
                "lab",
                "hall",
                time.plus_millis(1),
                &[("visits_total", FieldValue::I64(2))],
            ),
        ],
    )
    .await;
    let supervisor = Supervisor::new();
    let ingest = Ingest::start(
        &supervisor,
        Services {
            log: Arc::clone(&log),
            store: Arc::clone(&store),
            catalog: Arc::clone(&catalog),
            limits: Limits::default(),
            metrics: IngestMetrics::default(),
        },
    );
    ingest.caught_up().wait_for(|done| *done).await.unwrap();
    let letters = log.dead_letters(0, 10).await.unwrap();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let still = ingest.retry(letters.clone()).await.unwrap();
    assert!(
        matches!(&still[..], [Retried::Still { reason, .. }] if reason == "type_conflict"),
        "{still:?}"
    );

    let mut repaired = letters;
    for letter in &mut repaired {
        let mut event = codec::decode(&letter.bytes).unwrap();
        event.fields.set("mood", 2.5.into_value());
        letter.bytes.clear();
        codec::encode(&event, &mut letter.bytes).unwrap();
    }
    let position = store.position().await.unwrap();
    assert_eq!(ingest.retry(repaired).await.unwrap(), [Retried::Stored]);
    assert_eq!(store.position().await.unwrap(), position);
    assert_eq!(log.dead_letter_count().await.unwrap(), 0);
    let there: Vec<_> = content(store.as_ref()).await.into_values().collect();
    assert_eq!(
        there,
        [1.5.into_value(), 2.5.into_value(), FieldValue::I64(2)],
        "the later visits stay"
    );
    assert!(
        supervisor
            .drain(Duration::from_secs(5))
            .await
            .cut
            .is_empty()
    );
}

trait IntoValue {
    fn into_value(self) -> FieldValue;
}

impl IntoValue for f64 {
    fn into_value(self) -> FieldValue {
        FieldValue::float(self).unwrap()
    }
}
