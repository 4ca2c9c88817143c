//! The embedded store: one SQLite file, `series.db`, with a row for each chunk of an entity's points.
//!
//! Points are collected in memory, where they can be read at once. All of them go to disk together with the log position
//! that they come from, in one transaction: when a chunk is full, when the oldest point in memory is 15 minutes old, when
//! there are too many, or when [`TimeSeries::flush`] asks. The event log is the write-ahead log of what is in memory: after
//! a crash it is read again from [`TimeSeries::position`]. On disk, chunks of one entity never overlap, small ones are
//! joined when enough of them have gathered, and a late point goes into the chunk that covers it.
//!
//! [`TimeSeries::trim`] removes whole chunks: points before the instant that share a chunk with later ones stay until all of
//! them are old.

mod check;
mod chunk;
mod codec;
mod error;
mod key;
mod load;
mod metrics;
mod options;
mod origin;
mod past;
mod place;
mod purge;
mod range;
mod read;
mod schema;
pub(crate) mod sink;
mod state;
mod values;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use async_trait::async_trait;
use schemas::{FieldName, Position, SourceName, Timestamp, catalog::ValueType, name::EntityType};
use tokio::sync::oneshot;

pub use check::Report;
pub use error::OpenError;
pub use metrics::Metrics;
pub use options::Options;

use crate::{
    Capabilities, Purged, QueryError, RangeData, RangeQuery, Selection, StateData, Stats,
    TimeSeries, WriteBatch, WriteError, Written,
};
use read::Readers;
use sink::Plan;
pub(crate) use sink::within;
use state::{Requests, State};
use writer::Shared;

/// A time-series store in one SQLite file.
///
/// Dropping it without [`TimeSeries::close`] leaves what is in memory to be read from the log again.
#[derive(Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    readers: Readers,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// The name of the file in a data directory.
    pub const FILE: &str = "series.db";

    /// Opens the file, or makes it. Reads and writes the disk: not to be called where nothing may block.
    ///
    /// # Errors
    /// The file is of another program, of a later version, damaged, or cannot be written.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let options = options.sane();
        let conn = schema::open(path, &options)?;
        let (shared, readers) = Self::share(&conn, path, options, false)?;
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("series-writer".to_owned())
            .spawn(move || writer::run(conn, &for_writer))
            .map_err(|cause| OpenError::Denied {
                path: path.to_owned(),
                purpose: "writing",
                cause: cause.to_string(),
            })?;
        Ok(Self {
            shared,
            readers,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Opens the file to read it, also while another process writes it. Every write is refused as closed.
    ///
    /// # Errors
    /// There is none, or it is of another program, of a later version, damaged, or cannot be read.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let options = Options::default().sane();
        let conn = schema::open_read_only(path, options.cache_kib)?;
        let (shared, readers) = Self::share(&conn, path, options, true)?;
        Ok(Self {
            shared,
            readers,
            writer: Mutex::new(None),
        })
    }

    fn share(
        conn: &rusqlite::Connection,
        path: &Path,
        options: Options,
        read_only: bool,
    ) -> Result<(Arc<Shared>, Readers), OpenError> {
        let purpose = if read_only { "reading" } else { "writing" };
        let stored = conn
            .unchecked_transaction()
            .map_err(error::Fault::from)
            .and_then(|tx| load::load(&tx))
            .map_err(|fault| OpenError::of_fault(fault, path.to_owned(), purpose))?;
        let shared = Arc::new(Shared::new(State::new(stored), path.to_owned(), options));
        let readers = Readers::new(Arc::clone(&shared), read_only);
        Ok((shared, readers))
    }

    /// Reads every chunk and compares it with what is said about it.
    ///
    /// # Errors
    /// The file cannot be read. What does not hold in it is in the report.
    pub async fn check(&self) -> Result<Report, QueryError> {
        self.readers
            .read(check::take, |conn, entities| check::read(conn, &entities))
            .await
    }

    async fn flush_now(&self) -> Result<(), WriteError> {
        self.ask(|requests, done| requests.flushes.push(done)).await
    }

    async fn ask<T>(
        &self,
        ask: impl FnOnce(&mut Requests, oneshot::Sender<Result<T, WriteError>>),
    ) -> Result<T, WriteError> {
        let (done, answer) = oneshot::channel();
        {
            // under one lock, so that nothing is asked of a writer that has stopped
            let mut state = self.shared.lock();
            if let Some(end) = &state.end {
                return Err(end.clone());
            }
            ask(&mut state.requests, done);
        }
        self.shared.wake();
        answer
            .await
            .unwrap_or_else(|_| Err(self.shared.lock().end.clone().unwrap_or(WriteError::Closed)))
    }

    fn is_read_only(&self) -> bool {
        self.writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    fn take_writer(&self) -> Option<JoinHandle<()>> {
        self.writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

#[async_trait]
impl TimeSeries for Embedded {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            unsigned: true,
            exact_positions: true,
            purges: true,
        }
    }

    async fn position(&self) -> Result<Option<Position>, QueryError> {
        let state = self.shared.lock();
        state.readable()?;
        Ok(state.position().cloned())
    }

    async fn durable_position(&self) -> Result<Option<Position>, QueryError> {
        let state = self.shared.lock();
        state.readable()?;
        Ok(state.durable().cloned())
    }

    async fn write(&self, batch: WriteBatch) -> Result<Written, WriteError> {
        if self.is_read_only() {
            return Err(WriteError::Closed);
        }
        loop {
            {
                let mut state = self.shared.lock();
                if let Some(end) = &state.end {
                    return Err(end.clone());
                }
                if !state.is_full(batch.points.len(), &self.shared.options) {
                    let due = state.apply(batch, &self.shared.shown, &self.shared.options)?;
                    drop(state);
                    if due {
                        self.shared.ask(|requests| requests.nudge = true);
                    }
                    return Ok(Written::default());
                }
            }
            self.flush_now().await?;
        }
    }

    async fn flush(&self) -> Result<(), WriteError> {
        if self.is_read_only() {
            return Err(WriteError::Closed);
        }
        self.flush_now().await
    }

    async fn range(&self, query: &RangeQuery) -> Result<RangeData, QueryError> {
        self.shared.lock().readable()?;
        let plan = Arc::new(Plan::new(query)?);
        let query = Arc::new(query.clone());
        let (for_take, asked) = (Arc::clone(&plan), Arc::clone(&query));
        self.readers
            .read(
                move |state| range::take(state, &asked, &for_take),
                move |conn, snapshot| range::read(conn, snapshot?, &query, &plan),
            )
            .await
    }

    async fn state(
        &self,
        selection: &Selection,
        at: Option<Timestamp>,
    ) -> Result<StateData, QueryError> {
        let Some(at) = at.map(Timestamp::as_millis) else {
            let state = self.shared.lock();
            state.readable()?;
            return Ok(past::now(&state, selection));
        };
        let selection = selection.clone();
        self.readers
            .read(
                move |state| past::take(state, &selection, at),
                move |conn, snapshot| past::read(conn, snapshot, at),
            )
            .await
    }

    async fn field_types(&self) -> Result<Vec<(EntityType, FieldName, ValueType)>, QueryError> {
        let state = self.shared.lock();
        state.readable()?;
        Ok(state
            .types()
            .iter()
            .map(|((entity_type, field), value)| (entity_type.clone(), field.clone(), *value))
            .collect())
    }

    async fn stats(&self) -> Result<Stats, QueryError> {
        let shared = Arc::clone(&self.shared);
        self.readers
            .read(
                move |state| {
                    let open = state.load();
                    Stats {
                        entities: state.len() as u64,
                        samples: state.disk.samples + open.samples as u64,
                        points: state.disk.points + open.points as u64,
                        open_points: open.points as u64,
                        bytes: 0,
                    }
                },
                move |_, stats| {
                    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
                    Ok(Stats {
                        bytes: size(&shared.path) + size(&schema::beside(&shared.path, "-wal")),
                        ..stats
                    })
                },
            )
            .await
    }

    async fn trim(&self, before: Timestamp) -> Result<u64, WriteError> {
        if self.is_read_only() {
            return Err(WriteError::Closed);
        }
        self.ask(|requests, done| requests.trims.push((before, done)))
            .await
    }

    async fn purge(&self, source: &SourceName) -> Result<Purged, WriteError> {
        if self.is_read_only() {
            return Err(WriteError::Closed);
        }
        self.ask(|requests, done| requests.purges.push((source.clone(), done)))
            .await
            .map(Purged::Points)
    }

    async fn points_of(&self, source: &SourceName) -> Result<u64, QueryError> {
        let source = source.clone();
        self.readers
            .read(
                move |state| purge::take(state, &source),
                |conn, held| purge::count(conn, &held),
            )
            .await
    }

    async fn close(&self) -> Result<(), WriteError> {
        let Some(writer) = self.take_writer() else {
            self.shared.lock().end.get_or_insert(WriteError::Closed);
            self.readers.close();
            return Ok(());
        };
        let flushed = self.flush_now().await;
        self.shared.lock().end.get_or_insert(WriteError::Closed);
        self.shared.ask(|requests| requests.stop = true);
        let path = self.shared.shown.clone();
        let joined = tokio::task::spawn_blocking(move || writer.join()).await;
        self.readers.close();
        flushed?;
        match joined {
            Ok(Ok(())) => Ok(()),
            _ => Err(WriteError::Failed {
                path,
                cause: "the writer panicked".to_owned(),
            }),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(writer) = self.take_writer() {
            self.shared.lock().end.get_or_insert(WriteError::Closed);
            self.shared.ask(|requests| requests.stop = true);
            // so that the file can be opened again at once; at most one transaction is waited for
            if writer.join().is_err() {
                tracing::error!(path = %self.shared.shown, "the writer of the time-series store panicked");
            }
        }
    }
}
