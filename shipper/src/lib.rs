//! Ships what an agent has spooled to where events belong: a hub, or a log such as Kafka.
//!
//! The spool is the agent's own embedded log; the [`Shipper`] is one of its consumers. Laws:
//! - an event leaves the spool only after the destination has acknowledged it, and then stays for another day, so that a
//!   destination that lost its tail in a power cut gets it again;
//! - events of one source arrive in their order; a source with a long backlog does not hold up the others;
//! - hours without the destination are a delay; a spool that overflows declares what it drops, as an event;
//! - what the destination refuses for good goes to the spool's dead letters with its words;
//! - memory is bounded, whatever the backlog.

#![forbid(unsafe_code)]

mod backoff;
mod bury;
mod declare;
mod flight;
mod keeper;
mod known;
mod metrics;
mod mood;
mod options;
mod queue;
mod ranges;
mod reconcile;
mod shipper;
mod status;
mod window;

pub use metrics::Metrics;
pub use options::{Options, Services};
pub use shipper::Shipper;
pub use status::{State, Status};
