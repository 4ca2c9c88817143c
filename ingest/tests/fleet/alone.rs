//! The worker that has a log for itself, on days when the store does not answer.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use event_log::{EventLog, Memory};
use ingest::{Ingest, IngestMetrics, Limits, Services};
use schemas::{Catalog, Timestamp};
use supervision::Supervisor;
use time_series::TimeSeries;

use crate::{
    faulty::Faulty,
    lab::{append, readings},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_for_a_store_that_does_not_answer() {
    let log = Arc::new(Memory::new(2));
    let store = Faulty::new(7);
    append(log.as_ref(), readings(3, 20, Timestamp::now())).await;
    store.fail(100);
    let supervisor = Supervisor::new();
    let services = Services {
        log: Arc::clone(&log) as Arc<dyn EventLog>,
        store: Arc::clone(&store) as Arc<dyn TimeSeries>,
        catalog: Arc::new(Catalog::default()),
        limits: Limits::default(),
        metrics: IngestMetrics::default(),
    };
    let ingest = Ingest::start(&supervisor, services);
    let mut caught_up = ingest.caught_up();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(
        store.struck.reads.load(Ordering::Relaxed) > 1,
        "it asks again"
    );
    assert!(!supervisor.token().is_cancelled() && !*caught_up.borrow());
    store.fail(0);
    let done = caught_up.wait_for(|done| *done);
    tokio::time::timeout(Duration::from_secs(20), done)
        .await
        .expect("it goes on by itself")
        .unwrap();

    // a loss, while the store cannot be told of it
    store.fail(100);
    for partition in 0..2 {
        let newest = log.bounds().await.unwrap().newest;
        log.lose(partition, newest.offset(partition));
    }
    append(log.as_ref(), readings(3, 5, Timestamp::now())).await;
    for partition in 0..2 {
        let newest = log.bounds().await.unwrap().newest;
        log.lose(partition, newest.offset(partition));
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!supervisor.token().is_cancelled());
    store.fail(0);
    let newest = log.bounds().await.unwrap().newest;
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while store.position().await.unwrap().as_ref() != Some(&newest) {
        assert!(tokio::time::Instant::now() < end, "it goes on by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        supervisor
            .drain(Duration::from_secs(5))
            .await
            .cut
            .is_empty()
    );
}
