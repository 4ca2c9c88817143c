//! Workers between real servers.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use event_log::{EventLog, Filter, Fleet, Kafka, Memory};
use ingest::{Limits, MoveLabel, Pace, Rebuild, rebuild};
use schemas::{Catalog, Timestamp};
use secrecy::SecretString;
use supervision::Supervisor;
use test_servers::{Influxdb as Server, unique};
use time_series::{Influxdb, PartitionedStore, influxdb::Options};
use tokio_util::sync::CancellationToken;

use crate::lab::{GROUP, House, append, assert_same, content, quick, readings};

const EVENTS: usize = 24_000;

fn influxdb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start().unwrap())
}

async fn bucket(supervisor: &Supervisor) -> Arc<Influxdb> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let options = Options::new(
        influxdb().url(),
        Server::ORG,
        unique("homelog"),
        SecretString::from(Server::TOKEN),
        client,
    );
    Arc::new(Influxdb::open(options, supervisor).await.unwrap())
}

/// Workers come, go and crash while events flow; afterwards the bucket holds what one worker makes of the log in memory.
async fn workers_come_and_go(log: Arc<dyn EventLog>, fleet: Arc<dyn Fleet>) {
    let supervisor = Supervisor::new();
    let store = bucket(&supervisor).await;
    let house = House {
        log: Arc::clone(&log),
        fleet,
        store: Arc::clone(&store) as Arc<dyn PartitionedStore>,
        metrics: ingest::IngestMetrics::default(),
        options: ingest::FleetOptions {
            batch_events: 500,
            linger: Duration::from_millis(50),
            pace: Pace::default(),
            group: GROUP.to_owned(),
            ..quick()
        },
    };
    let from = Timestamp::now().plus_millis(-3_600_000);
    let mut drafts = readings(30, EVENTS, from);
    let rest = drafts.split_off(EVENTS / 3);
    let first = house.worker();
    append(log.as_ref(), drafts).await;
    until_some_are_stored(&house, 1_000).await;
    // a second takes partitions from the first, in the middle of its work
    let second = house.worker();
    append(log.as_ref(), rest).await;
    until_some_are_stored(&house, EVENTS / 3 + 1_000).await;
    first.crash();
    let third = house.worker();
    house.done(Duration::from_mins(2)).await;

    let plain = time_series::Memory::new();
    let asked = Rebuild {
        log: log.as_ref(),
        store: &plain,
        catalog: &Catalog::default(),
        limits: Limits {
            unsigned: false,
            ..Limits::default()
        },
        filter: Filter::default(),
        resume: false,
        pace: Pace::default(),
    };
    let made = rebuild(&asked, &CancellationToken::new(), |_| {})
        .await
        .unwrap();
    assert_eq!(made.points, EVENTS as u64);
    assert_same(&content(store.as_ref()).await, &content(&plain).await);
    assert!(house.letters().await.is_empty());
    if log.capabilities().partitions > 1 {
        let revoked = MoveLabel { what: "revoked" };
        assert!(house.metrics.rebalances.get_or_create(&revoked).get() > 0);
    }
    second.stop().await;
    third.stop().await;
    assert!(
        supervisor
            .drain(Duration::from_secs(20))
            .await
            .cut
            .is_empty()
    );
}

async fn until_some_are_stored(house: &House, events: usize) {
    let end = Instant::now() + Duration::from_mins(2);
    while house.metrics.points.get() < events as u64 {
        assert!(Instant::now() < end, "{events} events are not stored");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_come_and_go_between_a_log_in_memory_and_influxdb() {
    let log = Arc::new(Memory::new(3));
    workers_come_and_go(
        Arc::clone(&log) as Arc<dyn EventLog>,
        Arc::clone(&log) as Arc<dyn Fleet>,
    )
    .await;
}

fn broker() -> String {
    static BROKER: OnceLock<test_servers::Kafka> = OnceLock::new();
    BROKER
        .get_or_init(|| test_servers::Kafka::start(&test_servers::KafkaOptions::default()).unwrap())
        .brokers()
}

async fn on_kafka(partitions: usize) {
    let supervisor = Supervisor::new();
    let options = event_log::kafka::Options {
        brokers: broker(),
        prefix: unique("t"),
        partitions,
        session: Duration::from_secs(6),
        ..event_log::kafka::Options::default()
    };
    // the leaders of a topic that was just made may not be known yet
    let log = loop {
        match Kafka::open(options.clone(), &supervisor).await {
            Ok(log) => break Arc::new(log),
            Err(e) => assert!(e.is_transient(), "{e}"),
        }
    };
    workers_come_and_go(
        Arc::clone(&log) as Arc<dyn EventLog>,
        Arc::clone(&log) as Arc<dyn Fleet>,
    )
    .await;
    log.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_come_and_go_between_kafka_and_influxdb() {
    on_kafka(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_takes_the_only_partition_over_between_kafka_and_influxdb() {
    on_kafka(1).await;
}
