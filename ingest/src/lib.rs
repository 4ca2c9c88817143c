//! Log → points: decode, validate, project, write with its position.
//!
//! What cannot be used goes to dead letters with its reason and its original bytes. Every decision depends only on the log
//! and on what the store already holds, so reading a part of the log again makes the same points.

mod known;
mod metrics;
mod project;
mod worker;

pub use known::KnownEntities;
pub use metrics::IngestMetrics;
pub use project::{Limits, Projection, project};
pub use worker::{CONSUMER, Ingest, Services};
