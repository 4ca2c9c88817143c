//! A log, a store and workers.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use event_log::{DeadLetter, EventLog, Fleet, Outcome, Urgency};
use ingest::{FleetOptions, FleetServices, FleetWorker, Health, IngestMetrics, Limits, Pace};
use schemas::{
    Catalog, Draft, Entity, EventType, FieldValue, Fields, SourceName, Timestamp,
    name::{EntityId, EntityType, SourceKind},
};
use supervision::Supervisor;
use time_series::{PartitionedStore, RangeQuery, Selection, Step, TimeSeries};
use tokio::{runtime::Runtime, sync::watch};

/// The group of all tests; each has a log of its own.
pub(crate) const GROUP: &str = "workers";

/// A reading with several fields.
pub(crate) fn draft(
    source: &str,
    id: &str,
    time: Timestamp,
    fields: &[(&'static str, FieldValue)],
) -> Draft {
    let mut all = Fields::new();
    for (name, value) in fields {
        all.set(*name, value.clone());
    }
    Draft {
        source: SourceName::new(source).unwrap(),
        kind: SourceKind::new("push").unwrap(),
        agent: None,
        event_type: EventType::Sample,
        time,
        entity: Entity::new(EntityType::new("room").unwrap(), EntityId::new(id).unwrap())
            .with_label("floor", "1"),
        fields: all,
        identity: None,
    }
}

/// That many readings of rooms of some sources, each at a time of its own.
pub(crate) fn readings(sources: usize, count: usize, from: Timestamp) -> Vec<Draft> {
    (0..count)
        .map(|n| {
            let n_i64 = i64::try_from(n).unwrap();
            draft(
                &format!("lab{}", n % sources),
                &format!("room{}", n % 7),
                from.plus_millis(n_i64),
                &[
                    ("visits_total", FieldValue::I64(n_i64)),
                    (
                        "temperature_celsius",
                        FieldValue::F64(f64::from(u32::try_from(n).unwrap()) / 8.0),
                    ),
                    (
                        "state",
                        FieldValue::text(format!("state {}", n % 3)).unwrap(),
                    ),
                ],
            )
        })
        .collect()
}

pub(crate) async fn append(log: &dyn EventLog, drafts: Vec<Draft>) {
    for part in drafts.chunks(1_000) {
        let appended = log.append(part.to_vec(), Urgency::Soon).await.unwrap();
        assert!(
            appended
                .receipts
                .iter()
                .all(|r| r.outcome == Outcome::Appended)
        );
    }
}

/// Options that make faults pass within a test.
pub(crate) fn quick() -> FleetOptions {
    FleetOptions {
        group: GROUP.to_owned(),
        batch_events: 200,
        linger: Duration::from_millis(5),
        drain: Duration::from_secs(2),
        pace: Pace {
            first: Duration::from_millis(3),
            longest: Duration::from_millis(30),
            slow: Duration::from_millis(60),
        },
        ..FleetOptions::default()
    }
}

/// A log and a store, and what workers need besides.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) fleet: Arc<dyn Fleet>,
    pub(crate) store: Arc<dyn PartitionedStore>,
    pub(crate) metrics: IngestMetrics,
    pub(crate) options: FleetOptions,
}

impl House {
    pub(crate) fn new<L: EventLog + Fleet>(log: &Arc<L>, store: Arc<dyn PartitionedStore>) -> Self {
        Self {
            log: Arc::clone(log) as Arc<dyn EventLog>,
            fleet: Arc::clone(log) as Arc<dyn Fleet>,
            store,
            metrics: IngestMetrics::default(),
            options: quick(),
        }
    }

    /// A worker with a catalogue of its own.
    pub(crate) fn worker(&self) -> Running {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let supervisor = Supervisor::new();
        let health = {
            let _inside = runtime.enter();
            self.start(&supervisor)
        };
        Running {
            runtime,
            supervisor,
            health,
        }
    }

    /// A worker with a catalogue of its own on the threads of the caller, and with its clock.
    pub(crate) fn start(&self, supervisor: &Supervisor) -> watch::Receiver<Health> {
        let worker = FleetWorker::start(
            supervisor,
            "ingest",
            FleetServices {
                log: Arc::clone(&self.log),
                fleet: Arc::clone(&self.fleet),
                store: Arc::clone(&self.store),
                catalog: Arc::new(Catalog::default()),
                limits: Limits {
                    unsigned: self.store.capabilities().unsigned,
                    ..Limits::default()
                },
                metrics: self.metrics.clone(),
                options: self.options.clone(),
            },
        );
        worker.health()
    }

    /// Whether everything of the log is in the store and the group knows it.
    pub(crate) async fn is_done(&self) -> bool {
        let newest = self.log.bounds().await.unwrap().newest;
        for (partition, next) in newest.offsets().iter().enumerate() {
            let there = self.store.partition_position(partition).await.unwrap();
            if there.unwrap_or(0) < *next {
                return false;
            }
        }
        self.committed().await.reaches(&newest)
    }

    pub(crate) async fn committed(&self) -> schemas::Position {
        let partitions = self.log.capabilities().partitions;
        self.log
            .consumer_position(GROUP)
            .await
            .unwrap()
            .unwrap_or_else(|| schemas::Position::start(partitions))
    }

    pub(crate) async fn done(&self, patience: Duration) {
        let end = Instant::now() + patience;
        while !self.is_done().await {
            assert!(
                Instant::now() < end,
                "not done after {patience:?}: committed {}, log {}",
                self.committed().await,
                self.log.bounds().await.unwrap().newest
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn letters(&self) -> Vec<DeadLetter> {
        self.log.dead_letters(0, 1_000_000).await.unwrap()
    }
}

/// A worker on threads of its own.
pub(crate) struct Running {
    runtime: Runtime,
    supervisor: Supervisor,
    pub(crate) health: watch::Receiver<Health>,
}

impl Running {
    /// Ends it as a power cut does: wherever it is. It does nothing more when this returns.
    pub(crate) fn crash(self) {
        // a runtime may not be waited for from within another
        std::thread::spawn(move || self.runtime.shutdown_timeout(Duration::from_secs(20)))
            .join()
            .unwrap();
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        let drained = self.supervisor.drain(Duration::from_secs(20)).await;
        assert!(drained.cut.is_empty(), "it did not stop");
        self.runtime.shutdown_background();
    }
}

/// Every value of a store, by entity, field and time.
pub(crate) type Content = BTreeMap<(String, String, i64), FieldValue>;

pub(crate) async fn content(store: &dyn TimeSeries) -> Content {
    let query = RangeQuery {
        selection: Selection::default(),
        fields: Vec::new(),
        from: Timestamp::from_millis(schemas::limits::EARLIEST_MS),
        to: Timestamp::from_millis(schemas::limits::LATEST_MS),
        step: Step::Raw,
        aggs: Vec::new(),
        max_series: 1_000_000,
        max_values: 10_000_000,
    };
    let mut content = Content::new();
    for series in store.range(&query).await.unwrap().series {
        for (time, value) in series.times.iter().zip(series.values) {
            let place = (series.key.to_string(), series.field.to_string(), *time);
            let before = content.insert(place, value.unwrap());
            assert_eq!(before, None, "a value is there twice");
        }
    }
    content
}

/// Fails with the first few differences.
pub(crate) fn assert_same(found: &Content, wanted: &Content) {
    let differences: Vec<_> = wanted
        .iter()
        .filter(|(place, value)| found.get(*place).is_none_or(|v| !v.same_as(value)))
        .map(|(place, value)| (place, value, found.get(place)))
        .take(5)
        .collect();
    assert!(differences.is_empty(), "missing or other: {differences:?}");
    let more: Vec<_> = found
        .keys()
        .filter(|place| !wanted.contains_key(*place))
        .take(5)
        .collect();
    assert!(more.is_empty(), "never sent: {more:?}");
}
