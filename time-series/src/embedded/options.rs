//! How a store behaves.

use std::time::Duration;

use super::Metrics;

/// So that a chunk stays within what a reader takes even if every point has all the fields it may have.
const MOST_CHUNK_POINTS: usize = 3840;

/// How an embedded store behaves. The default fits a homelab.
#[derive(Clone, Debug)]
pub struct Options {
    /// A chunk in memory with so many points makes everything be written to disk, at most once a minute.
    pub flush_points: usize,
    /// No point stays in memory alone for longer than this.
    pub flush_age: Duration,
    /// Most points in memory; beyond it a write waits for the disk.
    pub max_open_points: usize,
    /// Most bytes in memory, about; beyond it a write waits for the disk.
    pub max_open_bytes: usize,
    /// Small chunks on disk are joined to chunks of about so many points.
    pub chunk_points: usize,
    /// Most queries that read the disk at a time.
    pub readers: usize,
    /// Page cache of each connection, in KiB.
    pub cache_kib: u32,
    /// The file does not grow beyond this; then the store behaves as on a full disk.
    pub max_bytes: Option<u64>,
    /// Where the store counts what it does.
    pub metrics: Metrics,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flush_points: 240,
            flush_age: Duration::from_mins(15),
            max_open_points: 200_000,
            max_open_bytes: 8 * 1024 * 1024,
            chunk_points: 1920,
            readers: 2,
            cache_kib: 512,
            max_bytes: None,
            metrics: Metrics::default(),
        }
    }
}

impl Options {
    /// With every bound where the format can hold it.
    pub(super) fn sane(self) -> Self {
        Self {
            flush_points: self.flush_points.max(1),
            chunk_points: self.chunk_points.clamp(1, MOST_CHUNK_POINTS),
            readers: self.readers.max(1),
            ..self
        }
    }
}
