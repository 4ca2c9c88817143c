//! The event log: an append-only, durable, ordered record of everything that was observed.
//!
//! [`EventLog`] is the port. Adapters are sibling modules; one conformance suite runs on all of them.
//!
//! Laws that every adapter keeps:
//! - an append answers only after its events would survive a power cut;
//! - an event is in the log at most once by its id (source, epoch, seq), however often it is appended;
//! - events of one source come back in the order in which they were appended;
//! - a reader, a tail and a subscriber see only what is durable;
//! - offsets are never used twice, also after retention emptied the log.

mod admission;
#[cfg(feature = "conformance")]
pub mod conformance;
mod destination;
pub mod embedded;
mod error;
mod filter;
mod fleet;
pub mod http;
pub mod kafka;
mod memory;
mod record;
mod sequence;

pub use destination::{
    Claims, Destination, DestinationError, ForeignSource, LogDestination, Refusal, Taken,
};
pub use embedded::Embedded;
pub use error::{AppendError, ReadError};
pub use filter::Filter;
pub use fleet::{Delivery, Fleet, Member};
pub use kafka::Kafka;
pub use memory::Memory;
pub use record::{Batch, Body, DeadLetter, LetterId, Record};
pub use sequence::MAX_HOLES;

use async_trait::async_trait;
use schemas::{Draft, Epoch, EventId, Position, SourceName, Timestamp};
use tokio::sync::watch;

/// How soon an append must be durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// Somebody waits: within 50 ms.
    Soon,
    /// A reading among many: grouped with others for up to 2 s.
    Grouped,
}

/// What became of one draft.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// It is in the log now and was not before.
    Appended,
    /// Its id was already in the log; what is there stays.
    Duplicate,
    /// The log cannot take it, and why; the others of the append are not concerned.
    Refused(String),
}

impl Outcome {
    /// Whether it is refused only because the log knows as many sources and epochs as it can: whoever keeps the event may
    /// send it again later.
    pub fn is_for_now(&self) -> bool {
        matches!(self, Self::Refused(why) if why == admission::FULL)
    }
}

/// What became of one draft, under which id.
#[derive(Clone, PartialEq, Debug)]
pub struct Receipt {
    /// Its id; of a refused draft without an identity, none.
    pub id: Option<EventId>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an append.
#[derive(Clone, PartialEq, Debug)]
pub struct Appended {
    /// One for each draft, in order.
    pub receipts: Vec<Receipt>,
    /// Points after the last of them, and after all that was durable before.
    pub position: Position,
}

impl Appended {
    /// Why the first event was refused, if it was.
    pub fn refusal(&self) -> Option<&str> {
        match &self.receipts.first()?.outcome {
            Outcome::Refused(why) => Some(why),
            _ => None,
        }
    }
}

/// How far the log reaches.
#[derive(Clone, PartialEq, Debug)]
pub struct Bounds {
    /// The first position that can be read.
    pub oldest: Position,
    /// Points after the newest durable event.
    pub newest: Position,
    /// When the oldest event that is still there was logged.
    pub oldest_logged: Option<Timestamp>,
    /// Events that are there.
    pub events: u64,
    /// Bytes that they take.
    pub bytes: u64,
}

/// What is asked of a read.
#[derive(Clone, PartialEq, Debug)]
pub struct ReadQuery {
    /// Which events.
    pub filter: Filter,
    /// Most records to return.
    pub limit: usize,
}

/// What became of a purge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purged {
    /// So many events are gone.
    Events(u64),
    /// The log cannot take single events out: its retention drops them when their time has come.
    ByRetention,
}

/// What may go from the beginning of the log. What no consumer has passed stays.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Retention {
    /// Events logged before this may go.
    pub before: Option<Timestamp>,
    /// The log may not be larger than this, in bytes.
    pub max_bytes: Option<u64>,
}

/// The sequence of one writer as the log knows it.
#[derive(Clone, PartialEq, Debug)]
pub struct SequenceState {
    /// The source.
    pub source: SourceName,
    /// The writer's sequence state.
    pub epoch: Epoch,
    /// The highest seq that is or was in the log.
    pub last_seq: u64,
    /// Seqs below it that never came, as inclusive ranges.
    pub holes: Vec<(u64, u64)>,
}

/// What an adapter can do that others cannot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// Whether a position names exactly the events before it; else it is a lower bound.
    pub exact_positions: bool,
    /// Whether single events can be taken out.
    pub purges: bool,
    /// In how many partitions events are ordered.
    pub partitions: usize,
}

/// The port.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// What this adapter can do.
    fn capabilities(&self) -> Capabilities;

    /// Appends drafts and answers when they are durable.
    ///
    /// Drafts without an identity get the log's own epoch of their source and the next seq. A seq below the highest of its
    /// (source, epoch) is a duplicate unless it is a known hole, which it then fills.
    ///
    /// # Errors
    /// Nothing of the append is durable: the disk is full, the log is closed or broken.
    async fn append(&self, drafts: Vec<Draft>, urgency: Urgency) -> Result<Appended, AppendError>;

    /// Reads what is durable from a position on, at once; at the end of the log the batch is empty.
    ///
    /// May return fewer records than asked for, even none, before the end: [`Batch::next`] goes on and [`Batch::at_end`] tells.
    ///
    /// # Errors
    /// The position is not in the log any more or not yet, or the log cannot be read.
    async fn read(&self, from: &Position, query: &ReadQuery) -> Result<Batch, ReadError>;

    /// The position before the first event that was logged at or after an instant.
    async fn seek(&self, logged: Timestamp) -> Result<Position, ReadError>;

    /// How far the log reaches.
    async fn bounds(&self) -> Result<Bounds, ReadError>;

    /// Follows the position after the newest durable event. Tails wait on it and then read: they are woken at once.
    fn newest(&self) -> watch::Receiver<Position>;

    /// Up to where a consumer has gone, if it ever said.
    async fn consumer_position(&self, consumer: &str) -> Result<Option<Position>, ReadError>;

    /// Remembers up to where a consumer has gone: what it has not passed is never trimmed.
    async fn set_consumer_position(
        &self,
        consumer: &str,
        position: &Position,
    ) -> Result<(), AppendError>;

    /// Trims the beginning of the log, never past the position of a consumer. Returns how many events went.
    async fn trim(&self, retention: &Retention) -> Result<u64, AppendError>;

    /// Takes out every event of a source that lies before a position, but for marks of a purge ([`schemas::Purge`]). Their
    /// offsets stay, without what was there: readers pass over them, and an append of the same ids is a duplicate for ever.
    ///
    /// It works in steps between which appends go on, so that one that was cut short is only to be made again. In the end
    /// nothing of the events is in any file of the log.
    ///
    /// # Errors
    /// It was cut short.
    async fn purge(&self, source: &SourceName, before: &Position) -> Result<Purged, AppendError>;

    /// Every writer's sequence, by source and epoch.
    async fn sequences(&self) -> Result<Vec<SequenceState>, ReadError>;

    /// Keeps what could not be used. Writing the same letter again (by partition, offset and field) changes nothing.
    async fn put_dead_letters(&self, letters: Vec<DeadLetter>) -> Result<(), AppendError>;

    /// Forgets dead letters whose originals could be used after all. Those that are not there change nothing; one that is put
    /// again later is there again.
    async fn resolve_dead_letters(&self, letters: Vec<LetterId>) -> Result<(), AppendError>;

    /// Dead letters in the order of the log, after the first `skip`.
    async fn dead_letters(&self, skip: u64, limit: usize) -> Result<Vec<DeadLetter>, ReadError>;

    /// How many dead letters there are.
    async fn dead_letter_count(&self) -> Result<u64, ReadError>;

    /// Makes durable what was appended, then refuses more. Calling it twice is fine.
    async fn close(&self) -> Result<(), AppendError>;
}
