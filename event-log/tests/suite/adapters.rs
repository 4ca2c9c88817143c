//! The laws of the port on each adapter.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use event_log::{
    Embedded, EventLog, Fleet, Memory,
    conformance::{Fixture, FleetFixture},
    embedded::Options,
};
use schemas::SourceName;
use tempfile::TempDir;

/// A data directory of its own.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("log.db")
    }
}

#[async_trait]
impl Fixture for Directory {
    async fn open(&mut self) -> Arc<dyn EventLog> {
        Arc::new(Embedded::open(self.0.path(), Options::default()).unwrap())
    }

    async fn put_bytes(&mut self, _source: &SourceName, bytes: &[u8]) {
        let mut line = b"1700000000000\t".to_vec();
        line.extend_from_slice(bytes);
        line.push(b'\n');
        let body = zstd::bulk::compress(&line, 3).unwrap();
        let file = rusqlite::Connection::open(self.file()).unwrap();
        file.execute(
            "INSERT INTO blocks SELECT next_offset, 1, last_logged, last_logged, 0, 0, ?1 FROM meta",
            [body],
        )
        .unwrap();
        file.execute("UPDATE meta SET next_offset = next_offset + 1", [])
            .unwrap();
    }
}

/// A log in memory that can be opened again.
struct Kept(Memory);

#[async_trait]
impl Fixture for Kept {
    async fn open(&mut self) -> Arc<dyn EventLog> {
        Arc::new(self.0.reopen())
    }

    async fn put_bytes(&mut self, source: &SourceName, bytes: &[u8]) {
        self.0.append_bytes(source, bytes);
    }
}

#[async_trait]
impl FleetFixture for Kept {
    async fn open(&mut self) -> (Arc<dyn EventLog>, Arc<dyn Fleet>) {
        (Arc::new(self.0.reopen()), Arc::new(self.0.reopen()))
    }

    async fn lose(&mut self, partition: usize, before: u64) {
        self.0.lose(partition, before);
    }
}

event_log::conformance!(embedded, Directory::new());
event_log::conformance!(memory, Kept(Memory::new(1)));
event_log::conformance!(memory_of_three, Kept(Memory::new(3)));
event_log::fleet_conformance!(memory_fleet_of_three, Kept(Memory::new(3)));
