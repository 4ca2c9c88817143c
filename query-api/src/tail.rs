//! A reader that follows the log: what is durable, each event once, in order, from where it was told to begin.

use std::sync::Arc;

use event_log::{EventLog, Filter, ReadError, ReadQuery};
use schemas::{Event, Position, Timestamp};
use tokio::sync::watch;

use crate::ApiError;

/// Events that are read at once; what a slow reader makes us hold.
const CHUNK: usize = 256;

/// One event and where the log goes on after it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) event: Arc<Event>,
    pub(crate) logged: Timestamp,
    pub(crate) position: Position,
}

/// What a tail came upon.
#[derive(Debug)]
pub(crate) enum Step {
    /// Events, at least one.
    Events(Vec<Found>),
    /// The log was trimmed past the tail, which goes on at `oldest`.
    Gap { oldest: Position, newest: Position },
}

/// A cursor of its own on the log. Nothing is queued for it: it pulls, so a slow reader costs only its own delay.
pub(crate) struct Tail {
    log: Arc<dyn EventLog>,
    newest: watch::Receiver<Position>,
    start: Position,
    cursor: Position,
    query: ReadQuery,
    ready: Option<Step>,
}

impl Tail {
    /// Begins after a position as the API writes it, or without one at the end of the log.
    ///
    /// # Errors
    /// 410 if the log does not have that position.
    pub(crate) async fn open(
        log: Arc<dyn EventLog>,
        from: Option<&str>,
        filter: Filter,
    ) -> Result<Self, ApiError> {
        let newest = log.newest();
        let cursor = match from {
            None => newest.borrow().clone(),
            Some(text) => parse_position(&*log, text).await?,
        };
        let mut tail = Self {
            log,
            newest,
            start: cursor.clone(),
            cursor,
            query: ReadQuery {
                filter,
                limit: CHUNK,
            },
            ready: None,
        };
        if from.is_some() {
            // reading at once tells whether the position is there
            let (step, _) = tail.read().await?;
            tail.ready = step;
        }
        Ok(tail)
    }

    /// Everything before it was delivered or was not asked for.
    pub(crate) fn position(&self) -> &Position {
        // what was read ahead at the opening is not delivered yet
        if self.ready.is_some() {
            &self.start
        } else {
            &self.cursor
        }
    }

    /// Whether something can be had without waiting.
    pub(crate) fn is_behind(&self) -> bool {
        self.ready.is_some() || !self.cursor.reaches(&self.newest.borrow())
    }

    /// Waits for the next events. Dropping the future loses none.
    ///
    /// # Errors
    /// The log was closed or cannot be read.
    pub(crate) async fn next(&mut self) -> Result<Step, ReadError> {
        if let Some(step) = self.ready.take() {
            return Ok(step);
        }
        loop {
            // seen before the read: whatever becomes durable after this line wakes us
            self.newest.borrow_and_update();
            match self.read().await {
                Ok((Some(step), _)) => return Ok(step),
                Ok((None, false)) => {}
                Ok((None, true)) => {
                    if self.newest.changed().await.is_err() {
                        return Err(ReadError::Closed);
                    }
                }
                Err(ReadError::PositionGone { oldest, newest }) => {
                    self.cursor = oldest.clone();
                    return Ok(Step::Gap { oldest, newest });
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// The next events that are there already, if there are any; one read, so that a long search gives way to others.
    ///
    /// # Errors
    /// The log was closed or cannot be read.
    pub(crate) async fn try_next(&mut self) -> Result<Option<Step>, ReadError> {
        if let Some(step) = self.ready.take() {
            return Ok(Some(step));
        }
        match self.read().await {
            Ok((step, _)) => Ok(step),
            Err(ReadError::PositionGone { oldest, newest }) => {
                self.cursor = oldest.clone();
                Ok(Some(Step::Gap { oldest, newest }))
            }
            Err(e) => Err(e),
        }
    }

    /// One read; tells whether the log had no more.
    async fn read(&mut self) -> Result<(Option<Step>, bool), ReadError> {
        let batch = self.log.read(&self.cursor, &self.query).await?;
        let mut position = std::mem::replace(&mut self.cursor, batch.next);
        let events: Vec<_> = batch
            .records
            .iter()
            .filter_map(|record| {
                position.advance(record.partition, record.offset);
                record.event().map(|event| Found {
                    event: Arc::clone(event),
                    logged: record.logged,
                    position: position.clone(),
                })
            })
            .collect();
        Ok((
            (!events.is_empty()).then_some(Step::Events(events)),
            batch.at_end,
        ))
    }
}

/// Reads a position that the API wrote; one that it cannot have written is gone like one that was trimmed.
pub(crate) async fn parse_position(log: &dyn EventLog, text: &str) -> Result<Position, ApiError> {
    match text.parse::<Position>() {
        Ok(position) if position.partitions() <= log.capabilities().partitions.max(1) => {
            Ok(position)
        }
        _ => {
            let bounds = log.bounds().await?;
            Err(ApiError::position_gone(&bounds.oldest, &bounds.newest))
        }
    }
}
