//! The HTTP API: history, live tails, events, identity, health, and the dashboard.
//!
//! Knows the ports of the log, the store and the control store, never an adapter.

mod error;

pub use error::ApiError;
