//! A spool that overflows drops the oldest and says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use event_log::{Destination, Embedded, EventLog};
use schemas::{Dropped, SourceName};
use shipper::{Metrics, Options};

use super::{
    kit::{Running, draft, quick, source, until},
    ledger::Ledger,
};

/// Some kilobytes that do not compress.
async fn fill(log: &dyn EventLog, source: &SourceName, numbers: std::ops::Range<i64>) {
    let drafts = numbers
        .map(|n| {
            let mut draft = draft(source, n);
            let noise = (0..60).fold(String::new(), |noise, _| {
                format!("{noise}{:016x}", rand::random::<u64>())
            });
            draft.fields.set_text("noise", &noise);
            draft
        })
        .collect();
    log.append(drafts, event_log::Urgency::Soon).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overflowing_spool_declares_exactly_what_it_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let log = Embedded::open(directory.path(), event_log::embedded::Options::default()).unwrap();
    let log: Arc<dyn EventLog> = Arc::new(log);
    let ledger = Ledger::default();
    ledger.away(true);
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let metrics = Metrics::default();
    let options = Options {
        max_bytes: 1024 * 1024,
        ..quick()
    };
    let running = Running::start(&log, &destination, &metrics, options.clone());
    let sources = [source("a"), source("b"), source("c")];
    let mut lost = 0;
    for round in 0..6 {
        for source in &sources {
            fill(&*log, source, round * 200..round * 200 + 200).await;
        }
        // also declarations are dropped, and declared anew
        until("the spool is within its bound again", async || {
            log.bounds().await.unwrap().bytes <= options.max_bytes
        })
        .await;
        if metrics.dropped.get() > lost {
            lost = metrics.dropped.get();
        }
    }
    assert!(lost > 500, "{lost} dropped");
    // killed in between, too
    running.kill().await;
    ledger.away(false);
    let running = Running::start(&log, &destination, &metrics, options);
    until("all that is left arrives", async || {
        let status = running.shipper.status().borrow().clone();
        status.state == shipper::State::Shipping
            && status.backlog == 0
            && !ledger.events().is_empty()
    })
    .await;
    running.stop().await;

    let states = log.sequences().await.unwrap();
    let mut there: BTreeMap<SourceName, BTreeSet<u64>> = BTreeMap::new();
    let mut declared: BTreeMap<SourceName, BTreeSet<u64>> = BTreeMap::new();
    for event in ledger.events() {
        there
            .entry(event.source.clone())
            .or_default()
            .insert(event.seq);
        if let Some(dropped) = Dropped::of(&event) {
            assert_eq!(dropped.reason, "spool_full");
            declared
                .entry(dropped.source)
                .or_default()
                .extend(dropped.from_seq..=dropped.to_seq);
        }
    }
    for state in states {
        let there = &there[&state.source];
        let declared = &declared[&state.source];
        for seq in 1..=state.last_seq {
            assert!(
                there.contains(&seq) || declared.contains(&seq),
                "{}: {seq} is neither there nor declared",
                state.source
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_waited_too_long_are_dropped_and_declared() {
    let log: Arc<dyn EventLog> = Arc::new(event_log::Memory::new(1));
    let ledger = Ledger::default();
    ledger.away(true);
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let metrics = Metrics::default();
    super::kit::spool(&*log, &source("a"), 0..50).await;
    let options = Options {
        max_age: Duration::from_millis(300),
        ..quick()
    };
    let running = Running::start(&log, &destination, &metrics, options);
    until("they go", async || metrics.dropped.get() >= 50).await;
    ledger.away(false);
    super::kit::spool(&*log, &source("a"), 50..60).await;
    until("what is fresh arrives", async || {
        ledger.count(&source("a")) >= 10
    })
    .await;
    running.stop().await;
    let declared: BTreeSet<u64> = ledger
        .events()
        .iter()
        .filter_map(|event| Dropped::of(event))
        .flat_map(|dropped| dropped.from_seq..=dropped.to_seq)
        .collect();
    assert!((1..=50).all(|seq| declared.contains(&seq)), "{declared:?}");
}
