use std::{fmt, sync::Arc};

use schemas::{Event, Position, SourceName, Timestamp};
use serde::Deserialize;

/// One entry of the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Its partition.
    pub partition: usize,
    /// Its place in the partition.
    pub offset: u64,
    /// When the log took it.
    pub logged: Timestamp,
    /// What it holds.
    pub body: Body,
}

/// What an entry holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// An event.
    Event(Arc<Event>),
    /// Bytes that this release cannot read, and why; a filter never hides them.
    Unreadable {
        /// As they stand in the log.
        bytes: Arc<[u8]>,
        /// Why they cannot be read.
        reason: String,
    },
}

impl Body {
    /// What bytes hold that were decoded, or failed to be.
    pub(crate) fn of(decoded: Result<Event, impl fmt::Display>, bytes: &[u8]) -> Self {
        match decoded {
            Ok(event) => Self::Event(event.into()),
            Err(reason) => Self::Unreadable {
                bytes: bytes.into(),
                reason: reason.to_string(),
            },
        }
    }
}

impl Record {
    /// The event, unless it cannot be read.
    pub const fn event(&self) -> Option<&Arc<Event>> {
        match &self.body {
            Body::Event(event) => Some(event),
            Body::Unreadable { .. } => None,
        }
    }
}

/// Whether bytes that this release cannot read name a source as theirs.
pub(crate) fn names(bytes: &[u8], source: &SourceName) -> bool {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        source: std::borrow::Cow<'a, str>,
    }
    serde_json::from_slice::<Named<'_>>(bytes).is_ok_and(|named| named.source == source.as_str())
}

/// What a read found.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// In the order of each partition.
    pub records: Vec<Record>,
    /// Where the next read begins: after everything that was looked at.
    pub next: Position,
    /// Whether nothing durable was left behind `next` when it was read.
    pub at_end: bool,
    /// Offsets that were passed because what was there is purged.
    pub purged: u64,
}

/// What could not become a point, kept with its original.
#[derive(Clone, PartialEq, Debug)]
pub struct DeadLetter {
    /// Partition of the entry that could not be used.
    pub partition: usize,
    /// Place of that entry.
    pub offset: u64,
    /// The field that could not be used; none if it is the whole event.
    pub field: Option<String>,
    /// When it was put aside.
    pub time: Timestamp,
    /// Stable name of the reason: `undecodable`, `type_conflict`, `cardinality`, …
    pub reason: String,
    /// What happened and what to do.
    pub message: String,
    /// The original as it stood in the log.
    pub bytes: Vec<u8>,
}

/// What names a dead letter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LetterId {
    /// Partition of the entry that could not be used.
    pub partition: usize,
    /// Place of that entry.
    pub offset: u64,
    /// The field that could not be used; none if it is the whole event.
    pub field: Option<String>,
}

impl DeadLetter {
    /// What names it.
    pub fn id(&self) -> LetterId {
        LetterId {
            partition: self.partition,
            offset: self.offset,
            field: self.field.clone(),
        }
    }
}
