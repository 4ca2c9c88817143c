use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use schemas::{Event, Position, Timestamp};
use tokio::sync::watch;

use super::{metrics::Metrics, ring::Ring};
use crate::{AppendError, Batch, ReadError, ReadQuery};

/// Whether the log takes events.
#[derive(Clone, Debug)]
pub(super) enum Status {
    Open,
    /// It never takes events.
    ReadOnly,
    Closed,
    Broken(String),
}

/// What is durable, as far as it is kept in memory.
#[derive(Debug)]
pub(super) struct View {
    oldest: u64,
    newest: u64,
    ring: Ring,
}

/// What the writer and the readers have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) metrics: Metrics,
    status: Mutex<Status>,
    view: Mutex<View>,
    newest: watch::Sender<Position>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // every change under these locks is complete before anything that could panic
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn position(next: u64) -> Position {
    Position::from_offsets(vec![next])
}

impl Shared {
    pub(super) fn new(path: PathBuf, metrics: Metrics, oldest: u64, newest: u64) -> Self {
        Self {
            path,
            metrics,
            status: Mutex::new(Status::Open),
            view: Mutex::new(View {
                oldest,
                newest,
                ring: Ring::new(newest),
            }),
            newest: watch::Sender::new(position(newest)),
        }
    }

    pub(super) fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    /// Moves on; what is broken stays broken until it is closed.
    pub(super) fn set_status(&self, next: Status) {
        let mut status = lock(&self.status);
        match (&*status, &next) {
            (Status::Closed, _) | (Status::Broken(_), Status::ReadOnly | Status::Broken(_)) => {}
            _ => *status = next,
        }
    }

    pub(super) fn broken(&self, cause: String) -> AppendError {
        AppendError::Broken {
            path: self.path.display().to_string(),
            cause,
        }
    }

    /// Why nothing can be appended, if so.
    pub(super) fn append_fault(&self) -> Option<AppendError> {
        match self.status() {
            Status::Open => None,
            Status::ReadOnly | Status::Closed => Some(AppendError::Closed),
            Status::Broken(cause) => Some(self.broken(cause)),
        }
    }

    pub(super) fn read_failed(&self, cause: &impl ToString) -> ReadError {
        ReadError::Failed {
            path: self.path.display().to_string(),
            cause: cause.to_string(),
            passes: false,
        }
    }

    pub(super) fn gone(oldest: u64, newest: u64) -> ReadError {
        ReadError::PositionGone {
            oldest: position(oldest),
            newest: position(newest),
        }
    }

    pub(super) fn follow(&self) -> watch::Receiver<Position> {
        self.newest.subscribe()
    }

    /// Shows events that have become durable, with the length of each as JSON.
    pub(super) fn publish(&self, logged: Timestamp, events: Vec<(Arc<Event>, usize)>) {
        let newest = {
            let mut view = lock(&self.view);
            view.newest += events.len() as u64;
            for (event, encoded) in events {
                view.ring.push(logged, event, encoded);
            }
            view.newest
        };
        self.newest.send_replace(position(newest));
    }

    /// Hides what was trimmed.
    pub(super) fn trimmed(&self, oldest: u64) {
        let mut view = lock(&self.view);
        view.oldest = oldest;
        view.ring.trim(oldest);
    }

    /// Forgets what is in memory, of which something was purged: it is read from the file again.
    pub(super) fn purged(&self) {
        let mut view = lock(&self.view);
        view.ring = Ring::new(view.newest);
    }

    /// Reads from memory, if everything from there on is in it.
    pub(super) fn read_recent(
        &self,
        from: u64,
        query: &ReadQuery,
    ) -> Option<Result<Batch, ReadError>> {
        let view = lock(&self.view);
        if from < view.oldest || from > view.newest {
            return Some(Err(Self::gone(view.oldest, view.newest)));
        }
        if !view.ring.holds(from) {
            return None;
        }
        let (records, next) = view.ring.read(from, &query.filter, query.limit);
        Some(Ok(Batch {
            records,
            purged: 0,
            at_end: next >= view.newest,
            next: position(next),
        }))
    }
}
