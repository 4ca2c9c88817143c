//! What the commands do, one file each.

pub(crate) mod backfill;
pub(crate) mod check;
pub(crate) mod dead_letters;
pub(crate) mod discover;
pub(crate) mod disk;
pub(crate) mod health;
pub(crate) mod migrate;
mod progress;
pub(crate) mod replay;
pub(crate) mod source;
mod state_file;
pub(crate) mod token;
pub(crate) mod topics;
pub(crate) mod user;
pub(crate) mod verify;
