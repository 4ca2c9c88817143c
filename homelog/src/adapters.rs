//! The one place where adapters are chosen: what the configuration names becomes ports.

pub(crate) mod control;
pub(crate) mod destination;
pub(crate) mod log;
pub(crate) mod store;
mod tls;
mod waiting;

pub(crate) use waiting::Patience;
