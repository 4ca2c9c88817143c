//! What the commands do, one file each.

pub(crate) mod check;
pub(crate) mod disk;
pub(crate) mod health;
mod progress;
pub(crate) mod replay;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod verify;
