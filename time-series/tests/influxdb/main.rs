//! The store on a real InfluxDB.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

mod against_memory;
mod conformance;
mod documented;
mod faults;
mod lanes;
mod place;
mod refusals;
mod scripted;
