//! The time-series store: what ingest made of the log, by entity and time.
//!
//! [`TimeSeries`] is the port. Adapters are sibling modules; one conformance suite runs on all of them.
//!
//! Laws that every adapter keeps:
//! - points and the log position that they come from move together: after a crash the store says from where to read again,
//!   and reading again changes nothing that is there already;
//! - two points with one (entity, time) merge their fields, the later log position wins;
//! - an answer carries the log position that it reflects, neither more nor less where positions are exact.

mod aggregate;
#[cfg(feature = "conformance")]
pub mod conformance;
mod counter;
pub mod embedded;
mod error;
pub mod influxdb;
pub mod memory;
mod query;
mod window;

pub use embedded::Embedded;
pub use error::{QueryError, WriteError};
pub use influxdb::Influxdb;
pub use memory::Memory;
pub use query::{CalendarUnit, RangeData, RangeQuery, Selection, Series, Step};

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use schemas::{
    EntityKey, FieldName, FieldValue, Fields, Labels, Position, SourceName, Timestamp,
    catalog::ValueType,
    name::{AgentName, EntityType, SourceKind},
};

/// One observation as the store keeps it. Its values have the types of the catalogue.
#[derive(Clone, PartialEq, Debug)]
pub struct Point {
    /// The entity.
    pub key: EntityKey,
    /// What its source is.
    pub kind: SourceKind,
    /// The agent that observed it.
    pub agent: Option<AgentName>,
    /// Slow facts about it at that time.
    pub labels: Arc<Labels>,
    /// When.
    pub time: Timestamp,
    /// The readings.
    pub fields: Fields,
}

/// Points in the order of the log, and the position after the events that they come from.
#[derive(Clone, PartialEq, Debug)]
pub struct WriteBatch {
    /// The points; there may be none, then only the position moves.
    pub points: Vec<Point>,
    /// Everything before it is in the store when this batch is.
    pub position: Position,
}

/// A point, or one field of it, that the store refuses for good, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Its place in the batch.
    pub index: usize,
    /// In the store's own words.
    pub why: String,
}

/// What became of a batch: everything of it is in the store but what was refused.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// What was not taken; trying again would change nothing.
    pub refused: Vec<Refused>,
}

/// The newest value of one field.
#[derive(Clone, PartialEq, Debug)]
pub struct Latest {
    /// The value.
    pub value: FieldValue,
    /// When it was observed.
    pub time: Timestamp,
}

/// One entity with the newest values up to some time.
#[derive(Clone, PartialEq, Debug)]
pub struct EntityState {
    /// The entity.
    pub key: EntityKey,
    /// What its source is.
    pub kind: SourceKind,
    /// The agent that observes it.
    pub agent: Option<AgentName>,
    /// Slow facts about it at that time.
    pub labels: Arc<Labels>,
    /// Newest value of every field.
    pub fields: BTreeMap<FieldName, Latest>,
}

/// States of entities and the log position that they reflect.
#[derive(Clone, PartialEq, Debug)]
pub struct StateData {
    /// The position.
    pub position: Position,
    /// By key.
    pub entities: Vec<EntityState>,
}

/// What the store holds, in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Entities.
    pub entities: u64,
    /// Samples (values of fields) that are in the store.
    pub samples: u64,
    /// Points (times of entities) that are in the store.
    pub points: u64,
    /// Of these, points that are in memory and would be read from the log again after a crash.
    pub open_points: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// What became of a purge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Purged {
    /// So many points are gone.
    Points(u64),
    /// The store cannot drop a source, and why; nothing went.
    Unable(String),
}

/// What an adapter can do that others cannot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// Whether whole numbers above `i64::MAX` are kept; else they are refused to dead letters.
    pub unsigned: bool,
    /// Whether the position of an answer is exact; else it is a lower bound.
    pub exact_positions: bool,
    /// Whether everything of one source can be dropped.
    pub purges: bool,
}

/// A store that many workers write, each some partitions of the log.
///
/// Several writes may wait at a time, also of one partition; points of one entity are stored in the order of the calls.
#[async_trait]
pub trait PartitionedStore: TimeSeries {
    /// Takes points of one partition and answers when they are durable; then remembers that everything before `next` of that
    /// partition is in the store, if it is further than what it remembered.
    ///
    /// # Errors
    /// The batch is not or only partly there; the same batch may be tried again if the error is transient.
    async fn write_partition(
        &self,
        points: Vec<Point>,
        partition: usize,
        next: u64,
    ) -> Result<Written, WriteError>;

    /// Up to where a partition is in the store; none if nothing of it ever was.
    async fn partition_position(&self, partition: usize) -> Result<Option<u64>, QueryError>;

    /// Goes back or forward to a place of a partition that is not what the store remembers: the log was made anew or lost events.
    async fn reset_partition(&self, partition: usize, next: u64) -> Result<(), WriteError>;
}

/// The port.
#[async_trait]
pub trait TimeSeries: Send + Sync + 'static {
    /// What this adapter can do.
    fn capabilities(&self) -> Capabilities;

    /// From where the log must be read into this store: at open the durable position, later the one of the last write.
    /// `None` for a store that never had a batch.
    async fn position(&self) -> Result<Option<Position>, QueryError>;

    /// The position up to which a crash loses nothing: the log must keep what comes after.
    async fn durable_position(&self) -> Result<Option<Position>, QueryError>;

    /// Takes points and position together. What the store refuses for good is told in the answer, and is no error. Answers when they can be read; they are durable with [`TimeSeries::flush`] or when
    /// the store decides, and until then come from the log again.
    ///
    /// # Errors
    /// Nothing of the batch was taken; the same batch may be tried again if the error is transient.
    async fn write(&self, batch: WriteBatch) -> Result<Written, WriteError>;

    /// Makes everything that was written durable, with its position.
    async fn flush(&self) -> Result<(), WriteError>;

    /// History in windows or raw.
    async fn range(&self, query: &RangeQuery) -> Result<RangeData, QueryError>;

    /// The newest values of every field of the selected entities, at or before `at` if given.
    async fn state(
        &self,
        selection: &Selection,
        at: Option<Timestamp>,
    ) -> Result<StateData, QueryError>;

    /// Every field that the store has seen, with the type of its values.
    async fn field_types(&self) -> Result<Vec<(EntityType, FieldName, ValueType)>, QueryError>;

    /// What it holds, in numbers.
    async fn stats(&self) -> Result<Stats, QueryError>;

    /// Drops points observed before an instant; the newest value of every field stays known. Returns how many points went.
    /// Points that an adapter keeps together with later ones may stay until those are old too.
    async fn trim(&self, before: Timestamp) -> Result<u64, WriteError>;

    /// Drops everything of a source: its points, what was newest, its entities. The position stays. Answers when nothing of it
    /// can be read any more, nor is in a file of the store; making it again changes nothing.
    ///
    /// # Errors
    /// It was cut short; the same purge may be tried again if the error is transient.
    async fn purge(&self, source: &SourceName) -> Result<Purged, WriteError>;

    /// How many points there are of a source.
    async fn points_of(&self, source: &SourceName) -> Result<u64, QueryError>;

    /// Flushes and refuses more. Calling it twice is fine.
    async fn close(&self) -> Result<(), WriteError>;
}
