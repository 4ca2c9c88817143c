//! One lane: a queue, and one request in flight. Points of one entity always take the same lane, so they stay in order.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use schemas::FieldName;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tracing::warn;

use super::{
    Metrics, Options,
    batch::{Batch, Piece},
    error::Problem,
    schema::{self, Column},
    server::Server,
};
use crate::WriteError;

/// The first wait before a request is made again; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// When the process stops, a lane goes on while something comes this often.
const LINGER: Duration = Duration::from_millis(300);

/// Until when the server wants to be left alone; all lanes look here.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Option<Instant>>);

impl Gate {
    fn shut(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut gate = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *gate = Some(gate.map_or(until, |known| known.max(until)));
    }

    fn until(&self) -> Option<Instant> {
        let gate = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gate.filter(|until| *until > Instant::now())
    }
}

/// Makes requests again while that makes sense.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) server: Arc<Server>,
    pub(super) gate: Arc<Gate>,
    pub(super) patience: Duration,
    pub(super) metrics: Metrics,
    pub(super) closing: watch::Receiver<bool>,
}

impl Sender {
    /// Sends one body until it is taken, refused, or patience ends.
    pub(super) async fn send(
        &mut self,
        bucket: &str,
        body: Vec<u8>,
        gzipped: bool,
    ) -> Result<(), Problem> {
        let body = Bytes::from(body);
        let end = Instant::now() + self.patience;
        let mut wait = FIRST_WAIT;
        loop {
            if let Some(until) = self.gate.until() {
                self.pause(until, end, "it asks to be left alone").await?;
            }
            self.metrics.requests.inc();
            self.metrics.sent_bytes.inc_by(body.len() as u64);
            let begin = Instant::now();
            let sent = self.server.write(bucket, body.clone(), gzipped).await;
            self.metrics
                .request_seconds
                .observe(begin.elapsed().as_secs_f64());
            let Err(Problem::Transient { cause, retry_after }) = &sent else {
                return sent;
            };
            if let Some(wait) = retry_after {
                self.gate.shut(*wait);
            }
            let until = self.gate.until().unwrap_or_else(|| Instant::now() + wait);
            warn!(
                retry_in_ms = u64::try_from((until - Instant::now()).as_millis()).unwrap_or(0),
                error = cause,
                "the store does not take points now, will try again: {cause}"
            );
            self.pause(until, end, cause).await?;
            self.metrics.retries.inc();
            wait = (wait * 2).min(MAX_WAIT);
        }
    }

    /// Waits until an instant, if that is before the end of patience and the store stays open.
    async fn pause(&mut self, until: Instant, end: Instant, cause: &str) -> Result<(), Problem> {
        let told = || Problem::Transient {
            cause: cause.to_owned(),
            retry_after: Some(until.saturating_duration_since(Instant::now())),
        };
        if until > end || *self.closing.borrow() {
            return Err(told());
        }
        tokio::select! {
            () = sleep_until(until) => Ok(()),
            _ = self.closing.wait_for(|closing| *closing) => Err(told()),
        }
    }
}

/// A lane's task.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) queue: mpsc::Receiver<Piece>,
    pub(super) sender: Sender,
    pub(super) bucket: String,
    pub(super) max_points: usize,
    pub(super) max_bytes: usize,
    pub(super) age: Duration,
    pub(super) level: u32,
}

impl Lane {
    /// What the options say of a lane.
    pub(super) fn new(options: &Options, queue: mpsc::Receiver<Piece>, sender: Sender) -> Self {
        Self {
            queue,
            sender,
            bucket: options.bucket.clone(),
            max_points: options.batch_points,
            max_bytes: options.batch_bytes,
            age: options.batch_age,
            level: options.gzip_level,
        }
    }

    /// Works until nobody can give it points any more, or `stop` ends and nothing comes.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut stopping = false;
        let mut batch = Batch::new(self.level);
        loop {
            let first = if stopping {
                timeout(LINGER, self.queue.recv()).await.unwrap_or(None)
            } else {
                tokio::select! {
                    biased;
                    piece = self.queue.recv() => piece,
                    () = &mut stop => {
                        stopping = true;
                        continue;
                    }
                }
            };
            let Some(first) = first else { return };
            self.gather(first, &mut batch).await;
            let outcome;
            (batch, outcome) = self.deliver(batch).await;
            batch.answer(&outcome);
            if let Err(error) = outcome {
                // what waits behind must not overtake what is tried again
                while let Ok(piece) = self.queue.try_recv() {
                    drop(piece.done.send(Err(error.clone())));
                }
            }
        }
    }

    async fn gather(&mut self, first: Piece, batch: &mut Batch) {
        let end = Instant::now() + self.age;
        let mut urgent = first.urgent;
        batch.push(first);
        while batch.points() < self.max_points {
            let next = match self.queue.try_recv() {
                Ok(piece) => Some(piece),
                Err(_) if urgent => None,
                Err(_) => timeout_at(end, self.queue.recv()).await.unwrap_or(None),
            };
            let Some(piece) = next else { return };
            urgent |= piece.urgent;
            batch.push(piece);
        }
    }

    async fn deliver(&mut self, mut batch: Batch) -> (Batch, Result<(), WriteError>) {
        let (max_points, max_bytes) = (self.max_points, self.max_bytes);
        loop {
            let made = blocking(batch, move |batch| {
                let rows = 0..batch.encode(max_points, max_bytes);
                (batch.body(&rows), rows)
            })
            .await;
            let (body, rows);
            match made {
                Ok((returned, (packed, lines))) => (batch, body, rows) = (returned, packed, lines),
                Err(cause) => return (Batch::new(self.level), Err(self.failed(cause))),
            }
            if rows.is_empty() {
                return (batch, Ok(()));
            }
            let sent;
            (batch, sent) = self.send_all(batch, body, rows).await;
            if let Err(error) = sent {
                return (batch, Err(error));
            }
        }
    }

    fn failed(&self, cause: String) -> WriteError {
        WriteError::Failed {
            path: self.sender.server.name().to_owned(),
            cause,
        }
    }

    /// Sends some lines; when the server refuses a part of them, finds that part by halves. Lines stay in order, so that the
    /// later of two with one time stays the one that counts.
    async fn send_all(
        &mut self,
        mut batch: Batch,
        body: (Vec<u8>, bool),
        rows: Range<usize>,
    ) -> (Batch, Result<(), WriteError>) {
        let mut todo = vec![(rows, Some(body))];
        while let Some((rows, body)) = todo.pop() {
            let (body, gzipped) = match body {
                Some(body) => body,
                None => batch.body(&rows),
            };
            self.sender
                .metrics
                .line_bytes
                .inc_by(batch.len(&rows) as u64);
            let problem = match self.sender.send(&self.bucket, body, gzipped).await {
                Ok(()) => {
                    self.sender.metrics.points.inc_by(rows.len() as u64);
                    continue;
                }
                Err(problem) => problem,
            };
            let (why, partial) = match problem {
                Problem::Refused(why) => (why, true),
                Problem::TooLarge(why) => (why, false),
                other => {
                    let error = other.to_write(self.sender.server.name());
                    return (batch, Err(error));
                }
            };
            if partial && dropped_all(&why, rows.len()) {
                for row in rows {
                    batch.refuse(row, why.clone());
                }
            } else if rows.len() > 1 {
                self.sender.metrics.splits.inc();
                let middle = rows.start + rows.len() / 2;
                todo.push((middle..rows.end, None));
                todo.push((rows.start..middle, None));
            } else if let Err(error) = self.send_one(&mut batch, rows.start, why).await {
                return (batch, Err(error));
            }
        }
        (batch, Ok(()))
    }

    /// One line was refused: leaves out the fields that the server names, one by one, so that the others are kept.
    async fn send_one(
        &mut self,
        batch: &mut Batch,
        row: usize,
        mut why: String,
    ) -> Result<(), WriteError> {
        let mut without: Vec<FieldName> = Vec::new();
        loop {
            let named = conflicting(&why).filter(|field| {
                !without.contains(field)
                    && batch
                        .point(row)
                        .is_some_and(|point| point.fields.get(field.as_str()).is_some())
            });
            batch.refuse(row, why);
            let Some(field) = named else { return Ok(()) };
            without.push(field);
            let Some(body) = batch.without(row, &without) else {
                return Ok(());
            };
            match self.sender.send(&self.bucket, body, false).await {
                Ok(()) => {
                    self.sender.metrics.points.inc();
                    return Ok(());
                }
                Err(Problem::Refused(again) | Problem::TooLarge(again)) => why = again,
                Err(other) => return Err(other.to_write(self.sender.server.name())),
            }
        }
    }
}

/// Works on a batch where it may take a while.
async fn blocking<T: Send + 'static>(
    mut batch: Batch,
    work: impl FnOnce(&mut Batch) -> T + Send + 'static,
) -> Result<(Batch, T), String> {
    tokio::task::spawn_blocking(move || {
        let done = work(&mut batch);
        (batch, done)
    })
    .await
    .map_err(|e| format!("points could not be encoded: {e}"))
}

/// Whether the server dropped all of so many points because they are too old. Only then is one reason the reason of all.
fn dropped_all(why: &str, lines: usize) -> bool {
    // in the words of 2.7, and in those of earlier ones
    why.contains(&format!(
        "partial write: dropped {lines} points outside retention policy"
    )) || why.ends_with(&format!("points beyond retention policy dropped={lines}"))
}

/// The field that a conflict of types names: `input field "n" on measurement "disk" is type float, …`.
fn conflicting(why: &str) -> Option<FieldName> {
    if !why.contains("field type conflict") {
        return None;
    }
    let (_, rest) = why.split_once("input field \"")?;
    let (name, _) = rest.split_once("\" on measurement")?;
    match schema::column(name) {
        Column::Field(field) => Some(field),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_server_are_understood() {
        let conflict = "failure writing points to database: partial write: field type conflict: input field \"n\" on measurement \"disk\" is type float, already exists as type integer dropped=1";
        assert_eq!(conflicting(conflict), Some(FieldName::from("n")));
        let old = "failure writing points to database: partial write: points beyond retention policy dropped=12";
        assert_eq!(conflicting(old), None);
        assert!(dropped_all(old, 12));
        assert!(!dropped_all(old, 2));
        assert!(!dropped_all(old, 112));
        let old = "failure writing points to database: partial write: dropped 3 points outside retention policy of duration 26h0m0s - oldest point disk,id=d0 at 2026-10-16T18:39:42.458Z dropped because it violates a Retention Policy Lower Bound";
        assert!(dropped_all(old, 3));
        assert!(!dropped_all(old, 2));
        assert!(!dropped_all(conflict, 1));
    }
}
