//! The HTTP API: history, live tails, events, identity, health, and the dashboard.
//!
//! Knows the ports of the log, the store and the control store, never an adapter.

mod accept;
mod app;
mod auth;
mod convert;
mod csv;
mod error;
mod family;
mod group;
mod guard;
mod health;
mod influxdb;
mod intake;
mod items;
mod metrics;
mod monitor;
mod options;
mod owners;
mod params;
mod probe;
pub mod purge;
mod rate;
mod request;
mod router;
mod routes;
mod selection;
mod server;
mod socket;
mod source_info;
mod source_status;
mod streams;
mod tail;
mod tls;
mod view;
mod window;

pub(crate) use app::App;
pub use app::Services;
pub use auth::{Auth, AuthOptions, Caller, PresentedTicket};
pub use convert::api_event;
pub use error::ApiError;
pub use monitor::Monitor;
pub use options::ApiOptions;
pub use probe::Probe;
pub use router::openapi;
pub use server::{Listeners, serve};
pub use source_status::removal;
pub use tls::{InvalidTls, ServerTls};
