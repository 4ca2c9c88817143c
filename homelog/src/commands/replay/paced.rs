//! A log that is read at a pace: records come when they are due. Nothing can be written to it.

use std::sync::Arc;

use async_trait::async_trait;
use event_log::{
    AppendError, Appended, Batch, Body, Bounds, Capabilities, DeadLetter, EventLog, LetterId,
    Purged, ReadError, ReadQuery, Retention, SequenceState, Urgency,
};
use schemas::{Draft, Position, SourceName, Timestamp};
use tokio::sync::{Mutex, watch};

use super::pace::Pace;
use crate::cli::Speed;

/// A log and the pace at which it is read.
pub(super) struct Paced {
    log: Arc<dyn EventLog>,
    pace: Mutex<Pace>,
}

impl Paced {
    /// Reads a log at that speed.
    pub(super) fn new(log: Arc<dyn EventLog>, speed: Speed) -> Self {
        Self {
            log,
            pace: Mutex::new(Pace::new(speed)),
        }
    }

    /// Keeps what is due; of a batch that begins later, waits for its first record.
    async fn hold(&self, from: &Position, mut batch: Batch) -> Batch {
        // only the one who reads uses the pace
        let mut pace = self.pace.lock().await;
        let mut next = from.clone();
        let mut due = 0;
        for record in &batch.records {
            if let Body::Event(event) = &record.body
                && let Some(wait) = pace.wait(event.time)
            {
                if due > 0 {
                    break;
                }
                tokio::time::sleep_until(wait).await;
            }
            due += 1;
            next.advance(record.partition, record.offset);
        }
        if due < batch.records.len() {
            batch.records.truncate(due);
            batch.next = next;
            batch.at_end = false;
        }
        batch
    }
}

const fn read_only() -> AppendError {
    AppendError::Closed
}

#[async_trait]
impl EventLog for Paced {
    fn capabilities(&self) -> Capabilities {
        self.log.capabilities()
    }

    async fn append(&self, _: Vec<Draft>, _: Urgency) -> Result<Appended, AppendError> {
        Err(read_only())
    }

    async fn read(&self, from: &Position, query: &ReadQuery) -> Result<Batch, ReadError> {
        let batch = self.log.read(from, query).await?;
        Ok(self.hold(from, batch).await)
    }

    async fn seek(&self, logged: Timestamp) -> Result<Position, ReadError> {
        self.log.seek(logged).await
    }

    async fn bounds(&self) -> Result<Bounds, ReadError> {
        self.log.bounds().await
    }

    fn newest(&self) -> watch::Receiver<Position> {
        self.log.newest()
    }

    async fn consumer_position(&self, consumer: &str) -> Result<Option<Position>, ReadError> {
        self.log.consumer_position(consumer).await
    }

    async fn set_consumer_position(&self, _: &str, _: &Position) -> Result<(), AppendError> {
        Err(read_only())
    }

    async fn trim(&self, _: &Retention) -> Result<u64, AppendError> {
        Err(read_only())
    }

    async fn purge(&self, _: &SourceName, _: &Position) -> Result<Purged, AppendError> {
        Err(read_only())
    }

    async fn sequences(&self) -> Result<Vec<SequenceState>, ReadError> {
        self.log.sequences().await
    }

    async fn put_dead_letters(&self, _: Vec<DeadLetter>) -> Result<(), AppendError> {
        Err(read_only())
    }

    async fn resolve_dead_letters(&self, _: Vec<LetterId>) -> Result<(), AppendError> {
        Err(read_only())
    }

    async fn dead_letters(&self, skip: u64, limit: usize) -> Result<Vec<DeadLetter>, ReadError> {
        self.log.dead_letters(skip, limit).await
    }

    async fn dead_letter_count(&self) -> Result<u64, ReadError> {
        self.log.dead_letter_count().await
    }

    async fn close(&self) -> Result<(), AppendError> {
        Ok(())
    }
}
