//! A store that does what stores do on bad days, and keeps its promises.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use schemas::{
    EntityKey, FieldName, Position, SourceName, Timestamp,
    catalog::{ValueType, type_of},
    name::EntityType,
};
use time_series::{
    Capabilities, Memory, PartitionedStore, Point, Purged, QueryError, RangeData, RangeQuery,
    Refused, Selection, StateData, Stats, TimeSeries, WriteBatch, WriteError, Written,
};
use tokio::sync::watch;

/// A point with this field is taken without it.
pub(crate) const POISON: &str = "poison";

/// What went wrong, and how often.
#[derive(Debug, Default)]
pub(crate) struct Struck {
    pub(crate) before: AtomicU64,
    pub(crate) halfway: AtomicU64,
    pub(crate) after: AtomicU64,
    pub(crate) reads: AtomicU64,
}

pub(crate) struct Faulty {
    pub(crate) inner: Memory,
    random: Mutex<StdRng>,
    /// Out of a hundred calls.
    rate: AtomicU64,
    /// Longest delay of an answer, in milliseconds.
    delay: AtomicU64,
    /// Writes wait until it opens.
    gate: watch::Sender<bool>,
    misconfigured: AtomicBool,
    /// Writes enter in the order of the calls.
    order: tokio::sync::Mutex<()>,
    pub(crate) struck: Struck,
    pub(crate) writes: AtomicU64,
    /// How often each (entity, time) was written.
    pub(crate) times: Mutex<BTreeMap<(EntityKey, Timestamp), u32>>,
}

impl Faulty {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            inner: Memory::new(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            rate: AtomicU64::new(0),
            delay: AtomicU64::new(0),
            gate: watch::Sender::new(true),
            misconfigured: AtomicBool::new(false),
            order: tokio::sync::Mutex::default(),
            struck: Struck::default(),
            writes: AtomicU64::new(0),
            times: Mutex::default(),
        })
    }

    pub(crate) fn fail(&self, rate: u64) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    pub(crate) fn delay(&self, longest_millis: u64) {
        self.delay.store(longest_millis, Ordering::Relaxed);
    }

    pub(crate) fn open_gate(&self, open: bool) {
        self.gate.send_replace(open);
    }

    pub(crate) fn misconfigure(&self, so: bool) {
        self.misconfigured.store(so, Ordering::Relaxed);
    }

    fn strikes(&self) -> bool {
        let rate = self.rate.load(Ordering::Relaxed);
        self.random.lock().unwrap().random_range(0..100) < rate
    }

    async fn dawdle(&self) {
        let longest = self.delay.load(Ordering::Relaxed);
        if longest > 0 {
            let millis = self.random.lock().unwrap().random_range(0..=longest);
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
    }

    fn read_fault(&self) -> Result<(), QueryError> {
        if !self.strikes() {
            return Ok(());
        }
        self.struck.reads.fetch_add(1, Ordering::Relaxed);
        Err(QueryError::Failed {
            path: "http://store".to_owned(),
            cause: "no answer".to_owned(),
        })
    }

    /// Takes the poison out of points, and what is not of the type that the store has.
    async fn refuse(&self, points: &mut [Point]) -> Vec<Refused> {
        let types: BTreeMap<_, _> = self
            .inner
            .field_types()
            .await
            .unwrap()
            .into_iter()
            .map(|(entity_type, field, value)| ((entity_type, field), value))
            .collect();
        let mut refused = Vec::new();
        for (index, point) in points.iter_mut().enumerate() {
            let bad: Vec<FieldName> = point
                .fields
                .iter()
                .filter(|(name, value)| {
                    name.as_str() == POISON
                        || types
                            .get(&(point.key.entity_type.clone(), (*name).clone()))
                            .is_some_and(|known| *known != type_of(value))
                })
                .map(|(name, _)| name.clone())
                .collect();
            for name in bad {
                point.fields.remove(name.as_str());
                refused.push(Refused {
                    index,
                    why: format!("field {name} is not wanted"),
                });
            }
        }
        refused
    }
}

fn unavailable(cause: &str) -> WriteError {
    WriteError::Unavailable {
        server: "http://store".to_owned(),
        cause: cause.to_owned(),
        retry_after: None,
    }
}

#[async_trait]
impl PartitionedStore for Faulty {
    async fn write_partition(
        &self,
        mut points: Vec<Point>,
        partition: usize,
        next: u64,
    ) -> Result<Written, WriteError> {
        let turn = self.order.lock().await;
        let mut gate = self.gate.subscribe();
        gate.wait_for(|open| *open).await.unwrap();
        self.writes.fetch_add(1, Ordering::Relaxed);
        if self.misconfigured.load(Ordering::Relaxed) {
            return Err(WriteError::Misconfigured {
                server: "http://store".to_owned(),
                cause: "bucket `homelog` does not exist: make it".to_owned(),
            });
        }
        if self.strikes() {
            self.struck.before.fetch_add(1, Ordering::Relaxed);
            drop(turn);
            self.dawdle().await;
            return Err(unavailable("connection refused"));
        }
        let refused = self.refuse(&mut points).await;
        {
            let mut times = self.times.lock().unwrap();
            for point in &points {
                *times.entry((point.key.clone(), point.time)).or_default() += 1;
            }
        }
        points.retain(|point| !point.fields.is_empty());
        if self.strikes() {
            self.struck.halfway.fetch_add(1, Ordering::Relaxed);
            points.truncate(points.len() / 2);
            // a place that is before everything moves nothing
            self.inner.write_partition(points, partition, 0).await?;
            drop(turn);
            self.dawdle().await;
            return Err(unavailable("connection reset"));
        }
        self.inner.write_partition(points, partition, next).await?;
        drop(turn);
        self.dawdle().await;
        if self.strikes() {
            self.struck.after.fetch_add(1, Ordering::Relaxed);
            return Err(unavailable("timed out"));
        }
        Ok(Written { refused })
    }

    async fn partition_position(&self, partition: usize) -> Result<Option<u64>, QueryError> {
        self.inner.partition_position(partition).await
    }

    async fn reset_partition(&self, partition: usize, next: u64) -> Result<(), WriteError> {
        if self.strikes() {
            return Err(unavailable("connection refused"));
        }
        self.inner.reset_partition(partition, next).await
    }
}

#[async_trait]
impl TimeSeries for Faulty {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn position(&self) -> Result<Option<Position>, QueryError> {
        self.inner.position().await
    }

    async fn durable_position(&self) -> Result<Option<Position>, QueryError> {
        self.inner.durable_position().await
    }

    async fn write(&self, batch: WriteBatch) -> Result<Written, WriteError> {
        if self.strikes() {
            self.struck.before.fetch_add(1, Ordering::Relaxed);
            return Err(unavailable("no answer"));
        }
        self.inner.write(batch).await
    }

    async fn flush(&self) -> Result<(), WriteError> {
        self.inner.flush().await
    }

    async fn range(&self, query: &RangeQuery) -> Result<RangeData, QueryError> {
        self.inner.range(query).await
    }

    async fn state(
        &self,
        selection: &Selection,
        at: Option<Timestamp>,
    ) -> Result<StateData, QueryError> {
        self.read_fault()?;
        self.inner.state(selection, at).await
    }

    async fn field_types(&self) -> Result<Vec<(EntityType, FieldName, ValueType)>, QueryError> {
        self.read_fault()?;
        self.inner.field_types().await
    }

    async fn stats(&self) -> Result<Stats, QueryError> {
        self.inner.stats().await
    }

    async fn trim(&self, before: Timestamp) -> Result<u64, WriteError> {
        self.inner.trim(before).await
    }

    async fn purge(&self, source: &SourceName) -> Result<Purged, WriteError> {
        if self.strikes() {
            return Err(unavailable("connection refused"));
        }
        let purged = self.inner.purge(source).await?;
        if self.strikes() {
            return Err(unavailable("timed out"));
        }
        Ok(purged)
    }

    async fn points_of(&self, source: &SourceName) -> Result<u64, QueryError> {
        self.inner.points_of(source).await
    }

    async fn close(&self) -> Result<(), WriteError> {
        self.inner.close().await
    }
}
