//! The log in one SQLite file, for one process.
//!
//! `log.db` in the data directory holds blocks of events (see `block.rs`), the sequence of every writer, the positions of
//! consumers and dead letters. One thread writes: it gathers what is appended for a moment and commits it as one transaction
//! (`synchronous=FULL` in WAL mode: an fsync before every answer). Small blocks at the end are packed into larger ones in the
//! same transaction as an append. The newest events are also in memory; other reads take a snapshot of the file each.

mod block;
mod command;
mod fault;
mod letters;
mod metrics;
mod number;
mod open;
mod purge;
mod reader;
mod readers;
mod ring;
mod seal;
mod shared;
mod staged;
mod store;
mod tail;
mod upkeep;
mod writer;

pub(crate) use command::weight;
pub use metrics::Metrics;
pub use open::OpenError;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use schemas::{Draft, Position, SourceName, Timestamp};
use tokio::sync::{Semaphore, oneshot, watch};

use self::{
    command::{Command, Reply, Work},
    purge::Target,
    readers::Readers,
    shared::{Shared, Status},
    store::Store,
};
use crate::{
    AppendError, Appended, Batch, Bounds, Capabilities, DeadLetter, EventLog, LetterId, Purged,
    ReadError, ReadQuery, Retention, SequenceState, Urgency,
};

/// Most commands that wait for the writer.
const QUEUE: usize = 1024;
/// How much of the queue's weight one command takes at least, in KiB: so that all have room in the channel.
const LEAST_WEIGHT: usize = 16;
/// How long an append waits for room in the queue.
const ROOM: Duration = Duration::from_secs(2);

/// How a log is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What it counts of itself.
    pub metrics: Metrics,
    /// The file is not made larger than this, in bytes: appends are then answered as when the disk is full.
    pub max_bytes: Option<u64>,
}

/// The embedded event log. See the module.
pub struct Embedded {
    shared: Arc<Shared>,
    readers: Readers,
    /// Sequences when it was opened, for one that only reads.
    sequences: Option<Vec<SequenceState>>,
    queue: Mutex<Option<SyncSender<Command>>>,
    room: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// Opens the log in a data directory, which must exist, and begins an empty one if there is none. Blocks for some
    /// milliseconds.
    ///
    /// # Errors
    /// The file is not ours, damaged, of a later release, or cannot be written.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let path = open::file(directory);
        let store = Store::open(&path, options.max_bytes)?;
        let oldest = store.oldest().map_err(open::failed(&path))?;
        let shared = Arc::new(Shared::new(
            path.clone(),
            options.metrics,
            oldest,
            store.next_offset(),
        ));
        let (sender, queue) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("event-log".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || writer::run(store, &shared, &queue)
            })
            .map_err(|e| OpenError::Failed {
                path,
                cause: format!("its writer cannot start: {e}"),
            })?;
        Ok(Self {
            readers: Readers::new(Arc::clone(&shared), u64::MAX),
            shared,
            sequences: None,
            queue: Mutex::new(Some(sender)),
            room: Arc::new(Semaphore::new(QUEUE * LEAST_WEIGHT)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Opens the log in a data directory to read it as it is now, while another process may write it.
    ///
    /// Events, bounds and sequences are those of this moment; what is trimmed later is gone here too. Blocks for some
    /// milliseconds.
    ///
    /// # Errors
    /// There is no log, or it is not ours, damaged, or of a later release.
    pub fn open_read_only(directory: &Path) -> Result<Self, OpenError> {
        let path = open::file(directory);
        let (sequences, oldest, newest) = reader::moment(&path)?;
        let shared = Arc::new(Shared::new(path, Metrics::default(), oldest, newest));
        shared.set_status(Status::ReadOnly);
        Ok(Self {
            readers: Readers::new(Arc::clone(&shared), newest),
            shared,
            sequences: Some(sequences),
            queue: Mutex::new(None),
            room: Arc::new(Semaphore::new(0)),
            thread: Mutex::new(None),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Whether a write failed in a way that ends all writing, and why.
    pub fn broken(&self) -> Option<String> {
        match self.shared.status() {
            Status::Broken(cause) => Some(cause),
            _ => None,
        }
    }

    async fn ask<T>(
        &self,
        weight: usize,
        work: impl FnOnce(Reply<T>) -> Work,
    ) -> Result<T, AppendError> {
        if let Some(fault) = self.shared.append_fault() {
            return Err(fault);
        }
        let share = weight.clamp(LEAST_WEIGHT, QUEUE * LEAST_WEIGHT);
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        let share = tokio::time::timeout(ROOM, Arc::clone(&self.room).acquire_many_owned(share))
            .await
            .map_err(|_| AppendError::Busy)?
            .map_err(|_| AppendError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let command = Command {
            work: work(reply),
            weight,
            share,
        };
        let sent = match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.try_send(command).is_ok(),
            None => false,
        };
        if !sent {
            return Err(self.shared.append_fault().unwrap_or(AppendError::Busy));
        }
        answer.await.unwrap_or_else(|_| {
            // no answer from a writer that was not told to end: it panicked
            let panicked = || self.shared.broken("its writer ended".to_owned());
            Err(self.shared.append_fault().unwrap_or_else(panicked))
        })
    }

    /// Takes the queue and the thread, so that the thread ends when it has done what waits.
    fn release(&self) -> Option<JoinHandle<()>> {
        drop(
            self.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        self.thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(thread) = self.release() {
            // it catches its panics itself
            drop(thread.join());
        }
        self.shared.set_status(Status::Closed);
    }
}

#[async_trait]
impl EventLog for Embedded {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            exact_positions: true,
            purges: true,
            partitions: 1,
        }
    }

    async fn append(&self, drafts: Vec<Draft>, urgency: Urgency) -> Result<Appended, AppendError> {
        self.ask(weight(&drafts), |reply| Work::Append {
            drafts,
            urgency,
            reply,
        })
        .await
    }

    async fn read(&self, from: &Position, query: &ReadQuery) -> Result<Batch, ReadError> {
        if matches!(self.shared.status(), Status::Closed) {
            return Err(ReadError::Closed);
        }
        let next = match from.offsets() {
            [next] => *next,
            // of a log with other partitions
            _ => u64::MAX,
        };
        if let Some(recent) = self.shared.read_recent(next, query) {
            return recent;
        }
        let query = query.clone();
        self.readers
            .read(move |reader| reader.read(next, &query))
            .await
    }

    async fn seek(&self, logged: Timestamp) -> Result<Position, ReadError> {
        let next = self.readers.read(move |reader| reader.seek(logged)).await?;
        Ok(Position::from_offsets(vec![next]))
    }

    async fn bounds(&self) -> Result<Bounds, ReadError> {
        self.readers.read(reader::Reader::bounds).await
    }

    fn newest(&self) -> watch::Receiver<Position> {
        self.shared.follow()
    }

    async fn consumer_position(&self, consumer: &str) -> Result<Option<Position>, ReadError> {
        let consumer = consumer.to_owned();
        let next = self
            .readers
            .read(move |reader| reader.consumer(&consumer))
            .await?;
        Ok(next.map(|next| Position::from_offsets(vec![next])))
    }

    async fn set_consumer_position(
        &self,
        consumer: &str,
        position: &Position,
    ) -> Result<(), AppendError> {
        self.ask(0, |reply| Work::SetConsumer {
            name: consumer.to_owned(),
            next: position.offset(0),
            reply,
        })
        .await
    }

    async fn trim(&self, retention: &Retention) -> Result<u64, AppendError> {
        let mut events = 0;
        loop {
            let trimmed = self
                .ask(0, |reply| Work::Trim {
                    retention: retention.clone(),
                    reply,
                })
                .await?;
            events += trimmed.events;
            if trimmed.done {
                return Ok(events);
            }
        }
    }

    async fn purge(&self, source: &SourceName, before: &Position) -> Result<Purged, AppendError> {
        let before = match before.offsets() {
            [next] => *next,
            // of a log with other partitions
            _ => 0,
        };
        let target = Arc::new(Target::new(source, before));
        let (mut events, mut from) = (0, 0);
        loop {
            let step = self
                .ask(0, |reply| Work::Purge {
                    target: Arc::clone(&target),
                    from,
                    reply,
                })
                .await?;
            events += step.events;
            match step.next {
                Some(next) => from = next,
                None => return Ok(Purged::Events(events)),
            }
        }
    }

    async fn sequences(&self) -> Result<Vec<SequenceState>, ReadError> {
        match &self.sequences {
            Some(sequences) => Ok(sequences.clone()),
            None => self.readers.read(reader::Reader::sequences).await,
        }
    }

    async fn put_dead_letters(&self, letters: Vec<DeadLetter>) -> Result<(), AppendError> {
        let bytes: usize = letters
            .iter()
            .map(|letter| letter.bytes.len() + letter.message.len() + 256)
            .sum();
        self.ask(bytes / 1024, |reply| Work::PutDeadLetters {
            letters,
            reply,
        })
        .await
    }

    async fn resolve_dead_letters(&self, letters: Vec<LetterId>) -> Result<(), AppendError> {
        self.ask(letters.len() / 4, |reply| Work::ResolveDeadLetters {
            letters,
            reply,
        })
        .await
    }

    async fn dead_letters(&self, skip: u64, limit: usize) -> Result<Vec<DeadLetter>, ReadError> {
        self.readers
            .read(move |reader| reader.dead_letters(skip, limit))
            .await
    }

    async fn dead_letter_count(&self) -> Result<u64, ReadError> {
        self.readers.read(reader::Reader::dead_letter_count).await
    }

    async fn close(&self) -> Result<(), AppendError> {
        // reads would hold back the last move of the write-ahead log into the file
        self.readers.close().await;
        let result = match self.shared.append_fault() {
            Some(AppendError::Closed) => Ok(()),
            Some(fault) => Err(fault),
            None => self.ask(0, |reply| Work::Close { reply }).await,
        };
        if let Some(thread) = self.release() {
            // it catches its panics itself
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
        self.shared.set_status(Status::Closed);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A panic of the writer is an error for who waits and for who comes later; reads go on.
    #[tokio::test]
    async fn a_panic_of_the_writer_breaks_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Embedded::open(directory.path(), Options::default()).unwrap();
        if let Some(thread) = log.release() {
            thread.join().unwrap();
        }
        let shared = Arc::new(Shared::new(
            open::file(directory.path()),
            Metrics::default(),
            0,
            0,
        ));
        let (sender, queue) = sync_channel(QUEUE);
        log.readers = Readers::new(Arc::clone(&shared), u64::MAX);
        log.shared = Arc::clone(&shared);
        *log.queue.lock().unwrap() = Some(sender);
        *log.thread.lock().unwrap() = Some(std::thread::spawn(move || {
            writer::surface(&shared, || {
                let _command = queue.recv();
                panic!("for a test");
            });
        }));
        let first = log.append(Vec::new(), Urgency::Soon).await;
        assert!(
            matches!(first, Err(AppendError::Broken { .. })),
            "{first:?}"
        );
        while log.broken().is_none() {
            tokio::task::yield_now().await;
        }
        match log.append(Vec::new(), Urgency::Soon).await {
            Err(AppendError::Broken { cause, .. }) => assert!(cause.contains("for a test")),
            other => panic!("an append gave {other:?}"),
        }
        assert_eq!(log.bounds().await.unwrap().events, 0);
    }
}
