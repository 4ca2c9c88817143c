//! Nothing is lost and nothing is doubled, whatever is killed and cut: agents, brokers, InfluxDB, ingest workers and the
//! network between them break and mend in a random order under load, then everything is compared with what was sent.
//!
//! `HOMELOG_FAULT_SEED` repeats an order (it is printed first), `HOMELOG_FAULT_EVENTS` asks for a longer run.

mod agents;
mod in_log;
mod in_store;
mod lab;
mod plan;
mod setting;
mod strike;
mod workers;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rand::{SeedableRng, rngs::StdRng};

use crate::{lab::Lab, plan::Plan, setting::Setting};

/// How soon a fresh event is in the store when nothing is broken.
const FRESH: Duration = Duration::from_secs(5);
const FRESH_EVENTS: u64 = 3;
/// Records that stand in Kafka more than once, what was sent again, and connections that were made again: fewer, and nothing was
/// put to the test.
const LEAST_DUPLICATES: u64 = 10;
const LEAST_RETRIES: u64 = 10;
const LEAST_RECONNECTIONS: u64 = 100;

#[test]
fn every_event_is_in_the_log_and_in_the_store_exactly_once_whatever_breaks() -> Result<()> {
    let setting = Setting::read()?;
    println!(
        "faults: HOMELOG_FAULT_SEED={} HOMELOG_FAULT_EVENTS={} ({} events a second)",
        setting.seed, setting.events, setting.rate
    );
    let mut random = StdRng::seed_from_u64(setting.seed);
    let begin = Instant::now();
    let mut lab = Lab::start(&setting)?;
    lab.wait_for_flow()?;
    let connections = lab.connections();
    println!("{:>6.1} s: events flow", begin.elapsed().as_secs_f64());

    let mut plan = Plan::new(&lab, &mut random);
    while let Some(kind) = plan.next(&lab, &mut random)? {
        lab.wait_for_flow()?;
        let at = begin.elapsed().as_secs_f64();
        let struck = lab.strike(kind, &mut random)?;
        println!(
            "{at:>6.1} s: {kind:?}: {struck:?}, {} acknowledged",
            lab.acknowledged()?
        );
        plan.done(kind, struck);
    }
    lab.mend()?;
    lab.wait_for_flow()?;
    lab.stop_events()?;
    let sent = lab.sent()?;
    println!(
        "{:>6.1} s: {} events are sent",
        begin.elapsed().as_secs_f64(),
        sent.total()
    );
    ensure!(
        sent.total() >= setting.events,
        "only {} events",
        sent.total()
    );
    in_store::wait_for_all(&lab, &sent)?;
    println!(
        "{:>6.1} s: the store has as many",
        begin.elapsed().as_secs_f64()
    );
    for _ in 0..FRESH_EVENTS {
        let start = Instant::now();
        lab.send_one_more_each()?;
        in_store::wait_for_all(&lab, &lab.sent()?)?;
        ensure!(
            start.elapsed() < FRESH,
            "a fresh event took {:?}",
            start.elapsed()
        );
    }

    let sent = lab.sent()?;
    let logged = in_log::compare(&lab, &sent)?;
    let stored = in_store::compare(&lab, &sent)?;
    let counts = lab.counts()?;
    println!(
        "{:>6.1} s: {} events acknowledged by spools, {} in the log, {stored} points; {} records in Kafka, so {} stand there \
         again; agents: {counts:?}",
        begin.elapsed().as_secs_f64(),
        sent.total(),
        logged.events,
        logged.records,
        logged.duplicates(),
    );
    println!("strikes under load: {:?}", plan.counted());
    ensure!(counts.refused == 0 && counts.dropped == 0, "{counts:?}");
    ensure!(
        logged.duplicates() >= LEAST_DUPLICATES,
        "only {} duplicates were on the wire",
        logged.duplicates()
    );
    ensure!(
        counts.retries + counts.resent >= LEAST_RETRIES,
        "only {} appends and {} requests were sent again",
        counts.retries,
        counts.resent
    );
    let again = lab.connections() - connections;
    println!("{again} connections were made again");
    ensure!(
        again >= LEAST_RECONNECTIONS,
        "only {again} connections were made again"
    );
    Ok(())
}
