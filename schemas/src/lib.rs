//! The vocabulary of Homelog: what an event is, how it is named, how it is written down.
//!
//! No I/O happens here. Every other room depends on this one and this one on none of them.
//!
//! - [`event`]: the immutable observation and its parts
//! - [`name`]: validated names of sources, entities and fields
//! - [`position`]: an opaque place in the log
//! - [`catalog`]: unit, kind and type of every metric
//! - [`codec`]: the versioned JSON form in the log
//! - [`dropped`]: events that declare what will never come
//! - [`purge`]: events that declare what came before them to be gone
//! - [`line_protocol`]: InfluxDB's form of points, written and read
//! - [`time`]: instants, durations and how people write them
//! - [`api`]: the shapes of the HTTP API

pub mod api;
pub mod catalog;
pub mod codec;
pub mod dropped;
pub mod event;
pub mod export;
pub mod fields;
pub mod limits;
pub mod line_protocol;
pub mod name;
pub mod position;
pub mod purge;
pub mod time;

pub use catalog::{Catalog, MetricDef};
pub use dropped::Dropped;
pub use event::{Draft, Entity, EntityKey, Event, EventId, EventType, Identity, Labels};
pub use fields::{FieldValue, Fields};
pub use name::{Epoch, FieldName, SourceName};
pub use position::Position;
pub use purge::Purge;
pub use time::Timestamp;
