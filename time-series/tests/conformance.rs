//! The laws of the port on both adapters.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use async_trait::async_trait;
use time_series::{
    Embedded, Memory, PartitionedStore, TimeSeries,
    conformance::{Harness, PartitionedHarness},
    embedded::Options,
};

struct InMemory;

#[async_trait]
impl Harness for InMemory {
    async fn open(&self) -> Arc<dyn TimeSeries> {
        Arc::new(Memory::new())
    }

    fn keeps(&self) -> bool {
        false
    }
}

#[async_trait]
impl PartitionedHarness for InMemory {
    async fn open(&self) -> Arc<dyn PartitionedStore> {
        Arc::new(Memory::new())
    }

    fn keeps(&self) -> bool {
        false
    }
}

struct OnDisk {
    dir: tempfile::TempDir,
    options: Options,
}

impl OnDisk {
    fn new(options: Options) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            options,
        }
    }

    /// So small that a few points are flushed, joined and split.
    fn small() -> Self {
        Self::new(Options {
            flush_points: 4,
            chunk_points: 16,
            max_open_points: 40,
            readers: 1,
            ..Options::default()
        })
    }
}

#[async_trait]
impl Harness for OnDisk {
    async fn open(&self) -> Arc<dyn TimeSeries> {
        let path = self.dir.path().join(Embedded::FILE);
        Arc::new(Embedded::open(path, self.options.clone()).unwrap())
    }

    fn keeps(&self) -> bool {
        true
    }
}

mod memory {
    use super::InMemory;
    time_series::conformance!(InMemory);
    time_series::partitioned_conformance!(InMemory);
}

mod embedded {
    use super::{OnDisk, Options};
    time_series::conformance!(OnDisk::new(Options::default()));
}

mod embedded_with_small_chunks {
    use super::OnDisk;
    time_series::conformance!(OnDisk::small());
}
