//! How far each partition of the log is in the store: one point a partition, at one fixed time, in the bucket that keeps for
//! ever. Written after the points are there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use schemas::{Position, Timestamp, line_protocol::Encoder};
use tokio::sync::{Mutex as Queue, oneshot};

use super::{
    answer::{ask, integer},
    influxql,
    lane::Sender,
    schema::{NEXT, PARTITION, POSITIONS},
    server::Server,
};
use crate::{QueryError, WriteError};

/// A log has no more partitions than this.
const MAX_PARTITIONS: usize = 100_000;

/// What is known of one partition.
#[derive(Debug, Default)]
struct Part {
    /// What the store remembers; none until it was asked.
    stored: Option<u64>,
    /// Goes up when a write of it failed, so that those that were called later fail too.
    generation: u64,
    /// Resolves when the points of the write that was called last are there, or it has ended.
    last: Option<oneshot::Receiver<()>>,
    /// The offset before which all points are there.
    reached: u64,
    /// Held while the position is written: whoever waits for it is mostly found to be covered.
    writes: Arc<Queue<()>>,
    /// Goes up when the position could not be written, so that those that waited for it fail too.
    unwritten: u64,
}

/// What is known of all.
#[derive(Debug, Default)]
pub(super) struct Positions(Mutex<BTreeMap<usize, Part>>);

/// The place of a write among those of its partition. When it is dropped unfinished, those behind it fail.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    positions: &'a Positions,
    partition: usize,
    generation: u64,
    before: Option<oneshot::Receiver<()>>,
    finished: bool,
    done: Option<oneshot::Sender<()>>,
}

impl Turn<'_> {
    /// Its points are there: waits until those of all that were called before are there too. False if one of them failed.
    pub(super) async fn come(&mut self, next: u64) -> bool {
        if let Some(before) = self.before.take() {
            // whether it ended well is told by the generation
            before.await.unwrap_or_default();
        }
        let mut parts = self.positions.lock();
        let part = parts.entry(self.partition).or_default();
        if part.generation != self.generation {
            return false;
        }
        part.reached = next;
        drop(self.done.take());
        true
    }

    /// Writes down how far the points have come, this far at least; one request for all that wait.
    pub(super) async fn commit(
        mut self,
        sender: &mut Sender,
        bucket: &str,
        next: u64,
    ) -> Result<(), WriteError> {
        let (writes, unwritten) = {
            let mut parts = self.positions.lock();
            let part = parts.entry(self.partition).or_default();
            (Arc::clone(&part.writes), part.unwritten)
        };
        let _one = writes.lock().await;
        let (stored, reached, failed) = {
            let mut parts = self.positions.lock();
            let part = parts.entry(self.partition).or_default();
            (part.stored, part.reached, part.unwritten != unwritten)
        };
        if stored.is_none_or(|stored| stored < next) {
            if failed {
                return Err(WriteError::Unavailable {
                    server: sender.server.name().to_owned(),
                    cause: "how far the partition is could not be written".to_owned(),
                    retry_after: None,
                });
            }
            let reached = reached.max(next);
            let written = self
                .positions
                .write(sender, bucket, &[(self.partition, reached)])
                .await;
            if written.is_err() {
                let mut parts = self.positions.lock();
                parts.entry(self.partition).or_default().unwritten += 1;
            }
            written?;
        }
        self.finished = true;
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let mut parts = self.positions.lock();
        let part = parts.entry(self.partition).or_default();
        if part.generation == self.generation {
            part.generation += 1;
        }
    }
}

impl Positions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place behind the writes of the same partition that were called before.
    pub(super) fn queue(&self, partition: usize) -> Turn<'_> {
        let (done, ended) = oneshot::channel();
        let mut parts = self.lock();
        let part = parts.entry(partition).or_default();
        let generation = part.generation;
        let before = part.last.replace(ended);
        drop(parts);
        Turn {
            positions: self,
            partition,
            generation,
            before,
            finished: false,
            done: Some(done),
        }
    }

    /// Asks the store; what it says is remembered.
    pub(super) async fn read(
        &self,
        server: &Server,
        bucket: &str,
    ) -> Result<BTreeMap<usize, u64>, QueryError> {
        let statement = format!(
            "SELECT {} FROM {} GROUP BY {}::tag",
            influxql::identifier(NEXT),
            influxql::identifier(POSITIONS),
            influxql::identifier(PARTITION),
        );
        let mut found = BTreeMap::new();
        ask(server, bucket, &statement, 2, |_, table| {
            let partition = table.tags.get(PARTITION).and_then(|text| text.parse().ok());
            let row = table.values.last().map(Vec::as_slice).unwrap_or_default();
            let next = integer(row, 1).and_then(|next| u64::try_from(next).ok());
            if let (Some(partition), Some(next)) = (partition, next)
                && partition < MAX_PARTITIONS
            {
                found.insert(partition, next);
            }
            Ok(())
        })
        .await?;
        let mut parts = self.lock();
        for part in parts.values_mut() {
            part.stored = None;
        }
        for (&partition, &next) in &found {
            parts.entry(partition).or_default().stored = Some(next);
        }
        Ok(found)
    }

    /// Whether a partition is further in the store already; none if that is not known.
    pub(super) fn stored(&self, partition: usize) -> Option<u64> {
        self.lock().get(&partition)?.stored
    }

    /// Partitions that the store has and a log of so many has not.
    pub(super) fn beyond(&self, partitions: usize) -> Vec<usize> {
        self.lock()
            .range(partitions..)
            .filter(|(_, part)| part.stored.is_some())
            .map(|(partition, _)| *partition)
            .collect()
    }

    /// Writes positions, whatever the store remembers.
    pub(super) async fn write(
        &self,
        sender: &mut Sender,
        bucket: &str,
        next: &[(usize, u64)],
    ) -> Result<(), WriteError> {
        let failed = |server: &Server, cause: String| WriteError::Failed {
            path: server.name().to_owned(),
            cause,
        };
        let mut lines = Encoder::new();
        for &(partition, next) in next {
            let Some(next) = i64::try_from(next)
                .ok()
                .filter(|_| partition < MAX_PARTITIONS)
            else {
                let cause = format!("partition {partition} with offset {next} is none of a log");
                return Err(failed(&sender.server, cause));
            };
            lines.begin(POSITIONS);
            lines.tag(PARTITION, &partition.to_string());
            lines.integer(NEXT, next);
            lines
                .end(Some(0))
                .map_err(|e| failed(&sender.server, e.to_string()))?;
        }
        let server = sender.server.clone();
        sender
            .send(bucket, lines.into_buffer(), false)
            .await
            .map_err(|problem| problem.to_write(server.name()))?;
        let mut parts = self.lock();
        for &(partition, next) in next {
            parts.entry(partition).or_default().stored = Some(next);
        }
        Ok(())
    }

    /// Forgets partitions that the log has no more.
    pub(super) async fn forget(
        &self,
        server: &Server,
        bucket: &str,
        partitions: &[usize],
    ) -> Result<(), WriteError> {
        for partition in partitions {
            let predicate = format!("_measurement=\"{POSITIONS}\" AND {PARTITION}=\"{partition}\"");
            let from = Timestamp::from_millis(0);
            server
                .delete(bucket, from, from, &predicate)
                .await
                .map_err(|problem| problem.to_write(server.name()))?;
            self.lock().remove(partition);
        }
        Ok(())
    }
}

/// The position that partitions make up; none without any.
pub(super) fn whole(partitions: &BTreeMap<usize, u64>) -> Option<Position> {
    let last = *partitions.last_key_value()?.0;
    let next = |partition| partitions.get(&partition).copied().unwrap_or(0);
    Some(Position::from_offsets((0..=last).map(next).collect()))
}
