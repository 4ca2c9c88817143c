//! Mock services: a simulated home that answers as Synology, QNAP, Proxmox VE, Pi-hole, Home Assistant, Docker and others
//! do, with real sessions, real refusals, and on demand with what goes wrong.
//!
//! `world` says what is, as a pure function of seed and time. `service` says how each service tells it. `server` serves that,
//! bounded, with the faults of [`FaultKind`]. Nothing here knows how Homelog reads a service: both come from what the services
//! themselves say.

#![expect(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "answers are put together piece by piece, and few a second"
)]

mod backfill;
mod call;
mod described;
mod fault;
mod number;
mod nut;
mod reply;
mod server;
mod service;
mod session;
mod simulation;
mod tls;
mod world;

pub use backfill::Past;
pub use described::Described;
pub use fault::{FaultKind, FaultRate};
pub use simulation::{Options, local_offset_seconds, start};
