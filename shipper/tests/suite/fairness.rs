//! A source with a long backlog does not hold up the others.

use std::{sync::Arc, time::Duration};

use event_log::{Destination, EventLog, Memory};
use shipper::{Metrics, Options};

use super::{
    kit::{Running, all, assert_arrived, quick, source, spool, until},
    ledger::Ledger,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_event_passes_a_long_backlog_of_another_source() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let ledger = Ledger::default();
    ledger.lock().latency = Duration::from_millis(4);
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let (a, b) = (source("a"), source("b"));
    // both are known, so that the backlog alone is what may hold up
    spool(&*log, &b, 0..1).await;
    spool(&*log, &a, 0..30_000).await;
    let options = Options {
        window_events: 1000,
        batch_events: 200,
        ..quick()
    };
    let running = Running::start(&log, &destination, &Metrics::default(), options);
    let mut worst = 0;
    for round in 1..=5 {
        until("the backlog moves", async || {
            ledger.count(&a) >= round * 2500
        })
        .await;
        let before = ledger.count(&a);
        let n = i64::try_from(round).unwrap();
        spool(&*log, &b, n..n + 1).await;
        until("the fresh event arrives", async || ledger.count(&b) > round).await;
        let overtaken = ledger.count(&a) - before;
        worst = worst.max(overtaken);
    }
    assert!(
        ledger.count(&a) < 30_000,
        "there must be a backlog left for this to say anything"
    );
    // a flight, what was read until then, and a look around
    assert!(worst <= 6000, "{worst} events of the backlog went first");
    until("all arrives", async || {
        ledger.events().len() == usize::try_from(log.bounds().await.unwrap().events).unwrap()
    })
    .await;
    assert_arrived(&all(&*log).await, &ledger.events());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_appends_fly_at_a_time_but_one_of_a_source() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let ledger = Ledger::default();
    ledger.lock().latency = Duration::from_millis(3);
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    for lump in 0..40 {
        for n in 0..8 {
            spool(&*log, &source(&format!("s{n}")), lump * 10..lump * 10 + 10).await;
        }
    }
    let running = Running::start(&log, &destination, &Metrics::default(), quick());
    until("all arrives", async || ledger.events().len() == 3200).await;
    assert_arrived(&all(&*log).await, &ledger.events());
    {
        let inner = ledger.lock();
        assert_eq!(inner.twice, None, "a source was in two appends at a time");
        assert!(inner.most_flying >= 3, "{} at a time", inner.most_flying);
    }
    running.stop().await;
}
