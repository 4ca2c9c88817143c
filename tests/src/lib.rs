//! What the black-box tests share: the real binary with its own data, a load, and an oracle.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value that is not there is null"
)]

pub mod agent;
pub mod client;
pub mod files;
pub mod home;
pub mod lab;
pub mod load;
pub mod mock;
pub mod nginx;
pub mod probe;
pub mod role;
pub mod simulator;
pub mod sse;
pub mod through_api;
pub mod traefik;
pub mod yaml;

use std::path::{Path, PathBuf};

/// The top directory of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}
