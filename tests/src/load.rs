//! A load of pushed events whose oracle keeps its own list of what was acknowledged.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What was sent under one seq.
#[derive(Clone, PartialEq, Debug)]
pub struct Sent {
    /// Entity id.
    pub id: String,
    /// Unix milliseconds.
    pub time: i64,
    /// A float to the last bit.
    pub value: f64,
    /// A whole number.
    pub count: i64,
}

/// Acknowledged events by source and seq.
pub type Acknowledged = BTreeMap<String, BTreeMap<u64, Sent>>;

/// Pushers that go on until they are stopped, retrying what was not acknowledged.
pub struct Load {
    acknowledged: Arc<Mutex<Acknowledged>>,
    stop: Arc<AtomicBool>,
    retries: Arc<AtomicU64>,
    duplicates: Arc<AtomicU64>,
    pushers: JoinSet<Result<()>>,
}

/// The epoch of every pusher.
pub const EPOCH: &str = "pusher-1";
/// The entity type of every event.
pub const TYPE: &str = "probe";

/// Longer than anything is broken on purpose.
const PATIENCE: Duration = Duration::from_mins(3);
const BATCH: u64 = 50;
const ENTITIES: u64 = 7;

impl Load {
    /// Starts `pushers` sources of 500 events a second each against a URL.
    pub fn start(url: &str, token: &str, pushers: usize, seed: u64) -> Result<Self> {
        let mut load = Self {
            acknowledged: Arc::default(),
            stop: Arc::default(),
            retries: Arc::default(),
            duplicates: Arc::default(),
            pushers: JoinSet::new(),
        };
        for number in 0..pushers {
            let pusher = Pusher {
                source: format!("load-{number}"),
                url: url.to_owned(),
                token: token.to_owned(),
                // a fresh connection cannot hang on a server that was killed
                http: Client::builder().timeout(Duration::from_secs(5)).build()?,
                random: StdRng::seed_from_u64(seed ^ number as u64),
                acknowledged: Arc::clone(&load.acknowledged),
                stop: Arc::clone(&load.stop),
                retries: Arc::clone(&load.retries),
                duplicates: Arc::clone(&load.duplicates),
            };
            load.pushers.spawn(pusher.run());
        }
        Ok(load)
    }

    /// How many events are acknowledged by now.
    pub fn count(&self) -> usize {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .map(BTreeMap::len)
            .sum()
    }

    /// How many pushes had to be sent again, and how many of their events were in the log already.
    pub fn repeats(&self) -> (u64, u64) {
        (
            self.retries.load(Ordering::Relaxed),
            self.duplicates.load(Ordering::Relaxed),
        )
    }

    /// Stops after every batch in flight is acknowledged.
    pub async fn finish(mut self) -> Result<Acknowledged> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.pushers.join_next().await {
            ended??;
        }
        let acknowledged = self
            .acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(acknowledged.clone())
    }
}

struct Pusher {
    source: String,
    url: String,
    token: String,
    http: Client,
    random: StdRng,
    acknowledged: Arc<Mutex<Acknowledged>>,
    stop: Arc<AtomicBool>,
    retries: Arc<AtomicU64>,
    duplicates: Arc<AtomicU64>,
}

impl Pusher {
    async fn run(mut self) -> Result<()> {
        let start = schemas::Timestamp::now().as_millis() - 3_600_000;
        let mut next = 1_u64;
        let mut clock = tokio::time::interval(Duration::from_millis(100));
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !self.stop.load(Ordering::Relaxed) {
            clock.tick().await;
            let batch: BTreeMap<u64, Sent> = (next..next + BATCH)
                .map(|seq| (seq, self.sent(seq, start)))
                .collect();
            self.push(&batch).await?;
            next += BATCH;
            let mut acknowledged = self
                .acknowledged
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            acknowledged
                .entry(self.source.clone())
                .or_default()
                .extend(batch);
        }
        Ok(())
    }

    fn sent(&mut self, seq: u64, start: i64) -> Sent {
        Sent {
            id: format!("p{}", seq % ENTITIES),
            time: start + i64::try_from(seq).unwrap_or(i64::MAX),
            value: self.random.random_range(-1e6..1e6),
            count: (self.random.next_u64() >> 12).cast_signed(),
        }
    }

    async fn push(&self, batch: &BTreeMap<u64, Sent>) -> Result<()> {
        let body: Vec<Value> = batch
            .iter()
            .map(|(seq, sent)| {
                json!({
                    "source": self.source, "epoch": EPOCH, "seq": seq, "time": sent.time,
                    "entity": {"type": TYPE, "id": sent.id},
                    "fields": {"value": sent.value, "things_count": sent.count},
                })
            })
            .collect();
        let end = Instant::now() + PATIENCE;
        loop {
            let sent = self
                .http
                .post(format!("{}/api/v1/events", self.url))
                .bearer_auth(&self.token)
                .json(&body)
                .send()
                .await;
            let (status, answer) = match sent {
                Ok(answer) => (answer.status().as_u16(), answer.text().await),
                Err(e) => (0, Err(e)),
            };
            if (200..300).contains(&status)
                && let Ok(answer) = &answer
                && let Ok(taken) = serde_json::from_str::<Value>(answer)
            {
                let count = |name: &str| taken[name].as_u64().unwrap_or(0);
                anyhow::ensure!(
                    count("accepted") + count("duplicates") == batch.len() as u64,
                    "a push of {} events of {} was answered {taken}",
                    batch.len(),
                    self.source
                );
                self.duplicates
                    .fetch_add(count("duplicates"), Ordering::Relaxed);
                return Ok(());
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            anyhow::ensure!(
                Instant::now() < end,
                "no acknowledgement for {} within {PATIENCE:?}; the last answer was {status} {answer:?}",
                self.source
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
