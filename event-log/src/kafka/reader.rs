//! Reads from positions that the ring does not reach back to.
//!
//! A cursor is a consumer that stands somewhere in the log. A read that goes on where one stands takes it over, so that pages
//! that follow each other are fetched once.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    Message, config::FromClientConfigAndContext, consumer::Consumer, error::KafkaError,
    types::RDKafkaErrorCode as Code,
};
use schemas::{Position, codec::Decoder};
use tokio::sync::Semaphore;
use tracing::debug;

use super::{
    Inner,
    client::{self, Context},
    cluster::{Client, index, places, unsigned},
    error::{code, read, read_failed},
    record::body,
};
use crate::{Batch, ReadError, ReadQuery, Record};

/// Most reads at a time.
pub(super) const READS: usize = 4;
/// How much a cursor fetches ahead, in KiB.
const MEMORY: usize = 1024;
/// Most bytes that a cursor holds of partitions that are ahead of others.
const HELD: usize = 4 * 1024 * 1024;
/// A cursor that is not used for so long goes.
const IDLE: Duration = Duration::from_secs(20);
/// How long nothing may come though there is something.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most records that one read looks at, so that it answers in time.
const LOOK: usize = 50_000;

/// A message that was fetched.
struct Fetched {
    offset: u64,
    logged: schemas::Timestamp,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Part {
    /// Offset after what was fetched.
    fetched: u64,
    waiting: VecDeque<Fetched>,
}

struct Cursor {
    consumer: Client,
    /// Where it stands.
    at: Position,
    parts: Vec<Part>,
    decoder: Decoder,
    held: usize,
    used: Instant,
}

/// The cursors that nobody uses now.
pub(super) struct Readers {
    idle: Mutex<Vec<Cursor>>,
    pub(super) room: Semaphore,
}

impl Default for Readers {
    fn default() -> Self {
        Self {
            idle: Mutex::default(),
            room: Semaphore::new(READS),
        }
    }
}

impl Readers {
    /// Ends cursors that are not used any more. Blocks.
    pub(super) fn tidy(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.iter().all(|cursor| cursor.used.elapsed() < IDLE) {
            return;
        }
        let (kept, gone): (Vec<_>, Vec<_>) = idle
            .drain(..)
            .partition(|cursor| cursor.used.elapsed() < IDLE);
        *idle = kept;
        drop(idle);
        drop(gone);
    }

    /// Ends all cursors. Blocks.
    pub(super) fn end(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = std::mem::take(&mut *idle);
        drop(idle);
        drop(gone);
    }

    /// Reads from a position up to another, which must be known here. Blocks.
    pub(super) fn read(
        &self,
        inner: &Inner,
        from: &Position,
        target: &Position,
        query: &ReadQuery,
    ) -> Result<Batch, ReadError> {
        let failed = |e: &KafkaError| read(inner.cluster.brokers(), "reading", e);
        let found = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let at = idle.iter().position(|cursor| cursor.at == *from);
            match at {
                Some(at) => Some(idle.swap_remove(at)),
                // another is moved, once there are many
                None if idle.len() >= READS => {
                    let oldest = (0..).zip(&*idle).min_by_key(|(_, cursor)| cursor.used);
                    oldest.map(|(at, _)| at).map(|at| idle.swap_remove(at))
                }
                None => None,
            }
        };
        let mut cursor = match found {
            Some(cursor) => cursor,
            None => Cursor::open(inner).map_err(|e| failed(&e))?,
        };
        if cursor.at != *from || cursor.parts.is_empty() {
            cursor.go(inner, from).map_err(|e| failed(&e))?;
        }
        let batch = cursor.read(inner, target, query)?;
        cursor.used = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(cursor);
        Ok(batch)
    }
}

impl Cursor {
    fn open(inner: &Inner) -> Result<Self, KafkaError> {
        let mut config = client::consumer(&inner.cluster.options, MEMORY);
        config.set("fetch.wait.max.ms", "20");
        Ok(Self {
            consumer: Client::from_config_and_context(&config, Context::default())?,
            at: Position::start(1),
            parts: Vec::new(),
            decoder: Decoder::new(),
            held: 0,
            used: Instant::now(),
        })
    }

    fn go(&mut self, inner: &Inner, from: &Position) -> Result<(), KafkaError> {
        let offsets = from.offsets().iter().copied();
        let parts = offsets.clone().map(|fetched| Part {
            fetched,
            waiting: VecDeque::new(),
        });
        self.parts = parts.collect();
        self.held = 0;
        self.consumer
            .assign(&places(&inner.topic, (0..).zip(offsets))?)?;
        self.at = from.clone();
        Ok(())
    }

    fn read(
        &mut self,
        inner: &Inner,
        target: &Position,
        query: &ReadQuery,
    ) -> Result<Batch, ReadError> {
        let mut records = Vec::new();
        let mut looked = 0;
        while records.len() < query.limit && looked < LOOK {
            if !self.fill(inner, target)? {
                break;
            }
            let Some((partition, fetched)) = self.pop(target) else {
                self.pass(target);
                break;
            };
            looked += 1;
            self.at.advance(partition, fetched.offset);
            let is_echo = {
                let view = inner.view();
                let ledger = view.ledgers.get(partition);
                ledger.is_some_and(|ledger| ledger.echoes.contains(fetched.offset))
            };
            if is_echo {
                continue;
            }
            let record = Record {
                partition,
                offset: fetched.offset,
                logged: fetched.logged,
                body: body(&mut self.decoder, &fetched.bytes),
            };
            if record.event().is_none_or(|event| query.filter.wants(event)) {
                records.push(record);
            }
        }
        if self.has_all(target) {
            self.pass(target);
        }
        Ok(Batch {
            records,
            purged: 0,
            at_end: self.at.reaches(target),
            next: self.at.clone(),
        })
    }

    /// Whether nothing before a position is left.
    fn has_all(&self, target: &Position) -> bool {
        (0..).zip(&self.parts).all(|(partition, part)| {
            let end = target.offset(partition);
            part.fetched >= end && part.waiting.front().is_none_or(|f| f.offset >= end)
        })
    }

    /// Moves to a position that all was read before.
    fn pass(&mut self, target: &Position) {
        for partition in 0..self.parts.len() {
            if let Some(last) = target.offset(partition).checked_sub(1) {
                self.at.advance(partition, last);
            }
        }
    }

    /// Takes the next record before a position: between partitions, the one that was logged first.
    fn pop(&mut self, target: &Position) -> Option<(usize, Fetched)> {
        let (_, partition) = (0..)
            .zip(&self.parts)
            .filter_map(|(partition, part)| {
                let first = part.waiting.front()?;
                (first.offset < target.offset(partition)).then_some((first.logged, partition))
            })
            .min()?;
        let fetched = self.parts.get_mut(partition)?.waiting.pop_front()?;
        self.held -= fetched.bytes.len();
        Some((partition, fetched))
    }

    /// Fetches until each partition that has something before a position has something here. Returns whether it could.
    fn fill(&mut self, inner: &Inner, target: &Position) -> Result<bool, ReadError> {
        let mut heard = Instant::now();
        loop {
            let lacks = (0..).zip(&self.parts).any(|(partition, part)| {
                part.waiting.is_empty() && part.fetched < target.offset(partition)
            });
            if !lacks || (self.held > HELD && self.parts.iter().any(|p| !p.waiting.is_empty())) {
                return Ok(true);
            }
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let partition = index(message.partition());
                    let Some(part) = self.parts.get_mut(partition) else {
                        continue;
                    };
                    let bytes = message.payload().unwrap_or_default().to_vec();
                    let offset = unsigned(message.offset());
                    self.held += bytes.len();
                    part.fetched = offset + 1;
                    part.waiting.push_back(Fetched {
                        offset,
                        logged: super::record::logged(&message),
                        bytes,
                    });
                }
                Some(Err(e)) => match code(&e) {
                    Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation => {
                        return Err(inner.gone());
                    }
                    _ => debug!(error = %e, "reading the event log"),
                },
                None => {}
            }
            if inner.stop.is_cancelled() {
                return Err(ReadError::Closed);
            }
            if heard.elapsed() > PATIENCE {
                let cause = format!("what is there did not come within {PATIENCE:?}");
                return Err(read_failed(inner.cluster.brokers(), cause));
            }
        }
    }
}
