//! What a worker keeps to, one by one.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use event_log::Memory;
use ingest::Health;
use schemas::{EntityKey, FieldValue, SourceName, Timestamp, name::SourceKind};
use time_series::{PartitionedStore, Point, TimeSeries};

use crate::{
    faulty::{Faulty, POISON},
    lab::{House, append, content, draft, readings},
};

const SOON: Duration = Duration::from_secs(20);

fn house(partitions: usize) -> (Arc<Memory>, Arc<Faulty>, House) {
    let log = Arc::new(Memory::new(partitions));
    let store = Faulty::new(1);
    let house = House::new(&log, Arc::clone(&store) as Arc<dyn PartitionedStore>);
    (log, store, house)
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds().await {
        assert!(Instant::now() < end, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_store_keeps_what_is_held_bounded() {
    let (log, store, mut house) = house(3);
    house.options.backlog_bytes = 1_000_000;
    store.open_gate(false);
    append(log.as_ref(), readings(9, 40_000, Timestamp::now())).await;
    let worker = house.worker();
    let mut most = 0;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        most = most.max(house.metrics.held_bytes.get());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // of each partition, one delivery of the log may be above its share
    assert!(most > 500_000, "it read only {most} bytes ahead");
    assert!(most < 1_000_000 + 3 * 500 * 1_000, "{most} bytes were held");
    assert!(
        house.metrics.in_flight.get() > 3,
        "writes wait side by side"
    );
    assert!(
        house.metrics.pauses.get() > 0,
        "what stays ahead is paused, so that others could go on"
    );
    assert!(
        house
            .metrics
            .partition_lag_events
            .get_or_create(&ingest::PartitionLabel { partition: 0 })
            .get()
            > 0
    );
    store.open_gate(true);
    house.done(SOON).await;
    assert_eq!(store.inner.stats().await.unwrap().points, 40_000);
    assert_eq!(house.metrics.held_bytes.get(), 0);
    worker.stop().await;
}

/// A pause costs what was fetched: at full speed, where the backlog is always full for a moment, it would be most of the work.
/// On a clock that goes on only while all wait: how fast the machine is does not matter.
#[tokio::test(start_paused = true)]
async fn a_full_backlog_that_moves_pauses_nothing() {
    let (log, store, mut house) = house(3);
    house.options.backlog_bytes = 1_000_000;
    store.delay(8);
    append(log.as_ref(), readings(9, 40_000, Timestamp::now())).await;
    let supervisor = supervision::Supervisor::new();
    let _health = house.start(&supervisor);
    let mut most = 0;
    until("everything is stored", async || {
        most = most.max(house.metrics.held_bytes.get());
        house.is_done().await
    })
    .await;
    assert!(most > 900_000, "the backlog was never full: {most} bytes");
    assert_eq!(house.metrics.pauses.get(), 0);
    let drained = supervisor.drain(SOON).await;
    assert!(drained.cut.is_empty(), "it did not stop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_is_finished_before_a_partition_goes() {
    let (log, store, mut house) = house(2);
    house.options.batch_events = 100;
    store.delay(150);
    append(log.as_ref(), readings(20, 4_000, Timestamp::now())).await;
    let first = house.worker();
    until("writes are in flight", async || {
        house.metrics.in_flight.get() > 1
    })
    .await;
    let second = house.worker();
    house.done(SOON).await;
    let revoked = ingest::MoveLabel { what: "revoked" };
    assert!(house.metrics.rebalances.get_or_create(&revoked).get() > 0);
    let twice = store
        .times
        .lock()
        .unwrap()
        .values()
        .filter(|count| **count != 1)
        .count();
    assert_eq!(twice, 0, "points were written again although all went well");
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_though_the_store_does_not_answer() {
    let (log, store, mut house) = house(2);
    house.options.drain = Duration::from_millis(300);
    store.open_gate(false);
    append(log.as_ref(), readings(20, 1_000, Timestamp::now())).await;
    let first = house.worker();
    until("writes are in flight", async || {
        house.metrics.in_flight.get() > 1
    })
    .await;
    let begun = Instant::now();
    first.stop().await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(house.metrics.in_flight.get(), 0);
    assert_eq!(house.committed().await.offsets().iter().sum::<u64>(), 0);
    store.open_gate(true);
    let second = house.worker();
    house.done(SOON).await;
    assert_eq!(store.inner.stats().await.unwrap().points, 1_000);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_store_fills_itself_although_the_group_has_gone_on() {
    let (log, store, house) = house(3);
    append(log.as_ref(), readings(9, 3_000, Timestamp::now())).await;
    let worker = house.worker();
    house.done(SOON).await;
    worker.stop().await;

    let empty = Faulty::new(2);
    let moved = House {
        store: Arc::clone(&empty) as Arc<dyn PartitionedStore>,
        ..house
    };
    let worker = moved.worker();
    moved.done(SOON).await;
    until("all is there", async || {
        empty.inner.stats().await.unwrap().points == 3_000
    })
    .await;
    assert_eq!(content(&empty.inner).await, content(&store.inner).await);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_is_an_event_and_the_rest_goes_on() {
    let (log, store, house) = house(1);
    append(log.as_ref(), readings(3, 600, Timestamp::now())).await;
    let worker = house.worker();
    house.done(SOON).await;
    worker.stop().await;

    append(
        log.as_ref(),
        readings(3, 400, Timestamp::now().plus_millis(5_000)),
    )
    .await;
    log.lose(0, 900);
    let worker = house.worker();
    house.done(SOON).await;
    // found at the start, 300 are gone; now one that a running worker meets
    store.open_gate(false);
    append(
        log.as_ref(),
        readings(3, 5_000, Timestamp::now().plus_millis(60_000)),
    )
    .await;
    until("it is behind", async || house.metrics.in_flight.get() > 0).await;
    worker.crash();
    log.lose(0, 2_000);
    store.open_gate(true);
    let worker = house.worker();
    house.done(SOON).await;

    let told = content(&store.inner).await;
    let lost: Vec<i64> = told
        .iter()
        .filter(|((key, field, _), _)| {
            key == "homelog/log_partition/partition-0" && field == "lost_events_count"
        })
        .map(|(_, value)| match value {
            FieldValue::I64(count) => *count,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert_eq!(lost.first(), Some(&300));
    let total: i64 = lost.iter().sum();
    assert_eq!(house.metrics.lost_events.get(), total.unsigned_abs());
    assert_eq!(house.metrics.losses.get(), 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_person_is_told_and_passes_when_it_is_put_right() {
    let (log, store, house) = house(2);
    store.misconfigure(true);
    append(log.as_ref(), readings(5, 500, Timestamp::now())).await;
    let worker = house.worker();
    let mut health = worker.health.clone();
    let waiting = |health: &Health| matches!(health, Health::Waiting { passes: false, .. });
    let told = tokio::time::timeout(SOON, health.wait_for(waiting))
        .await
        .unwrap()
        .unwrap()
        .clone();
    let Health::Waiting { why, .. } = told else {
        panic!("{told:?}")
    };
    assert!(
        why.contains("bucket `homelog` does not exist: make it"),
        "{why}"
    );
    assert_eq!(house.metrics.waiting.get(), 1);
    store.misconfigure(false);
    house.done(SOON).await;
    assert_eq!(*worker.health.borrow(), Health::Working);
    assert_eq!(house.metrics.waiting.get(), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_workers_differ_on_a_type_the_store_decides() {
    let (log, store, house) = house(1);
    let time = Timestamp::now();
    let worker = house.worker();
    append(log.as_ref(), readings(1, 10, time)).await;
    house.done(SOON).await;
    // another worker registered the field as a float meanwhile
    let key: EntityKey = "elsewhere/room/hall".parse().unwrap();
    let mut point = Point {
        key,
        kind: SourceKind::new("push").unwrap(),
        agent: None,
        labels: Arc::default(),
        time,
        fields: schemas::Fields::new(),
    };
    point.fields.set("guests_count", FieldValue::F64(1.5));
    store
        .inner
        .write_partition(vec![point], 0, 0)
        .await
        .unwrap();
    for (n, value) in [
        FieldValue::I64(5),
        FieldValue::I64(6),
        FieldValue::Bool(true),
    ]
    .into_iter()
    .enumerate()
    {
        let time = time.plus_millis(1_000 + i64::try_from(n).unwrap());
        append(
            log.as_ref(),
            vec![draft("lab0", "hall", time, &[("guests_count", value)])],
        )
        .await;
    }
    house.done(SOON).await;
    let there: Vec<_> = content(&store.inner)
        .await
        .into_iter()
        .filter(|((key, field, _), _)| key == "lab0/room/hall" && field == "guests_count")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(there, [FieldValue::F64(5.0), FieldValue::F64(6.0)]);
    let letters = house.letters().await;
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(letter.reason, "type_conflict");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_shares_the_partitions_and_one_that_leaves_is_replaced_at_once() {
    let (log, store, house) = house(3);
    let workers = [house.worker(), house.worker(), house.worker()];
    let time = Timestamp::now();
    append(log.as_ref(), readings(30, 3_000, time)).await;
    house.done(SOON).await;
    let [first, second, third] = workers;
    first.stop().await;
    second.crash();
    append(log.as_ref(), readings(30, 3_000, time.plus_millis(100_000))).await;
    house.done(SOON).await;
    assert_eq!(store.inner.stats().await.unwrap().points, 6_000);
    assert!(store.writes.load(Ordering::Relaxed) > 0);
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lag_near_the_logs_retention_is_an_alarm() {
    let (log, store, mut house) = house(1);
    house.options.retention = Some(Duration::from_secs(2));
    store.open_gate(false);
    append(log.as_ref(), readings(1, 10, Timestamp::now())).await;
    let worker = house.worker();
    let label = ingest::PartitionLabel { partition: 0 };
    let near = || house.metrics.lag_near_retention.get_or_create(&label).get();
    until("the alarm is on", async || near() == 1).await;
    store.open_gate(true);
    until("the alarm is off", async || near() == 0).await;
    worker.stop().await;
}

/// What the store refused came back while the letters of the batch behind it were put aside; so both were sent again, the
/// letters were put aside again, and so on for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_before_a_batch_with_letters_does_not_go_round_in_circles() {
    let (log, store, mut house) = house(1);
    house.options.batch_events = 10;
    for _ in 0..20 {
        let mut drafts = readings(1, 9, Timestamp::now());
        drafts.push(draft(
            "lab0",
            "room",
            Timestamp::now(),
            &[("n", FieldValue::I64(1)), (POISON, FieldValue::Bool(true))],
        ));
        append(log.as_ref(), drafts).await;
        let source = SourceName::new("lab0").unwrap();
        log.append_bytes(&source, br#"{"schema":99}"#);
    }
    let worker = house.worker();
    house.done(SOON).await;
    let letters = house.letters().await;
    let of = |reason: &str| letters.iter().filter(|l| l.reason == reason).count();
    assert_eq!((of("undecodable"), of("store_refused")), (20, 20));
    assert!(
        store.writes.load(Ordering::Relaxed) < 500,
        "{} writes for 22 batches",
        store.writes.load(Ordering::Relaxed)
    );
    worker.stop().await;
}
