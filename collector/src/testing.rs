//! What the tests of several modules need.

pub(crate) mod recordings;
pub(crate) mod web;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use event_log::{
    AppendError, Appended, Bounds, Capabilities, DeadLetter, EventLog, Filter, Memory, Purged,
    ReadError, ReadQuery, Retention, SequenceState, Urgency,
};
use schemas::{Catalog, Draft, Event, MetricDef, Position, SourceName, Timestamp, name::AgentName};
use supervision::Supervisor;
use tokio::sync::watch;

use crate::{Batch, Context, Sources, batch::Observation};

pub(crate) fn context(source: &str) -> Context {
    Context {
        source: SourceName::new(source).unwrap(),
        agent: AgentName::new("agent").unwrap(),
        hostname: Arc::from(source.split('.').next().unwrap_or(source)),
        supervisor: Supervisor::new(),
        sources: Sources::default(),
    }
}

pub(crate) fn batch() -> Batch {
    Batch::at(Timestamp::now())
}

/// What a batch holds, and how many it dropped; every field is one that the catalogue knows, with its type.
pub(crate) fn checked(batch: Batch, metrics: &[MetricDef]) -> (Vec<Observation>, u64) {
    let catalog = Catalog::new(metrics);
    let (events, dropped) = batch.into_parts();
    for event in &events {
        event.fields.check().unwrap();
        for (name, value) in event.fields.iter() {
            let ty = &event.entity.entity_type;
            assert!(
                catalog.metric(ty.as_str(), name.as_str()).is_some(),
                "{ty}.{name}"
            );
            catalog.fit(ty, name, value.clone()).unwrap();
        }
    }
    (events, dropped)
}

/// A variable that turns on tests against what not every machine has; what runs without it says so.
#[expect(
    clippy::disallowed_methods,
    reason = "only tests ask for it, and nobody can pass it to them"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        println!("SKIPPED: {name} is not set");
    }
    value
}

/// The directory of answers recorded from real services, if there is one here.
pub(crate) fn recordings(service: &str) -> Option<PathBuf> {
    variable("HOMELOG_RECORDINGS").map(|dir| PathBuf::from(dir).join(service))
}

/// A real log in memory whose appends can be made to fail or to take as long as a real disk's.
pub(crate) struct Faulty {
    pub(crate) log: Memory,
    pub(crate) full: AtomicBool,
    pub(crate) grouped_ms: AtomicU64,
    pub(crate) sizes: Mutex<Vec<usize>>,
}

impl Faulty {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            log: Memory::new(1),
            full: AtomicBool::new(false),
            grouped_ms: AtomicU64::new(0),
            sizes: Mutex::default(),
        })
    }

    pub(crate) async fn events(&self) -> Vec<Arc<Event>> {
        let query = ReadQuery {
            filter: Filter::default(),
            limit: 10_000,
        };
        let mut events = Vec::new();
        let mut from = self.log.bounds().await.unwrap().oldest;
        loop {
            let batch = self.log.read(&from, &query).await.unwrap();
            events.extend(batch.records.iter().filter_map(|r| r.event().cloned()));
            from = batch.next;
            if batch.at_end {
                return events;
            }
        }
    }
}

#[async_trait]
impl EventLog for Faulty {
    fn capabilities(&self) -> Capabilities {
        self.log.capabilities()
    }

    async fn append(&self, drafts: Vec<Draft>, urgency: Urgency) -> Result<Appended, AppendError> {
        self.sizes.lock().unwrap().push(drafts.len());
        if urgency == Urgency::Grouped {
            tokio::time::sleep(Duration::from_millis(
                self.grouped_ms.load(Ordering::Relaxed),
            ))
            .await;
        }
        if self.full.load(Ordering::Relaxed) {
            return Err(AppendError::DiskFull {
                path: "log.db".to_owned(),
            });
        }
        self.log.append(drafts, urgency).await
    }

    async fn read(
        &self,
        from: &Position,
        query: &ReadQuery,
    ) -> Result<event_log::Batch, ReadError> {
        self.log.read(from, query).await
    }

    async fn seek(&self, logged: Timestamp) -> Result<Position, ReadError> {
        self.log.seek(logged).await
    }

    async fn bounds(&self) -> Result<Bounds, ReadError> {
        self.log.bounds().await
    }

    fn newest(&self) -> watch::Receiver<Position> {
        self.log.newest()
    }

    async fn consumer_position(&self, consumer: &str) -> Result<Option<Position>, ReadError> {
        self.log.consumer_position(consumer).await
    }

    async fn set_consumer_position(
        &self,
        consumer: &str,
        position: &Position,
    ) -> Result<(), AppendError> {
        self.log.set_consumer_position(consumer, position).await
    }

    async fn trim(&self, retention: &Retention) -> Result<u64, AppendError> {
        self.log.trim(retention).await
    }

    async fn purge(&self, source: &SourceName, before: &Position) -> Result<Purged, AppendError> {
        self.log.purge(source, before).await
    }

    async fn sequences(&self) -> Result<Vec<SequenceState>, ReadError> {
        self.log.sequences().await
    }

    async fn put_dead_letters(&self, letters: Vec<DeadLetter>) -> Result<(), AppendError> {
        self.log.put_dead_letters(letters).await
    }

    async fn resolve_dead_letters(
        &self,
        letters: Vec<event_log::LetterId>,
    ) -> Result<(), AppendError> {
        self.log.resolve_dead_letters(letters).await
    }

    async fn dead_letters(&self, skip: u64, limit: usize) -> Result<Vec<DeadLetter>, ReadError> {
        self.log.dead_letters(skip, limit).await
    }

    async fn dead_letter_count(&self) -> Result<u64, ReadError> {
        self.log.dead_letter_count().await
    }

    async fn close(&self) -> Result<(), AppendError> {
        self.log.close().await
    }
}
