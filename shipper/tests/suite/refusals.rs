//! What is refused for good is kept with its words and declared.

use std::sync::Arc;

use event_log::{Destination, EventLog, Memory, Refusal};
use schemas::{Dropped, FieldValue};
use shipper::Metrics;

use super::{
    kit::{Running, quick, source, spool, until},
    ledger::Ledger,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_events_become_dead_letters_and_their_holes_are_declared() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let ledger = Ledger::default();
    ledger.lock().refuses = Some(Box::new(|event| {
        let bad = event.fields.get("number") == Some(&FieldValue::I64(7));
        bad.then(|| Refusal {
            index: 0,
            code: "type_conflict".to_owned(),
            message: "`number` is no number here".to_owned(),
        })
    }));
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let metrics = Metrics::default();
    spool(&*log, &source("a"), 0..20).await;
    spool(&*log, &source("b"), 0..20).await;
    let running = Running::start(&log, &destination, &metrics, quick());
    // 19 of each, and a declaration of each
    until("the rest arrives", async || ledger.events().len() == 40).await;
    running.stop().await;
    let letters = log.dead_letters(0, 10).await.unwrap();
    assert_eq!(letters.len(), 2);
    for letter in &letters {
        assert_eq!(letter.reason, "type_conflict");
        assert!(
            letter.message.contains("no number here"),
            "{}",
            letter.message
        );
        let event = schemas::codec::decode(&letter.bytes).unwrap();
        assert_eq!(event.fields.get("number"), Some(&FieldValue::I64(7)));
    }
    let declared: Vec<_> = ledger
        .events()
        .iter()
        .filter_map(|event| Dropped::of(event))
        .map(|dropped| (dropped.source.to_string(), dropped.from_seq, dropped.to_seq))
        .collect();
    assert_eq!(declared.len(), 2);
    assert!(declared.contains(&("a".to_owned(), 8, 8)), "{declared:?}");
    assert_eq!(metrics.refused.get(), 2);

    // a start sends them no more
    let appends = ledger.lock().appends;
    let running = Running::start(&log, &destination, &metrics, quick());
    spool(&*log, &source("c"), 0..1).await;
    until("a fresh event arrives", async || {
        ledger.events().len() == 41
    })
    .await;
    running.stop().await;
    assert_eq!(ledger.lock().appends, appends + 1);
    assert_eq!(log.dead_letter_count().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_refuses_everything_ends_in_dead_letters_not_in_a_circle() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let ledger = Ledger::default();
    ledger.lock().refuses = Some(Box::new(|_| {
        Some(Refusal {
            index: 0,
            code: "no".to_owned(),
            message: "no".to_owned(),
        })
    }));
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    spool(&*log, &source("a"), 0..10).await;
    let running = Running::start(&log, &destination, &Metrics::default(), quick());
    until("all is buried", async || {
        log.dead_letter_count().await.unwrap() == 11
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(
        log.bounds().await.unwrap().events,
        11,
        "ten and one declaration"
    );
    running.stop().await;
}
