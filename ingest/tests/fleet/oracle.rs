//! Everything that can go wrong at a time, and afterwards nothing is missing, doubled or out of order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use event_log::{Filter, Memory};
use ingest::{Limits, Pace, Rebuild, rebuild};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use schemas::{Catalog, FieldValue, SourceName, Timestamp};
use time_series::PartitionedStore;
use tokio_util::sync::CancellationToken;

use crate::{
    faulty::{Faulty, POISON},
    lab::{House, Running, append, assert_same, content, draft},
};

const SOURCES: u64 = 12;

/// A burst of readings. Some share entity and time with earlier ones, so that the later must win; some are poisoned.
fn burst(random: &mut StdRng, from: Timestamp, serial: &mut i64) -> Vec<schemas::Draft> {
    (0..random.random_range(1..600))
        .map(|_| {
            *serial += 1;
            let back = if random.random_ratio(1, 3) {
                random.random_range(0..40)
            } else {
                0
            };
            let mut fields = vec![
                ("visits_total", FieldValue::I64(*serial)),
                (
                    "temperature_celsius",
                    FieldValue::F64(random.random_range(0.0..40.0)),
                ),
            ];
            if random.random_ratio(1, 200) {
                fields.push((POISON, FieldValue::Bool(true)));
            }
            draft(
                &format!("lab{}", random.random_range(0..SOURCES)),
                &format!("room{}", random.random_range(0..5)),
                from.plus_millis((*serial - back) / 3),
                &fields,
            )
        })
        .collect()
}

/// Watches that the group never is where the store is not yet.
async fn watch(house: House, stop: Arc<AtomicBool>) -> u64 {
    let mut looks = 0;
    while !stop.load(Ordering::Relaxed) {
        let committed = house.committed().await;
        for (partition, next) in committed.offsets().iter().enumerate() {
            let there = house.store.partition_position(partition).await.unwrap();
            assert!(
                there.unwrap_or(0) >= *next,
                "partition {partition}: {next} is committed, {there:?} is in the store"
            );
        }
        looks += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    looks
}

async fn run(seed: u64, time: Duration) {
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let log = Arc::new(Memory::new(3));
    let store = Faulty::new(seed);
    let house = House::new(&log, Arc::clone(&store) as Arc<dyn PartitionedStore>);
    let stop = Arc::new(AtomicBool::new(false));
    let driving = drive(&mut random, &house, &log, &store, time);
    let watcher = watch(house.clone(), Arc::clone(&stop));
    let ((workers, crashes, unreadable), looks) = tokio::join!(
        async {
            let driven = driving.await;
            stop.store(true, Ordering::Relaxed);
            driven
        },
        watcher
    );
    store.fail(0);
    store.delay(0);
    house.done(Duration::from_secs(30)).await;

    // what one worker makes of the log without a fault
    let plain = Faulty::new(0);
    let wanted = rebuild(
        &Rebuild {
            log: log.as_ref(),
            store: &plain.inner,
            catalog: &Catalog::default(),
            limits: Limits::default(),
            filter: Filter::default(),
            resume: false,
            pace: Pace::default(),
        },
        &CancellationToken::new(),
        |_| {},
    )
    .await
    .unwrap();
    let mut expected = content(&plain.inner).await;
    let poisoned = expected
        .keys()
        .filter(|(_, field, _)| field == POISON)
        .count();
    expected.retain(|(_, field, _), _| field != POISON);
    assert_same(&content(&store.inner).await, &expected);
    let letters = house.letters().await;
    let of = |reason: &str| letters.iter().filter(|l| l.reason == reason).count();
    assert_eq!(of("undecodable"), unreadable);
    assert!(
        of("store_refused") >= poisoned && poisoned > 0,
        "{poisoned} poisoned"
    );
    assert_eq!(letters.len(), of("undecodable") + of("store_refused"));
    for letter in &letters {
        if letter.reason == "store_refused" {
            let event = schemas::codec::decode(&letter.bytes).unwrap();
            assert!(event.fields.get(POISON).is_some(), "{letter:?}");
            assert_eq!(letter.message, "field poison is not wanted");
        }
    }
    for worker in workers {
        worker.stop().await;
    }

    // it was as bad as it was meant to be
    let struck = &store.struck;
    println!(
        "{} events, {crashes} crashes, {struck:?}, {looks} looks",
        wanted.events
    );
    for kind in [&struck.before, &struck.halfway, &struck.after] {
        assert!(kind.load(Ordering::Relaxed) >= 3, "{struck:?}");
    }
    assert!(wanted.events > 1_000 && crashes >= 3 && looks > 100);
    assert!(house.metrics.retries.get() > 10);
    assert_eq!(
        house.metrics.in_flight.get(),
        0,
        "nothing is with the store"
    );
    assert_eq!(house.metrics.held_bytes.get(), 0, "nothing is held");
    assert_eq!(house.metrics.waiting.get(), 0);
}

async fn drive(
    random: &mut StdRng,
    house: &House,
    log: &Memory,
    store: &Faulty,
    time: Duration,
) -> (Vec<Running>, u64, usize) {
    let mut workers = vec![house.worker()];
    let (mut crashes, mut unreadable, mut serial) = (0, 0, 0);
    let from = Timestamp::now().plus_millis(-3_600_000);
    let end = Instant::now() + time;
    let struck = &store.struck;
    let enough = || {
        [&struck.before, &struck.halfway, &struck.after]
            .iter()
            .all(|kind| kind.load(Ordering::Relaxed) >= 3)
    };
    while Instant::now() < end || crashes < 3 || !enough() {
        assert!(
            Instant::now() < end + Duration::from_mins(1),
            "too few faults"
        );
        append(log, burst(random, from, &mut serial)).await;
        match random.random_range(0..24) {
            0..=2 if workers.len() < 4 => workers.push(house.worker()),
            3..=5 if !workers.is_empty() => {
                let which = random.random_range(0..workers.len());
                workers.swap_remove(which).crash();
                crashes += 1;
            }
            6 if workers.len() > 1 => workers.swap_remove(0).stop().await,
            7 => store.fail(random.random_range(0..40)),
            8 => store.fail(0),
            9 => store.delay(random.random_range(0..80)),
            10 => {
                let bytes = format!("{{\"schema\":99,\"number\":{serial}}}");
                log.append_bytes(&SourceName::new("lab1").unwrap(), bytes.as_bytes());
                unreadable += 1;
            }
            11 => {
                store.misconfigure(true);
                tokio::time::sleep(Duration::from_millis(30)).await;
                store.misconfigure(false);
            }
            _ => {}
        }
        if workers.is_empty() {
            workers.push(house.worker());
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..30))).await;
    }
    (workers, crashes, unreadable)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_out_of_order_whatever_happens() {
    let seed = u64::from(std::process::id());
    for seed in [7, 11, seed] {
        run(seed, Duration::from_secs(4)).await;
    }
}
