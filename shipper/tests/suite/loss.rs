//! A destination that is away is a delay; one that lost its tail gets it again.

use std::{sync::Arc, time::Duration};

use event_log::{Destination, DestinationError, EventLog, Memory};
use shipper::{Metrics, State};

use super::{
    kit::{Running, all, assert_arrived, quick, source, spool, until},
    ledger::Ledger,
};

async fn whole(log: &Arc<dyn EventLog>, ledger: &Ledger) {
    until("all is there", async || {
        ledger.events().len() == usize::try_from(log.bounds().await.unwrap().events).unwrap()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_a_delay_and_is_told() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let ledger = Ledger::default();
    ledger.away(true);
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let metrics = Metrics::default();
    let running = Running::start(&log, &destination, &metrics, quick());
    spool(&*log, &source("a"), 0..500).await;
    let status = running.shipper.status();
    until("the outage shows", async || {
        let status = status.borrow().clone();
        matches!(&status.state, State::Waiting { reason, .. } if reason == "nobody there")
            && status.backlog == 500
    })
    .await;
    assert_eq!(metrics.up.get(), 0);
    ledger.away(false);
    whole(&log, &ledger).await;
    until("it is over", async || {
        let status = status.borrow().clone();
        status.state == State::Shipping && status.backlog == 0
    })
    .await;
    assert_eq!(metrics.up.get(), 1);
    assert_arrived(&all(&*log).await, &ledger.events());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_tail_is_sent_again_while_running() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let ledger = Ledger::default();
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let metrics = Metrics::default();
    let running = Running::start(&log, &destination, &metrics, quick());
    for n in 0..4 {
        spool(&*log, &source(&format!("s{n}")), 0..200).await;
    }
    whole(&log, &ledger).await;
    // the power of a single broker fails: it comes back without its last events
    ledger.away(true);
    ledger.lose(300);
    spool(&*log, &source("s0"), 200..220).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    ledger.away(false);
    whole(&log, &ledger).await;
    assert_arrived(&all(&*log).await, &ledger.events());
    until("it is told", async || metrics.rewinds.get() == 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_tail_is_sent_again_at_a_start() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let ledger = Ledger::default();
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let metrics = Metrics::default();
    for n in 0..4 {
        spool(&*log, &source(&format!("s{n}")), 0..200).await;
    }
    let running = Running::start(&log, &destination, &metrics, quick());
    whole(&log, &ledger).await;
    running.stop().await;
    let appends = ledger.lock().appends;
    // nothing is missing: nothing is sent
    let running = Running::start(&log, &destination, &metrics, quick());
    let mut status = running.shipper.status();
    status
        .wait_for(|status| status.state == State::Shipping)
        .await
        .unwrap();
    running.stop().await;
    assert_eq!(ledger.lock().appends, appends);
    ledger.lose(333);
    let running = Running::start(&log, &destination, &metrics, quick());
    whole(&log, &ledger).await;
    assert_arrived(&all(&*log).await, &ledger.events());
    assert_eq!(ledger.lock().duplicates, 0, "only what was lost is sent");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shipped_events_stay_until_their_time_is_over() {
    for (keep, stays) in [
        (Duration::from_hours(24), true),
        (Duration::from_millis(48), false),
    ] {
        let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
        let ledger = Ledger::default();
        let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
        let options = shipper::Options { keep, ..quick() };
        let running = Running::start(&log, &destination, &Metrics::default(), options);
        spool(&*log, &source("a"), 0..300).await;
        until("all is there", async || ledger.events().len() == 300).await;
        if stays {
            tokio::time::sleep(Duration::from_millis(150)).await;
            assert_eq!(log.bounds().await.unwrap().events, 300);
        } else {
            until("it goes", async || log.bounds().await.unwrap().events == 0).await;
        }
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_of_another_agent_ends_the_shipper_and_names_the_owner() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let ledger = Ledger::default();
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let other = schemas::name::AgentName::new("attic").unwrap();
    ledger.lock().owners.insert(source("b"), other);
    spool(&*log, &source("a"), 0..10).await;
    let running = Running::start(&log, &destination, &Metrics::default(), quick());
    until("its own events arrive", async || {
        ledger.events().len() == 10
    })
    .await;
    // a source that comes later is claimed before its first event goes
    spool(&*log, &source("b"), 0..10).await;
    let exit = running.supervisor.first_exit().await;
    assert!(
        exit.cause.contains("`b`")
            && exit.cause.contains("`attic`")
            && exit.cause.contains("--take-over"),
        "{exit}"
    );
    assert_eq!(ledger.count(&source("b")), 0);
    let options = shipper::Options {
        take_over: true,
        ..quick()
    };
    let running = Running::start(&log, &destination, &Metrics::default(), options);
    whole(&log, &ledger).await;
    running.stop().await;
}

/// A data directory that was restored from a copy gives its next events seqs that others have had: they would vanish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_was_restored_from_a_copy_is_told_before_it_ships() {
    let write = async |count: u64| -> Arc<dyn EventLog> {
        let log = Memory::new(1);
        let drafts = (1..=count)
            .map(|seq| {
                let mut draft = super::kit::draft(&source("a"), 1);
                draft.identity = Some(schemas::Identity {
                    epoch: schemas::Epoch::new("e1").unwrap(),
                    seq,
                });
                draft
            })
            .collect();
        log.append(drafts, event_log::Urgency::Soon).await.unwrap();
        let log: Arc<dyn EventLog> = Arc::new(log);
        log
    };
    let ledger = Ledger::default();
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let (log, copy) = (write(20).await, write(12).await);
    let running = Running::start(&log, &destination, &Metrics::default(), quick());
    whole(&log, &ledger).await;
    running.stop().await;
    let running = Running::start(&copy, &destination, &Metrics::default(), quick());
    let exit = running.supervisor.first_exit().await;
    for part in ["`a`", "seq 20", "ends at 12", "move it away"] {
        assert!(exit.cause.contains(part), "{exit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_is_told_and_tried_again() {
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let ledger = Ledger::default();
    ledger.lock().fault = Some(DestinationError::denied("the token is not known"));
    let destination: Arc<dyn Destination> = Arc::new(ledger.clone());
    let running = Running::start(&log, &destination, &Metrics::default(), quick());
    spool(&*log, &source("a"), 0..10).await;
    let mut status = running.shipper.status();
    status
        .wait_for(|status| matches!(&status.state, State::Waiting { reason, .. } if reason.contains("token")))
        .await
        .unwrap();
    ledger.lock().fault = None;
    whole(&log, &ledger).await;
    running.stop().await;
}
