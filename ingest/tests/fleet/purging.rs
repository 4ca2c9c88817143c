//! Sources that are purged while their events are under way.

use std::{sync::Arc, time::Duration};

use event_log::Memory;
use ingest::{Limits, Pace, Rebuild, rebuild};
use schemas::{Catalog, Draft, Purge, SourceName, Timestamp, name::SourceKind};
use time_series::PartitionedStore;
use tokio_util::sync::CancellationToken;

use crate::{
    faulty::Faulty,
    lab::{Content, House, append, assert_same, content, readings},
};

const START: Timestamp = Timestamp::from_millis(1_795_406_700_000);
const SOON: Duration = Duration::from_secs(30);

fn mark(source: &str) -> Draft {
    let purge = Purge {
        source: SourceName::new(source).unwrap(),
        by: "admin".to_owned(),
    };
    let kind = SourceKind::new("push").unwrap();
    purge.draft(kind, START.plus_millis(1)).unwrap()
}

/// 6,000 readings of nine sources, of which one is purged in the middle and another at the end.
fn story() -> Vec<Draft> {
    let mut story = readings(9, 3_000, START);
    story.push(mark("lab1"));
    story.extend(readings(9, 3_000, START.plus_millis(100_000)));
    story.push(mark("lab2"));
    story
}

/// What the store has when it has all of the story.
async fn ending() -> Content {
    let log = Memory::new(1);
    let store = time_series::Memory::new();
    let mut all = readings(9, 3_000, START);
    all.retain(|draft| draft.source.as_str() != "lab1");
    all.extend(readings(9, 3_000, START.plus_millis(100_000)));
    all.retain(|draft| draft.source.as_str() != "lab2");
    append(&log, all).await;
    refill(&log, &store).await;
    content(&store).await
}

async fn refill(log: &Memory, store: &time_series::Memory) {
    let with = Rebuild {
        log,
        store,
        catalog: &Catalog::default(),
        limits: Limits::default(),
        filter: event_log::Filter::default(),
        resume: false,
        pace: Pace::default(),
    };
    let done = rebuild(&with, &CancellationToken::new(), |_| {}).await;
    assert!(done.unwrap().complete);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_a_mark_goes_and_what_comes_after_stays() {
    let log = Arc::new(Memory::new(3));
    let store = Faulty::new(7);
    store.delay(5);
    store.fail(20);
    let house = House::new(&log, Arc::clone(&store) as Arc<dyn PartitionedStore>);
    append(log.as_ref(), story()).await;
    // some workers end as a power cut ends them, the last one finishes
    for _ in 0..3 {
        let worker = house.worker();
        tokio::time::sleep(Duration::from_millis(60)).await;
        worker.crash();
    }
    let worker = house.worker();
    house.done(SOON).await;
    worker.stop().await;
    assert_same(&content(&store.inner).await, &ending().await);
    assert_eq!(house.letters().await, []);
}

#[tokio::test]
async fn a_store_that_is_made_from_the_log_ends_the_same() {
    for partitions in [1, 3] {
        let log = Memory::new(partitions);
        append(&log, story()).await;
        let store = time_series::Memory::new();
        refill(&log, &store).await;
        assert_same(&content(&store).await, &ending().await);
    }
}
