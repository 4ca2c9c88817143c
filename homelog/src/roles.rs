//! What a process does: everything, or one part of it. A role composes parts; which adapters they work on is chosen in
//! [`crate::adapters`].

mod admin;
pub(crate) mod api;
pub(crate) mod collect;
mod collecting;
mod fits;
mod greeting;
pub(crate) mod ingest;
mod ingesting;
mod monitor;
mod port;
mod reloading;
mod retention;
mod run;
mod serving;
mod shipping;
mod signals;
pub(crate) mod simulate;
pub(crate) mod up;

pub(crate) use collecting::{Host, sources};
pub(crate) use fits::fitting;
pub(crate) use serving::{scheme, tls};
pub(crate) use signals::Signals;
