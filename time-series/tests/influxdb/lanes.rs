//! How points travel: compressed, together, in order, and patiently.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use supervision::Supervisor;
use time_series::{Influxdb, PartitionedStore, TimeSeries, WriteError, influxdb::Options};

use super::{
    place::{all, options, reading},
    scripted::{Answer, Scripted},
};

async fn open(
    server: &Scripted,
    supervisor: &Supervisor,
    change: impl FnOnce(&mut Options),
) -> Arc<Influxdb> {
    let mut options = options(&server.url, "raw");
    change(&mut options);
    Arc::new(Influxdb::open(options, supervisor).await.unwrap())
}

/// What comes within the age of a batch goes together, as much as its size allows.
#[tokio::test]
async fn points_of_many_writers_go_together_and_compressed() {
    let supervisor = Supervisor::new();
    let server = Scripted::start(&supervisor, |_| None).await;
    let store = open(&server, &supervisor, |o| {
        o.lanes = 1;
        o.batch_age = Duration::from_millis(500);
        o.batch_points = 40;
    })
    .await;
    let writes = (0..10_usize).map(|partition| {
        let points = (0..8)
            .map(|i| reading(&format!("d{partition}"), i))
            .collect();
        store.write_partition(points, partition, 1)
    });
    let begin = Instant::now();
    for written in all(writes.collect()).await {
        written.unwrap();
    }
    let sizes: Vec<usize> = server.writes().iter().map(|w| w.lines().len()).collect();
    assert_eq!(sizes, [40, 40], "two full batches");
    assert!(
        begin.elapsed() < Duration::from_millis(450),
        "full ones do not wait"
    );
    let begin = Instant::now();
    store
        .write_partition(vec![reading("d0", 9)], 0, 2)
        .await
        .unwrap();
    assert!(
        begin.elapsed() >= Duration::from_millis(450),
        "a small one waits for others"
    );
    assert!(server.writes()[0].head.contains("authorization: token "));
    store.close().await.unwrap();
}

/// Whatever fails in between and however long each request takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entity_keeps_its_order_through_failures() {
    const CALLS: i64 = 60;
    let supervisor = Supervisor::new();
    let count = AtomicUsize::new(0);
    let server = Scripted::start(&supervisor, move |request| {
        if !request.is_write() {
            return None;
        }
        let n = count.fetch_add(1, Ordering::Relaxed);
        let mut answer = Answer::of(if n % 3 == 1 { 503 } else { 204 });
        answer.3 = Duration::from_millis((n as u64 * 7) % 20);
        Some(answer)
    })
    .await;
    let store = open(&server, &supervisor, |o| {
        o.lanes = 3;
        o.batch_points = 5;
        o.batch_age = Duration::ZERO;
    })
    .await;
    let writes = (1..=CALLS).map(|call| {
        let points = (0..7).map(|d| reading(&format!("d{d}"), call)).collect();
        store.write_partition(points, 0, call.unsigned_abs())
    });
    for written in all(writes.collect()).await {
        written.unwrap();
    }
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    let writes = server.writes();
    for (id, n) in writes.iter().flat_map(super::scripted::Request::lines) {
        let before = last.insert(id.clone(), n).unwrap_or(0);
        // a request that failed comes again, and nothing overtakes it
        assert!(n == before + 1 || n <= before, "{id}: {n} after {before}");
    }
    assert!(last.values().all(|n| *n == CALLS), "{last:?}");
    assert!(writes.len() > 60, "failures struck: {}", writes.len());
    store.close().await.unwrap();
}

/// All lanes leave the server alone for as long as it asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_honoured_by_all_lanes() {
    let supervisor = Supervisor::new();
    let count = AtomicUsize::new(0);
    let server = Scripted::start(&supervisor, move |request| {
        (request.is_write() && count.fetch_add(1, Ordering::Relaxed) == 0).then(|| {
            let body = r#"{"code":"too many requests","message":"slow down"}"#;
            let header = "retry-after: 2\r\n".to_owned();
            Answer(429, header, body.to_owned(), Duration::ZERO)
        })
    })
    .await;
    let store = open(&server, &supervisor, |o| o.batch_age = Duration::ZERO).await;
    store
        .write_partition(vec![reading("d0", 1)], 0, 1)
        .await
        .unwrap();
    let first = server.writes();
    assert_eq!(first.len(), 2);
    assert!(first[1].at - first[0].at >= Duration::from_secs(2));
    store.close().await.unwrap();
}

/// The writer is told how long, and the server is left alone meanwhile.
#[tokio::test]
async fn a_long_retry_after_is_told_at_once() {
    let supervisor = Supervisor::new();
    let server = Scripted::start(&supervisor, |request| {
        request.is_write().then(|| {
            let header = "retry-after: 300\r\n".to_owned();
            Answer(503, header, "hinted handoff".to_owned(), Duration::ZERO)
        })
    })
    .await;
    let store = open(&server, &supervisor, |_| {}).await;
    for _ in 0..3 {
        let begin = Instant::now();
        let write = store.write_partition(vec![reading("d0", 1)], 0, 1);
        let error = write.await.unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(2));
        assert!(error.is_transient() && !error.needs_a_person(), "{error}");
        let wait = error.retry_after().unwrap();
        assert!(wait > Duration::from_secs(290), "{wait:?}");
    }
    assert_eq!(server.writes().len(), 1);
    store.close().await.unwrap();
}

/// Its position would claim that the failed one is there.
#[tokio::test]
async fn what_comes_behind_a_failed_batch_fails_with_it() {
    let supervisor = Supervisor::new();
    let server = Scripted::start(&supervisor, |request| {
        // only what d0 writes first is refused
        let poison = request.is_write() && request.lines().iter().any(|(_, n)| *n == 666);
        poison.then(|| Answer::of(500))
    })
    .await;
    let store = open(&server, &supervisor, |o| {
        o.batch_age = Duration::ZERO;
        o.patience = Duration::from_millis(300);
    })
    .await;
    let lanes: Vec<String> = (0..16).map(|i| format!("d{i}")).collect();
    let poisoned = store.write_partition(vec![reading("d0", 666)], 0, 10);
    let behind: Vec<_> = lanes
        .iter()
        .map(|id| store.write_partition(vec![reading(id, 1)], 0, 20))
        .collect();
    let elsewhere = store.write_partition(vec![reading("d3", 1)], 1, 5);
    let (poisoned, behind, elsewhere) = tokio::join!(poisoned, all(behind), elsewhere);
    assert!(matches!(poisoned, Err(WriteError::Unavailable { .. })));
    for one in behind {
        assert!(
            matches!(one, Err(WriteError::Unavailable { .. })),
            "{one:?}"
        );
    }
    elsewhere.unwrap();
    // and then it goes on
    store
        .write_partition(vec![reading("d0", 1)], 0, 20)
        .await
        .unwrap();
    store.close().await.unwrap();
}

/// Waiting for a server that is gone must not hold up the end.
#[tokio::test]
async fn closing_does_not_wait_for_a_server_that_fails() {
    let supervisor = Supervisor::new();
    let server = Scripted::start(&supervisor, |request| {
        request.is_write().then(|| Answer::of(500))
    })
    .await;
    let store = open(&server, &supervisor, |o| {
        o.patience = Duration::from_mins(10);
    })
    .await;
    let writing = store.write_partition(vec![reading("d0", 1)], 0, 1);
    let closing = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        store.close().await.unwrap();
    };
    let both = async { tokio::join!(writing, closing) };
    let (written, ()) = tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .unwrap();
    assert!(matches!(written, Err(WriteError::Closed)), "{written:?}");
    drop(store);
    let drained = supervisor.drain(Duration::from_millis(700)).await;
    assert!(
        drained.cut.iter().all(|task| task.starts_with("scripted")),
        "{drained:?}"
    );
}
