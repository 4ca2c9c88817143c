//! Whatever goes wrong, every event arrives once and in order.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "dice are small numbers"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use event_log::{
    Destination, DestinationError, EventLog, ForeignSource, LogDestination, Memory, SequenceState,
    Taken,
};
use proptest::prelude::*;
use schemas::{Event, SourceName};
use shipper::Metrics;

use super::kit::{Running, agent, all, assert_arrived, quick, source, spool, until};

/// A number in [0, 1) for a seed and a step.
fn dice(seed: u64, step: u64) -> f64 {
    let mut z = seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
}

/// A log that fails before and after it has taken what it was given.
struct Faulty {
    inner: LogDestination,
    seed: u64,
    step: AtomicU64,
    /// How often an append fails, and how often after it was done.
    before: f64,
    after: f64,
    failed_before: AtomicU64,
    failed_after: AtomicU64,
}

impl Faulty {
    fn new(log: Arc<dyn EventLog>, seed: u64, before: f64, after: f64) -> Self {
        Self {
            inner: LogDestination::new("faulty", agent(), log),
            seed,
            step: AtomicU64::new(0),
            before,
            after,
            failed_before: AtomicU64::new(0),
            failed_after: AtomicU64::new(0),
        }
    }

    fn roll(&self) -> f64 {
        dice(self.seed, self.step.fetch_add(1, Ordering::Relaxed))
    }
}

#[async_trait]
impl Destination for Faulty {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn most_events(&self) -> usize {
        self.inner.most_events()
    }

    async fn append(&self, events: Vec<Arc<Event>>) -> Result<Taken, DestinationError> {
        if self.roll() < self.before {
            self.failed_before.fetch_add(1, Ordering::Relaxed);
            return Err(DestinationError::away("it is busy"));
        }
        tokio::time::sleep(Duration::from_micros((self.roll() * 2000.0) as u64)).await;
        let taken = self.inner.append(events).await?;
        if self.roll() < self.after {
            self.failed_after.fetch_add(1, Ordering::Relaxed);
            return Err(DestinationError::away("no answer in time"));
        }
        Ok(taken)
    }

    async fn last_seqs(
        &self,
        sources: &[SourceName],
    ) -> Result<Vec<SequenceState>, DestinationError> {
        if self.roll() < self.before {
            return Err(DestinationError::away("it is busy"));
        }
        self.inner.last_seqs(sources).await
    }

    async fn claim(
        &self,
        sources: &[SourceName],
        take_over: bool,
    ) -> Result<Vec<ForeignSource>, DestinationError> {
        if self.roll() < self.before {
            return Err(DestinationError::away("it is busy"));
        }
        self.inner.claim(sources, take_over).await
    }
}

/// Appends to the spool over time, in lumps of different sources.
async fn observe(log: &dyn EventLog, seed: u64, lumps: u64, sources: u64) {
    let mut next = vec![0_i64; usize::try_from(sources).unwrap()];
    for lump in 0..lumps {
        let which = (dice(seed, lump * 3) * sources as f64) as usize % next.len();
        let count = 1 + (dice(seed, lump * 3 + 1) * dice(seed, lump * 3 + 2) * 120.0) as i64;
        let from = next[which];
        next[which] += count;
        spool(log, &source(&format!("s{which}")), from..from + count).await;
        if dice(seed, lump * 7) < 0.3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn arrived(spool: &dyn EventLog, target: &dyn EventLog) {
    until("everything is at the destination", async || {
        spool.bounds().await.unwrap().events == target.bounds().await.unwrap().events
    })
    .await;
    assert_arrived(&all(spool).await, &all(target).await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn everything_arrives_once_and_in_order(
        seed in any::<u64>(),
        before in 0.0..0.3_f64,
        after in 0.0..0.3_f64,
        sources in 1..9_u64,
        window in 20..400_usize,
        batch in 1..90_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let spool: Arc<dyn EventLog> = Arc::new(Memory::new(1));
            let target: Arc<dyn EventLog> = Arc::new(Memory::new(3));
            let faulty: Arc<dyn Destination> = Arc::new(Faulty::new(Arc::clone(&target), seed, before, after));
            let options = shipper::Options { window_events: window, batch_events: batch, ..quick() };
            // half is there before it starts, half comes while it ships
            observe(&*spool, seed, 60, sources).await;
            let running = Running::start(&spool, &faulty, &Metrics::default(), options);
            observe(&*spool, seed.wrapping_add(1), 60, sources).await;
            arrived(&*spool, &*target).await;
            running.stop().await;
        });
    }
}

/// Killed at a hundred random points, under faults, while events come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_nothing_and_double_nothing() {
    for seed in [1_u64, 2] {
        let spool: Arc<dyn EventLog> = Arc::new(Memory::new(1));
        let target: Arc<dyn EventLog> = Arc::new(Memory::new(3));
        let faulty = Arc::new(Faulty::new(Arc::clone(&target), seed, 0.05, 0.1));
        let destination: Arc<dyn Destination> = faulty.clone();
        let metrics = Metrics::default();
        for round in 0..50 {
            let running = Running::start(&spool, &destination, &metrics, quick());
            observe(&*spool, seed * 1000 + round, 12, 6).await;
            let life = dice(seed, round) * 12.0;
            tokio::time::sleep(Duration::from_millis(life as u64)).await;
            running.kill().await;
        }
        let running = Running::start(&spool, &destination, &metrics, quick());
        arrived(&*spool, &*target).await;
        running.stop().await;
        let (before, after) = (
            faulty.failed_before.load(Ordering::Relaxed),
            faulty.failed_after.load(Ordering::Relaxed),
        );
        assert!(
            before >= 10 && after >= 10,
            "faults must strike: {before}, {after}"
        );
        assert!(
            metrics.duplicates.get() >= 10,
            "answers must have been lost"
        );
    }
}
