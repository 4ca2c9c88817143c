//! The handlers, one file for each thing that is asked for.

pub(crate) mod agents;
pub(crate) mod assets;
pub(crate) mod catalog;
pub(crate) mod docker;
pub(crate) mod docs;
pub(crate) mod entities;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod home_assistant;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod nas;
pub(crate) mod pihole;
pub(crate) mod proxmox;
pub(crate) mod purge;
pub(crate) mod push;
pub(crate) mod range;
pub(crate) mod realtime;
pub(crate) mod source;
pub(crate) mod sources;
