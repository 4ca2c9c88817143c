mod group;
mod member;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use schemas::{Draft, Epoch, Position, Purge, SourceName, Timestamp, codec};
use tokio::sync::watch;

use self::group::Group;
use crate::{
    AppendError, Appended, Batch, Body, Bounds, Capabilities, DeadLetter, EventLog, LetterId,
    Purged, ReadError, ReadQuery, Record, Retention, SequenceState, Urgency,
    admission::{Admission, appended},
    record::names,
};

/// A log in memory, for tests and for trying things out: nothing survives the process.
///
/// With more than one partition it orders events as Kafka does: within a source, not between sources.
pub struct Memory {
    shared: Arc<Shared>,
    closed: AtomicBool,
}

struct Shared {
    state: Mutex<State>,
    newest: watch::Sender<Position>,
    /// How often members joined, left, or gave partitions back.
    moved: watch::Sender<u64>,
}

#[derive(Default)]
struct Partition {
    /// Offset of the first record.
    first: u64,
    /// With the length of each in bytes.
    records: VecDeque<(Record, usize)>,
    /// Offsets whose records are purged.
    purged: BTreeSet<u64>,
}

impl Partition {
    fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    fn after(&self, offset: u64) -> impl Iterator<Item = &Record> {
        let skip = usize::try_from(offset.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.records.iter().skip(skip).map(|(record, _)| record)
    }

    fn is_purged(&self, record: &Record) -> bool {
        self.purged.contains(&record.offset)
    }

    fn push(&mut self, partition: usize, logged: Timestamp, body: Body, bytes: usize) {
        let offset = self.next();
        self.records.push_back((
            Record {
                partition,
                offset,
                logged,
                body,
            },
            bytes,
        ));
    }
}

struct State {
    partitions: Vec<Partition>,
    admission: Admission,
    logged: Timestamp,
    bytes: u64,
    consumers: BTreeMap<String, Position>,
    letters: BTreeMap<LetterId, DeadLetter>,
    groups: HashMap<String, Group>,
}

impl State {
    fn oldest(&self) -> Position {
        Position::from_offsets(self.partitions.iter().map(|p| p.first).collect())
    }

    fn newest(&self) -> Position {
        Position::from_offsets(self.partitions.iter().map(Partition::next).collect())
    }

    fn partition_of(&self, source: &SourceName) -> usize {
        let mut hasher = DefaultHasher::new();
        source.as_str().hash(&mut hasher);
        let count = self.partitions.len().max(1) as u64;
        usize::try_from(hasher.finish() % count).unwrap_or(0)
    }

    fn tick(&mut self) -> Timestamp {
        self.logged = self.logged.max(Timestamp::now());
        self.logged
    }

    fn push(&mut self, partition: usize, body: Body, bytes: usize) {
        let logged = self.logged;
        if let Some(p) = self.partitions.get_mut(partition) {
            p.push(partition, logged, body, bytes);
            self.bytes += bytes as u64;
        }
    }

    /// The partition whose first record is the oldest that may go.
    fn trimmable(&self, retention: &Retention) -> Option<usize> {
        let oversized = retention.max_bytes.is_some_and(|max| self.bytes > max);
        self.partitions
            .iter()
            .enumerate()
            .filter_map(|(index, partition)| {
                let (record, _) = partition.records.front()?;
                let passed = self
                    .consumers
                    .values()
                    .all(|position| position.offset(index) > record.offset);
                let aged = retention
                    .before
                    .is_some_and(|before| record.logged < before);
                (passed && (aged || oversized)).then_some((record.logged, index))
            })
            .min()
            .map(|(_, index)| index)
    }

    fn is_purged(&self, record: &Record) -> bool {
        let partition = self.partitions.get(record.partition);
        partition.is_some_and(|partition| partition.is_purged(record))
    }

    fn purge(&mut self, source: &SourceName, before: &Position) -> u64 {
        let mut gone = 0;
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            for (record, bytes) in &mut partition.records {
                let of_it = match &record.body {
                    Body::Event(event) => event.source == *source && !Purge::is(event),
                    Body::Unreadable { bytes, .. } => names(bytes, source),
                };
                if of_it && record.offset < before.offset(index) {
                    record.body = Body::Unreadable {
                        bytes: Arc::default(),
                        reason: String::new(),
                    };
                    self.bytes -= *bytes as u64;
                    *bytes = 0;
                    partition.purged.insert(record.offset);
                    gone += 1;
                }
            }
        }
        gone
    }

    fn trim(&mut self, retention: &Retention) -> u64 {
        let mut gone = 0;
        while let Some(partition) = self
            .trimmable(retention)
            .and_then(|index| self.partitions.get_mut(index))
        {
            if let Some((_, bytes)) = partition.records.pop_front() {
                partition.first += 1;
                self.bytes -= bytes as u64;
                gone += 1;
            }
        }
        gone
    }
}

impl Memory {
    /// An empty log with that many partitions.
    ///
    /// # Panics
    /// Never: hexadecimal digits are an epoch.
    pub fn new(partitions: usize) -> Self {
        let partitions = partitions.max(1);
        let epoch = Epoch::random()
            .or_else(|_| Epoch::new(format!("{:x}", Timestamp::now().as_millis())))
            .expect("hexadecimal digits are an epoch");
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    partitions: (0..partitions).map(|_| Partition::default()).collect(),
                    admission: Admission::new(epoch),
                    logged: Timestamp::default(),
                    bytes: 0,
                    consumers: BTreeMap::new(),
                    letters: BTreeMap::new(),
                    groups: HashMap::new(),
                }),
                newest: watch::Sender::new(Position::start(partitions)),
                moved: watch::Sender::new(0),
            }),
            closed: AtomicBool::new(false),
        }
    }

    /// The same log, open again.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            closed: AtomicBool::new(false),
        }
    }

    /// Appends bytes as they are, as another release might have written them.
    pub fn append_bytes(&self, source: &SourceName, bytes: &[u8]) {
        let mut state = self.state();
        state.tick();
        let body = Body::of(codec::decode(bytes), bytes);
        let partition = state.partition_of(source);
        state.push(partition, body, bytes.len());
        self.shared.newest.send_replace(state.newest());
    }

    /// Loses the records of a partition before an offset, whoever needs them, as a broken disk does.
    pub fn lose(&self, partition: usize, before: u64) {
        let mut state = self.state();
        let mut lost = 0;
        if let Some(partition) = state.partitions.get_mut(partition) {
            while partition.first < before
                && let Some((_, bytes)) = partition.records.pop_front()
            {
                partition.first += 1;
                lost += bytes as u64;
            }
        }
        state.bytes -= lost;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn readable(&self) -> Result<MutexGuard<'_, State>, ReadError> {
        if self.closed.load(Ordering::Acquire) {
            Err(ReadError::Closed)
        } else {
            Ok(self.state())
        }
    }

    fn writable(&self) -> Result<MutexGuard<'_, State>, AppendError> {
        if self.closed.load(Ordering::Acquire) {
            Err(AppendError::Closed)
        } else {
            Ok(self.state())
        }
    }
}

#[async_trait]
impl EventLog for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            exact_positions: true,
            purges: true,
            partitions: self.state().partitions.len(),
        }
    }

    async fn append(&self, drafts: Vec<Draft>, _urgency: Urgency) -> Result<Appended, AppendError> {
        let mut state = self.writable()?;
        state.tick();
        let mut receipts = Vec::with_capacity(drafts.len());
        let mut json = Vec::new();
        for draft in drafts {
            json.clear();
            match state.admission.admit(draft, &mut json) {
                Ok(event) => {
                    receipts.push(appended(&event));
                    let partition = state.partition_of(&event.source);
                    state.push(partition, Body::Event(event.into()), json.len());
                }
                Err(receipt) => receipts.push(receipt),
            }
        }
        state.admission.keep();
        let position = state.newest();
        self.shared.newest.send_replace(position.clone());
        Ok(Appended { receipts, position })
    }

    async fn read(&self, from: &Position, query: &ReadQuery) -> Result<Batch, ReadError> {
        let state = self.readable()?;
        let (oldest, newest) = (state.oldest(), state.newest());
        if from.partitions() != newest.partitions()
            || !from.reaches(&oldest)
            || !newest.reaches(from)
        {
            return Err(ReadError::PositionGone { oldest, newest });
        }
        let mut next = from.clone();
        let mut records = Vec::new();
        let mut purged = 0;
        let mut rest: Vec<_> = state
            .partitions
            .iter()
            .enumerate()
            .map(|(index, partition)| partition.after(from.offset(index)).peekable())
            .collect();
        while records.len() < query.limit {
            // between partitions, the one that was logged first
            let Some((_, partition)) = rest
                .iter_mut()
                .filter_map(|partition| Some((partition.peek()?.logged, partition)))
                .min_by_key(|(logged, _)| *logged)
            else {
                break;
            };
            let Some(record) = partition.next() else {
                break;
            };
            next.advance(record.partition, record.offset);
            if state.is_purged(record) {
                purged += 1;
            } else if record.event().is_none_or(|event| query.filter.wants(event)) {
                records.push(record.clone());
            }
        }
        Ok(Batch {
            records,
            purged,
            at_end: next.reaches(&newest),
            next,
        })
    }

    async fn seek(&self, logged: Timestamp) -> Result<Position, ReadError> {
        let state = self.readable()?;
        let offsets = state.partitions.iter().map(|partition| {
            let before = partition
                .records
                .partition_point(|(record, _)| record.logged < logged);
            partition.first + before as u64
        });
        Ok(Position::from_offsets(offsets.collect()))
    }

    async fn bounds(&self) -> Result<Bounds, ReadError> {
        let state = self.readable()?;
        let firsts = state.partitions.iter().filter_map(|p| p.records.front());
        Ok(Bounds {
            oldest: state.oldest(),
            newest: state.newest(),
            oldest_logged: firsts.map(|(record, _)| record.logged).min(),
            events: state
                .partitions
                .iter()
                .map(|partition| partition.records.len() as u64)
                .sum(),
            bytes: state.bytes,
        })
    }

    fn newest(&self) -> watch::Receiver<Position> {
        self.shared.newest.subscribe()
    }

    async fn consumer_position(&self, consumer: &str) -> Result<Option<Position>, ReadError> {
        Ok(self.readable()?.consumers.get(consumer).cloned())
    }

    async fn set_consumer_position(
        &self,
        consumer: &str,
        position: &Position,
    ) -> Result<(), AppendError> {
        let mut state = self.writable()?;
        let position = position.floor(&state.newest());
        state.consumers.insert(consumer.to_owned(), position);
        Ok(())
    }

    async fn trim(&self, retention: &Retention) -> Result<u64, AppendError> {
        Ok(self.writable()?.trim(retention))
    }

    async fn purge(&self, source: &SourceName, before: &Position) -> Result<Purged, AppendError> {
        Ok(Purged::Events(self.writable()?.purge(source, before)))
    }

    async fn sequences(&self) -> Result<Vec<SequenceState>, ReadError> {
        Ok(self.readable()?.admission.states())
    }

    async fn put_dead_letters(&self, letters: Vec<DeadLetter>) -> Result<(), AppendError> {
        let mut state = self.writable()?;
        for letter in letters {
            state.letters.entry(letter.id()).or_insert(letter);
        }
        Ok(())
    }

    async fn resolve_dead_letters(&self, letters: Vec<LetterId>) -> Result<(), AppendError> {
        let mut state = self.writable()?;
        for letter in &letters {
            state.letters.remove(letter);
        }
        Ok(())
    }

    async fn dead_letters(&self, skip: u64, limit: usize) -> Result<Vec<DeadLetter>, ReadError> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let state = self.readable()?;
        Ok(state
            .letters
            .values()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn dead_letter_count(&self) -> Result<u64, ReadError> {
        Ok(self.readable()?.letters.len() as u64)
    }

    async fn close(&self) -> Result<(), AppendError> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}
