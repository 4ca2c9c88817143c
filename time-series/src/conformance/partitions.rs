//! The laws of a store that many workers write.

use std::sync::Arc;

use async_trait::async_trait;

use super::{T, int, labelled, only, point, position, query, samples};
use crate::{PartitionedStore, Point, QueryError, RangeData, Step, WriteError};

/// Makes partitioned stores for the laws.
#[async_trait]
pub trait PartitionedHarness: Send + Sync {
    /// Opens the store; when it was opened before with what it kept. Two that are open at a time are two workers.
    async fn open(&self) -> Arc<dyn PartitionedStore>;

    /// Whether what was written is there when it is opened again.
    fn keeps(&self) -> bool;
}

const DISK: &str = "nas1/disk/sda";

async fn raw(store: &Arc<dyn PartitionedStore>) -> RangeData {
    let asked = query(T, T + 1_000_000, Step::Raw, &[]);
    store.range(&asked).await.unwrap()
}

fn reading(i: i64) -> Vec<Point> {
    vec![point(DISK, T + i * 1000, &[("n", int(i))])]
}

/// Each partition has a place of its own, none before something of it was written.
pub async fn partitions_move_apart(harness: &dyn PartitionedHarness) {
    let store = harness.open().await;
    assert_eq!(store.partition_position(0).await.unwrap(), None);
    assert_eq!(store.position().await.unwrap(), None);
    store.write_partition(reading(0), 2, 10).await.unwrap();
    store.write_partition(Vec::new(), 0, 7).await.unwrap();
    let of = async |partition| store.partition_position(partition).await.unwrap();
    assert_eq!(
        (of(0).await, of(1).await, of(2).await),
        (Some(7), None, Some(10))
    );
    let whole = schemas::Position::from_offsets(vec![7, 0, 10]);
    assert_eq!(store.position().await.unwrap(), Some(whole.clone()));
    assert_eq!(raw(&store).await.position, whole);
    store.close().await.unwrap();
    drop(store);
    if harness.keeps() {
        let store = harness.open().await;
        assert_eq!(store.partition_position(2).await.unwrap(), Some(10));
        assert_eq!(samples(&raw(&store).await, DISK, "n"), [(T, int(0))]);
        store.close().await.unwrap();
    }
}

/// Reading an older part of the log again moves nothing back; only a reset does.
pub async fn a_partition_goes_back_only_when_it_is_reset(harness: &dyn PartitionedHarness) {
    let store = harness.open().await;
    store.write_partition(reading(1), 1, 200).await.unwrap();
    store.write_partition(reading(1), 1, 100).await.unwrap();
    assert_eq!(store.partition_position(1).await.unwrap(), Some(200));
    store.reset_partition(1, 50).await.unwrap();
    assert_eq!(store.partition_position(1).await.unwrap(), Some(50));
    store.write_partition(reading(2), 1, 60).await.unwrap();
    assert_eq!(store.partition_position(1).await.unwrap(), Some(60));
    store.reset_partition(3, 5).await.unwrap();
    assert_eq!(store.partition_position(3).await.unwrap(), Some(5));
    store.close().await.unwrap();
}

/// Of many writes that wait at a time, the later call wins, and the position is that of the last.
pub async fn writes_in_flight_keep_the_order_of_the_calls(harness: &dyn PartitionedHarness) {
    const CALLS: i64 = 60;
    let store = harness.open().await;
    let others: Vec<String> = (0..20).map(|i| format!("nas1/disk/d{i}")).collect();
    let mut calls = Vec::new();
    for call in 1..=CALLS {
        // all at one time, so that only the last of each stays
        let mut points = vec![labelled(
            point(DISK, T, &[("n", int(call))]),
            "image",
            &format!("v{call}"),
        )];
        points.extend(others.iter().map(|key| point(key, T, &[("n", int(call))])));
        let next = u64::try_from(call).unwrap();
        calls.push(store.write_partition(points, 0, next));
    }
    for written in all(calls).await {
        assert!(written.unwrap().refused.is_empty());
    }
    let data = raw(&store).await;
    for key in others.iter().map(String::as_str).chain([DISK]) {
        assert_eq!(samples(&data, key, "n"), [(T, int(CALLS))]);
    }
    let state = store.state(&only(DISK), None).await.unwrap();
    assert_eq!(&*state.entities[0].labels["image"], format!("v{CALLS}"));
    assert_eq!(data.position, position(60));
    store.close().await.unwrap();
}

/// Polls all in their order until all are done.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// What one worker wrote another goes on from.
pub async fn a_worker_takes_over_where_the_other_was(harness: &dyn PartitionedHarness) {
    let first = harness.open().await;
    first.write_partition(reading(1), 0, 10).await.unwrap();
    first.write_partition(reading(2), 1, 20).await.unwrap();
    if harness.keeps() {
        let second = harness.open().await;
        assert_eq!(second.partition_position(1).await.unwrap(), Some(20));
        second.write_partition(reading(3), 1, 30).await.unwrap();
        // what the first still had in its hands
        first.write_partition(reading(2), 0, 11).await.unwrap();
        assert_eq!(first.partition_position(1).await.unwrap(), Some(30));
        assert_eq!(second.partition_position(0).await.unwrap(), Some(11));
        // and an older part of what it takes over changes nothing
        second.write_partition(reading(1), 0, 5).await.unwrap();
        assert_eq!(second.partition_position(0).await.unwrap(), Some(11));
        assert_eq!(samples(&raw(&second).await, DISK, "n").len(), 3);
        second.close().await.unwrap();
    }
    first.close().await.unwrap();
}

/// Also by partition.
pub async fn a_closed_partitioned_store_refuses(harness: &dyn PartitionedHarness) {
    let store = harness.open().await;
    store.write_partition(reading(1), 0, 1).await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(
        store.write_partition(reading(2), 0, 2).await,
        Err(WriteError::Closed)
    ));
    assert!(matches!(
        store.reset_partition(0, 2).await,
        Err(WriteError::Closed)
    ));
    assert!(matches!(
        store.partition_position(0).await,
        Err(QueryError::Closed)
    ));
}

/// One test for each law of partitioned stores.
#[macro_export]
macro_rules! partitioned_conformance {
    ($harness:expr) => {
        $crate::conformance!($harness;
            partitions_move_apart,
            a_partition_goes_back_only_when_it_is_reset,
            writes_in_flight_keep_the_order_of_the_calls,
            a_worker_takes_over_where_the_other_was,
            a_closed_partitioned_store_refuses,
        );
    };
}
