//! The log on Apache Kafka, for many processes.
//!
//! Events stand in the topic `<prefix>.events`, keyed by their source, so that a source has one partition and its order there.
//! An append is answered when all replicas in sync have it. Kafka delivers at least once: what an earlier record holds already
//! is dropped by whoever reads, by (source, epoch, seq). To know what was there before, also after retention, each partition
//! has a ledger (`kafka/ledger.rs`); whoever reads a partition saves its ledger in the topic `<prefix>.sequences` from time to time.
//!
//! `Urgency` makes no difference here: the producer sends within milliseconds, and what is appended together goes together.

mod claims;
mod client;
mod cluster;
mod echoes;
mod error;
mod follower;
mod identity;
mod ledger;
mod letters;
mod look;
mod member;
mod metrics;
mod options;
mod producer;
mod reader;
mod record;
mod recover;
mod retention;
mod ring;
mod scan;
mod sequences;
mod snapshot;
mod ticket;
mod topics;
mod view;
mod writer;

pub use claims::ClaimError;
pub use error::OpenError;
pub use metrics::Metrics;
pub use options::{Mechanism, Options, Sasl, Security, Tls};
pub use topics::{Difference, TopicReport, check_topics};

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use schemas::{Draft, Epoch, Position, SourceName, Timestamp, name::AgentName};
use supervision::Supervisor;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::{
    cluster::{Cluster, Extent, blocking},
    letters::Letters,
    look::{Acknowledged, Looks},
    producer::{Leftovers, Producer},
    reader::Readers,
    retention::Sizes,
    ticket::Told,
    view::View,
    writer::{Gate, Writer},
};
use crate::{
    AppendError, Appended, Batch, Bounds, Capabilities, DeadLetter, EventLog, Fleet, LetterId,
    Member, Purged, ReadError, ReadQuery, Retention, SequenceState, Urgency, sequence,
};

const EVENTS: &str = "events";
const DEAD_LETTERS: &str = "dead-letters";
const SOURCES: &str = "sources";
const SEQUENCES: &str = "sequences";

/// How long closing waits for what is on its way.
const CLOSING: Duration = Duration::from_secs(10);

struct Inner {
    cluster: Arc<Cluster>,
    /// The topic of events.
    topic: String,
    partitions: usize,
    metrics: Metrics,
    writer: Writer,
    view: Mutex<View>,
    /// Up to where the view goes.
    reached: watch::Sender<Position>,
    newest: watch::Sender<Position>,
    /// Where partitions begin, as far as was looked.
    lows: Mutex<Vec<u64>>,
    readers: Readers,
    sizes: Sizes,
    letters: Letters,
    /// Whether the thread that follows is there.
    followed: AtomicBool,
    looks: Looks,
    acknowledged: Arc<Acknowledged>,
    /// Told when the log is closed.
    stop: CancellationToken,
}

impl Inner {
    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follows(&self) -> bool {
        self.cluster.options.follow
    }

    /// Where every partition begins and ends. Blocks.
    fn extents(&self) -> Result<Vec<Extent>, ReadError> {
        let extents = self.cluster.extents(self.partitions)?;
        let lows: Vec<u64> = extents.iter().map(|e| e.low).collect();
        self.set_lows(&lows);
        Ok(extents)
    }

    /// Where some partitions begin and end, each for itself. Blocks.
    fn extents_of(
        &self,
        partitions: &[usize],
        patience: Duration,
    ) -> Vec<Result<Extent, ReadError>> {
        let extents = self.cluster.extents_of(partitions, patience);
        let mut lows = self.lows.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, extent) in partitions.iter().zip(&extents) {
            if let (Ok(extent), Some(low)) = (extent, lows.get_mut(*partition)) {
                *low = extent.low;
            }
        }
        extents
    }

    fn set_lows(&self, lows: &[u64]) {
        let mut known = self.lows.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
        known.extend_from_slice(lows);
    }

    fn low(&self, partition: usize) -> u64 {
        let lows = self.lows.lock().unwrap_or_else(PoisonError::into_inner);
        lows.get(partition).copied().unwrap_or(0)
    }

    fn oldest(&self) -> Position {
        let lows = self.lows.lock().unwrap_or_else(PoisonError::into_inner);
        Position::from_offsets(lows.clone())
    }

    /// What is said of a position that is not there. Blocks.
    fn gone(&self) -> ReadError {
        match self.extents() {
            Ok(extents) => ReadError::PositionGone {
                oldest: self.oldest(),
                newest: Position::from_offsets(extents.iter().map(|e| e.high).collect()),
            },
            Err(e) => e,
        }
    }
}

/// The event log on Kafka. See the module.
pub struct Kafka {
    inner: Arc<Inner>,
    topics: Vec<TopicReport>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Kafka {
    /// Opens the log: connects, makes missing topics, and reads what is new since the last snapshot of its sequences.
    ///
    /// # Errors
    /// No broker answers, it refuses us, or a topic is missing and may not be made.
    pub async fn open(options: Options, supervisor: &Supervisor) -> Result<Self, OpenError> {
        let epoch = match options.epoch.clone() {
            Some(epoch) => epoch,
            None => Epoch::random().map_err(|e| OpenError::Options(e.to_string()))?,
        };
        let brokers = options.brokers.clone();
        let failed = |cause: String| OpenError::Failed {
            brokers: brokers.clone(),
            cause,
        };
        let connecting = tokio::task::spawn_blocking(move || Cluster::connect(options));
        let cluster = Arc::new(connecting.await.map_err(|e| failed(e.to_string()))??);
        let topics = topics::ensure(&cluster, true).await?;
        for difference in topics.iter().flat_map(|report| {
            report
                .differences
                .iter()
                .map(move |difference| (&report.name, difference))
        }) {
            let (
                topic,
                Difference {
                    setting,
                    found,
                    wanted,
                },
            ) = difference;
            warn!(
                topic,
                setting, found, wanted, "a topic is not as it should be, it is left as it is"
            );
        }
        let inner = {
            let (cluster, epoch, topics) = (Arc::clone(&cluster), epoch, topics.clone());
            tokio::task::spawn_blocking(move || begin(cluster, epoch, &topics))
                .await
                .map_err(|e| failed(e.to_string()))??
        };
        let inner = Arc::new(inner);
        let log = Self {
            inner: Arc::clone(&inner),
            topics,
            thread: Mutex::default(),
        };
        if inner.follows() {
            let thread = follower::start(&inner).map_err(|e| failed(e.to_string()))?;
            *log.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        }
        follower::catch_up(&inner)
            .await
            .map_err(|e| failed(e.to_string()))?;
        let known = inner.view().known();
        inner.writer.intake().admission.merge(known);
        let recovering = Arc::clone(&inner);
        let (closed, stopped) = (inner.stop.clone(), supervisor.token());
        supervisor.spawn_transient("event-log/recover", async move {
            tokio::select! {
                () = recover::run(&recovering) => {}
                () = closed.cancelled() => {}
                () = stopped.cancelled() => {}
            }
            if *recovering.writer.gate.borrow() == Gate::Recovering {
                // nobody will open it again
                recover::give_up(&recovering);
            }
        });
        Ok(log)
    }

    /// What the topics were when it was opened, and where they are not as they should be.
    pub fn topics(&self) -> &[TopicReport] {
        &self.topics
    }

    /// Claims sources for an agent, all or none, so that no other agent observes them too. An agent may claim what it has.
    ///
    /// With `take_over` they are taken from whoever has them, as a machine does that replaces another.
    ///
    /// # Errors
    /// One is another agent's, or the claims cannot be read or written.
    pub async fn claim_sources(
        &self,
        sources: &[SourceName],
        agent: &AgentName,
        take_over: bool,
    ) -> Result<(), ClaimError> {
        claims::claim(&self.inner, sources, agent, take_over).await
    }

    /// Which agent owns each source that was claimed.
    ///
    /// # Errors
    /// The claims cannot be read.
    pub async fn source_owners(&self) -> Result<Vec<(SourceName, AgentName)>, ReadError> {
        claims::all(&self.inner).await
    }

    fn readable(&self) -> Result<(), ReadError> {
        if self.inner.stop.is_cancelled() {
            return Err(ReadError::Closed);
        }
        Ok(())
    }

    /// Runs what blocks, with what it needs of this log.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.readable()?;
        let inner = Arc::clone(&self.inner);
        blocking(move || work(&inner)).await
    }
}

/// Puts together what a handle needs. Blocks.
fn begin(cluster: Arc<Cluster>, epoch: Epoch, topics: &[TopicReport]) -> Result<Inner, OpenError> {
    let failed = |e: ReadError| OpenError::Failed {
        brokers: cluster.brokers().to_owned(),
        cause: e.to_string(),
    };
    let options = &cluster.options;
    let topic = options.topic(EVENTS);
    let partitions = topics.first().map_or(0, |events| events.partitions);
    let largest = topics::largest(topics);
    let metrics = options.metrics.clone();
    let extents = cluster.extents(partitions).map_err(failed)?;
    let wanted: Vec<_> = (0..).zip(extents.iter().copied()).collect();
    let view = View::new(sequences::load(&cluster, &wanted).map_err(failed)?);
    let reached = view.ledgers.iter().map(|ledger| ledger.next).collect();
    let highs = extents.iter().map(|e| e.high).collect();
    let newest = watch::Sender::new(Position::from_offsets(highs));
    let leftovers = Arc::new(Leftovers::default());
    let producer =
        Producer::open(options, Arc::clone(&leftovers), largest).map_err(|e| cluster.fault(&e))?;
    let acknowledged = Arc::new(Acknowledged::default());
    let told = Told {
        newest: newest.clone(),
        acknowledged: Arc::clone(&acknowledged),
    };
    let writer = Writer::new(
        topic.clone(),
        largest,
        epoch,
        producer,
        leftovers,
        told,
        metrics.clone(),
    );
    Ok(Inner {
        topic,
        partitions,
        metrics,
        writer,
        view: Mutex::new(view),
        reached: watch::Sender::new(Position::from_offsets(reached)),
        newest,
        lows: Mutex::new(extents.iter().map(|e| e.low).collect()),
        readers: Readers::default(),
        sizes: Sizes::default(),
        letters: Letters::default(),
        followed: AtomicBool::new(options.follow),
        looks: Looks::default(),
        acknowledged,
        stop: CancellationToken::new(),
        cluster,
    })
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.inner.stop.cancel();
        recover::give_up(&self.inner);
    }
}

#[async_trait]
impl EventLog for Kafka {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            exact_positions: true,
            purges: false,
            partitions: self.inner.partitions,
        }
    }

    async fn append(&self, drafts: Vec<Draft>, _urgency: Urgency) -> Result<Appended, AppendError> {
        writer::append(&self.inner, drafts).await
    }

    async fn read(&self, from: &Position, query: &ReadQuery) -> Result<Batch, ReadError> {
        self.readable()?;
        let inner = &self.inner;
        if from.partitions() != inner.partitions || !from.reaches(&inner.oldest()) {
            return Err(self.look(|inner| Ok(inner.gone())).await?);
        }
        let ahead = !inner.newest.borrow().reaches(from);
        if !inner.follows() || ahead {
            follower::catch_up(inner).await?;
            if !inner.newest.borrow().reaches(from) {
                return Err(self.look(|inner| Ok(inner.gone())).await?);
            }
        }
        let target = inner.newest.borrow().clone();
        follower::reach(inner, target.clone()).await?;
        if query.limit == 0 {
            return Ok(Batch {
                records: Vec::new(),
                purged: 0,
                at_end: *from == target,
                next: from.clone(),
            });
        }
        if inner.follows() {
            let view = inner.view();
            let reached = inner.reached.borrow().clone();
            if let Some(batch) = view.ring.read(from, &reached, query) {
                return Ok(batch);
            }
        }
        let _room = inner
            .readers
            .room
            .acquire()
            .await
            .map_err(|_| ReadError::Closed)?;
        let (from, query) = (from.clone(), query.clone());
        self.look(move |inner| inner.readers.read(inner, &from, &target, &query))
            .await
    }

    async fn seek(&self, logged: Timestamp) -> Result<Position, ReadError> {
        self.look(move |inner| {
            let extents = inner.extents()?;
            let offsets = inner.cluster.since(logged, &extents)?;
            Ok(Position::from_offsets(offsets))
        })
        .await
    }

    async fn bounds(&self) -> Result<Bounds, ReadError> {
        self.look(|inner| {
            let extents = inner.extents()?;
            ticket::advance(&inner.newest, (0..).zip(extents.iter().map(|e| e.high)));
            retention::bounds(inner, &extents)
        })
        .await
    }

    fn newest(&self) -> watch::Receiver<Position> {
        self.inner.newest.subscribe()
    }

    async fn consumer_position(&self, consumer: &str) -> Result<Option<Position>, ReadError> {
        let group = self.inner.cluster.options.group(consumer);
        self.look(move |inner| {
            let committed = match inner.cluster.committed(&group, inner.partitions) {
                Ok(committed) => committed,
                Err(e) if Cluster::is_unknown_group(&e) => return Ok(None),
                Err(e) => {
                    let what = "the position of a consumer is not known";
                    return Err(error::read(inner.cluster.brokers(), what, &e));
                }
            };
            if committed.iter().all(Option::is_none) {
                return Ok(None);
            }
            let offsets = (0..).zip(committed);
            let offsets = offsets.map(|(p, offset)| offset.unwrap_or_else(|| inner.low(p)));
            Ok(Some(Position::from_offsets(offsets.collect())))
        })
        .await
    }

    async fn set_consumer_position(
        &self,
        consumer: &str,
        position: &Position,
    ) -> Result<(), AppendError> {
        let group = self.inner.cluster.options.group(consumer);
        let position = position.floor(&self.inner.newest.borrow());
        self.readable().map_err(error::from_read)?;
        let inner = Arc::clone(&self.inner);
        let saving = tokio::task::spawn_blocking(move || {
            inner.cluster.commit(&group, &position).map_err(|e| {
                let what = "the position of a consumer was not taken";
                error::write(inner.cluster.brokers(), what, &e)
            })
        });
        saving.await.unwrap_or(Err(AppendError::Closed))
    }

    async fn trim(&self, retention: &Retention) -> Result<u64, AppendError> {
        self.readable().map_err(error::from_read)?;
        retention::trim(&self.inner, retention.clone()).await
    }

    async fn purge(&self, _: &SourceName, _: &Position) -> Result<Purged, AppendError> {
        Ok(Purged::ByRetention)
    }

    async fn sequences(&self) -> Result<Vec<SequenceState>, ReadError> {
        self.readable()?;
        follower::catch_up(&self.inner).await?;
        let known = self.inner.view().known();
        Ok(sequence::states(&known))
    }

    async fn put_dead_letters(&self, letters: Vec<DeadLetter>) -> Result<(), AppendError> {
        letters::put(&self.inner, letters).await
    }

    async fn resolve_dead_letters(&self, letters: Vec<LetterId>) -> Result<(), AppendError> {
        letters::resolve(&self.inner, &letters).await
    }

    async fn dead_letters(&self, skip: u64, limit: usize) -> Result<Vec<DeadLetter>, ReadError> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        self.look(move |inner| inner.letters.list(inner, skip, limit))
            .await
    }

    async fn dead_letter_count(&self) -> Result<u64, ReadError> {
        self.look(|inner| inner.letters.count(inner)).await
    }

    async fn close(&self) -> Result<(), AppendError> {
        let inner = &self.inner;
        if inner.stop.is_cancelled() {
            return Ok(());
        }
        let durable = inner.writer.close(CLOSING).await;
        if durable && inner.follows() {
            // the next opening reads on from here
            let newest = inner.newest.borrow().clone();
            if follower::reach(inner, newest).await.is_ok() {
                for ticket in follower::save(inner, true) {
                    drop(tokio::time::timeout(CLOSING, ticket.done()).await);
                }
            }
        }
        inner.stop.cancel();
        if !durable {
            recover::give_up_all(inner).await;
        }
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let ending = Arc::clone(inner);
        let ended = tokio::task::spawn_blocking(move || {
            ending.readers.end();
            if let Some(thread) = thread {
                // it catches its panics itself
                drop(thread.join());
            }
        });
        drop(ended.await);
        inner.followed.store(false, Ordering::Release);
        if durable {
            Ok(())
        } else {
            Err(AppendError::Broken {
                path: inner.cluster.brokers().to_owned(),
                cause: format!("what was appended last was not taken within {CLOSING:?}"),
            })
        }
    }
}

#[async_trait]
impl Fleet for Kafka {
    async fn join(&self, group: &str) -> Result<Box<dyn Member>, ReadError> {
        self.readable()?;
        member::join(&self.inner, group).await
    }
}
