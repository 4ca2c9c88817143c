//! Follows all partitions: what comes goes into the ledgers and the ring, and wakes who waits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use rdkafka::{
    Message, config::FromClientConfigAndContext, consumer::Consumer, error::KafkaError,
    types::RDKafkaErrorCode as Code,
};
use schemas::{Position, codec::Decoder};
use tracing::{debug, error, warn};

use super::{
    Inner, SEQUENCES,
    client::{self, Context},
    cluster::{Client, Extent, blocking, index, places, unsigned},
    error::{code, read, read_failed},
    look::{look, look_now, mend},
    record::{logged, record},
    sequences, snapshot,
    ticket::{Ticket, advance},
};
use crate::ReadError;

/// Most records that are taken in at once.
const TAKE: usize = 512;
/// How long nothing may come though there is something.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much is fetched ahead, in KiB.
const MEMORY: usize = 2048;
/// How often it is looked where the partitions begin, and whether they still are what they were: the client does not notice
/// each time that they were cut and have grown past their old end.
const LOOK: Duration = Duration::from_mins(1);

struct Follower {
    consumer: Client,
    /// Whether partitions may be other ones than they were, or the client has stopped to read one.
    unsure: bool,
    looked: Instant,
    /// Made by the first record that is kept.
    decoder: Option<Decoder>,
}

impl Follower {
    fn open(inner: &Inner) -> Result<Self, KafkaError> {
        let mut config = client::consumer(&inner.cluster.options, MEMORY);
        config.set("fetch.wait.max.ms", "500");
        let follower = Self {
            consumer: Client::from_config_and_context(&config, Context::default())?,
            unsure: false,
            looked: Instant::now(),
            decoder: None,
        };
        follower.assign(inner)?;
        Ok(follower)
    }

    fn assign(&self, inner: &Inner) -> Result<(), KafkaError> {
        let nexts: Vec<u64> = inner.view().ledgers.iter().map(|l| l.next).collect();
        self.consumer
            .assign(&places(&inner.topic, (0..).zip(nexts))?)
    }

    /// Takes in what comes, waiting for the first of it. Returns how many records it was.
    fn step(&mut self, inner: &Inner, wait: Duration) -> Result<usize, ReadError> {
        self.look_after(inner)?;
        let mut taken = Vec::new();
        let mut wait = wait;
        for _ in 0..TAKE {
            match self.consumer.poll(wait) {
                // it may be of another log than what was before it: it comes again when that is known
                Some(Ok(_)) if self.unsure => {}
                Some(Ok(message)) => taken.push(message),
                Some(Err(e)) => {
                    match code(&e) {
                        Code::AutoOffsetReset
                        | Code::OffsetOutOfRange
                        | Code::LogTruncation
                        // they may come back with less
                        | Code::AllBrokersDown => self.unsure = true,
                        _ => debug!(error = %e, "following the event log"),
                    }
                }
                None => break,
            }
            wait = Duration::ZERO;
        }
        let count = taken.len();
        if count == 0 {
            return Ok(0);
        }
        let mut ends = Vec::new();
        let mut learned = Vec::new();
        {
            let mut view = inner.view();
            for message in &taken {
                let (partition, offset) = (index(message.partition()), unsigned(message.offset()));
                let bytes = message.payload().unwrap_or_default();
                let Some(ledger) = view.ledgers.get_mut(partition) else {
                    continue;
                };
                if offset < ledger.next {
                    continue;
                }
                ends.push((partition, offset + 1));
                if !ledger.absorb(offset, bytes, logged(message)) {
                    inner.metrics.echoes.inc();
                } else if inner.follows() {
                    let record = record(self.decoder.get_or_insert_default(), message);
                    if let Some(event) = record.event() {
                        learned.push((event.source.clone(), event.epoch.clone(), event.seq));
                    }
                    view.ring.push(record, bytes.len());
                }
            }
        }
        if !learned.is_empty() {
            let mut intake = inner.writer.intake();
            for (source, epoch, seq) in &learned {
                intake.admission.learn(source, epoch, *seq);
            }
        }
        advance(&inner.reached, ends.iter().copied());
        advance(&inner.newest, ends.into_iter());
        Ok(count)
    }

    /// Looks whether the partitions still are what they were, if there is a doubt or somebody wants to know.
    fn look_after(&mut self, inner: &Inner) -> Result<(), ReadError> {
        let asked = inner.looks.take();
        if !self.unsure && !asked && self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        let changed = match mend(inner) {
            Ok(changed) => changed,
            Err(e) if !self.unsure && !asked => {
                debug!(error = %e, "whether the partitions still are what they were is not known");
                return Ok(());
            }
            Err(e) => {
                if asked {
                    inner.looks.ask();
                }
                return Err(e);
            }
        };
        if changed || self.unsure {
            self.unsure = true;
            self.assign(inner)
                .map_err(|e| read(inner.cluster.brokers(), "following", &e))?;
        }
        self.unsure = false;
        Ok(())
    }
}

/// Starts the thread that follows until the log is closed.
pub(super) fn start(inner: &Arc<Inner>) -> std::io::Result<std::thread::JoinHandle<()>> {
    let inner = Arc::clone(inner);
    std::thread::Builder::new()
        .name("event-log-follow".to_owned())
        .spawn(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| follow(&inner)));
            inner.followed.store(false, Ordering::Release);
            if ended.is_err() {
                error!("what follows the event log panicked: it cannot be read until a restart");
            }
        })
}

fn follow(inner: &Inner) {
    let mut follower = None;
    while !inner.stop.is_cancelled() {
        let stepped = match &mut follower {
            None => match Follower::open(inner) {
                Ok(opened) => {
                    follower = Some(opened);
                    Ok(0)
                }
                Err(e) => Err(read(inner.cluster.brokers(), "following", &e)),
            },
            Some(follower) => follower.step(inner, Duration::from_millis(100)),
        };
        if let Err(e) = stepped {
            debug!(error = %e, "following the event log, will try again");
            std::thread::sleep(Duration::from_millis(200));
        }
        save(inner, false);
        inner.readers.tidy();
    }
}

/// Saves ledgers that are due; with `all`, those that changed.
pub(super) fn save(inner: &Inner, all: bool) -> Vec<Arc<Ticket>> {
    let due = inner.view().unsaved(all);
    let mut tickets = Vec::new();
    for partition in due {
        let low = inner.low(partition);
        let (slot, encoded) = {
            let mut view = inner.view();
            let Some(ledger) = view.ledgers.get_mut(partition) else {
                continue;
            };
            ledger.tidy(low);
            let encoded = snapshot::encode(ledger);
            (view.slot(partition).unwrap_or(0), encoded)
        };
        match encoded {
            Ok(bytes) => tickets.push(inner.writer.put_soon(
                &inner.cluster.options.topic(SEQUENCES),
                &sequences::key(partition, slot),
                &bytes,
            )),
            Err(e) => warn!(partition, error = %e, "a snapshot of sequences cannot be made"),
        }
        inner.metrics.snapshots.inc();
    }
    tickets
}

/// Waits until everything that is in the log now is known here. Returns where the partitions begin and end.
pub(super) async fn catch_up(inner: &Arc<Inner>) -> Result<Vec<Extent>, ReadError> {
    look(inner).await?;
    // what is known is taken first: what is appended meanwhile only moves the ends on
    let reached = inner.reached.borrow().clone();
    let extents = {
        let inner = Arc::clone(inner);
        blocking(move || inner.extents()).await?
    };
    let mut ends = (0..).zip(&extents);
    if ends.any(|(partition, extent)| extent.high < reached.offset(partition)) {
        look_now(inner).await?;
    }
    advance(&inner.newest, (0..).zip(extents.iter().map(|e| e.high)));
    let target = Position::from_offsets(extents.iter().map(|e| e.high).collect());
    reach(inner, target).await?;
    Ok(extents)
}

/// Waits until everything before a position is known here.
pub(super) async fn reach(inner: &Arc<Inner>, target: Position) -> Result<(), ReadError> {
    if inner.reached.borrow().reaches(&target) {
        return Ok(());
    }
    if !inner.follows() {
        let inner = Arc::clone(inner);
        return blocking(move || once(&inner, &target)).await;
    }
    let mut reached = inner.reached.subscribe();
    loop {
        reached.mark_unchanged();
        if reached.borrow().reaches(&target) {
            return Ok(());
        }
        if inner.stop.is_cancelled() {
            return Err(ReadError::Closed);
        }
        let heard = tokio::time::timeout(PATIENCE, reached.changed()).await;
        if heard.is_err() || !inner.followed.load(Ordering::Acquire) {
            return Err(read_failed(
                inner.cluster.brokers(),
                format!("its newest records did not come within {PATIENCE:?}"),
            ));
        }
    }
}

/// Reads up to a position, for a handle that does not follow. Blocks.
fn once(inner: &Inner, target: &Position) -> Result<(), ReadError> {
    let _one = inner
        .looks
        .one
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if inner.reached.borrow().reaches(target) {
        return Ok(());
    }
    let mut follower = Follower::open(inner)
        .map_err(|e| read(inner.cluster.brokers(), "reading what is new", &e))?;
    let mut heard = Instant::now();
    while !inner.reached.borrow().reaches(target) {
        if inner.stop.is_cancelled() {
            return Err(ReadError::Closed);
        }
        if follower.step(inner, Duration::from_millis(100))? > 0 {
            heard = Instant::now();
        } else if heard.elapsed() > PATIENCE {
            let cause = format!("its newest records did not come within {PATIENCE:?}");
            return Err(read_failed(inner.cluster.brokers(), cause));
        }
    }
    let known = inner.view().known();
    inner.writer.intake().admission.merge(known);
    Ok(())
}
