//! Log → points: decode, validate, project, write with its position.
//!
//! What cannot be used goes to dead letters with its reason and its original bytes. Every decision depends only on the log
//! and on what the store already holds, so reading a part of the log again makes the same points.
//!
//! [`Ingest`] is the one worker of a log and a store with exact positions; [`FleetWorker`] is one of any number of workers
//! that share a log. [`rebuild`] fills an empty store from any log, [`retry()`] brings dead letters home.

mod batch;
mod fleet;
mod health;
mod known;
mod metrics;
mod patience;
mod project;
mod purge;
mod rebuild;
mod retry;
mod worker;

pub use fleet::{FleetOptions, FleetServices, FleetWorker};
pub use health::Health;
pub use known::KnownEntities;
pub use metrics::{IngestMetrics, MoveLabel, PartitionLabel, ReasonLabel};
pub use patience::Pace;
pub use project::{Limits, Projection, project};
pub use rebuild::{Progress, Rebuild, Rebuilt, rebuild};
pub use retry::{Retried, Retry, Target, retry};
pub use worker::{CONSUMER, Ingest, Services};
