//! The event stream: what it tells, and what becomes of one that ends or is refused.

use std::time::Duration;

use bollard::{errors::Error, models::EventMessage};
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{
    Docker, EVENT_BYTES,
    notice::{Notice, is_about_images, nanos_of},
    transport::is_refusal,
};
use crate::Batch;

/// Most events that are taken in before they are sent on.
const EVENTS_TOGETHER: usize = 256;
/// An event stream that lived so long worked; proxies end even the best one when nothing was said for a while.
const WORKED: Duration = Duration::from_secs(1);
/// How soon an event stream that was refused is tried again.
const REFUSED: Duration = Duration::from_mins(5);

impl Docker {
    /// Takes in one item of the stream. Returns whether a poll would tell more.
    pub(super) fn take(&mut self, message: Result<EventMessage, Error>, batch: &mut Batch) -> bool {
        self.events.budget.fill(EVENT_BYTES);
        match message {
            Ok(message) => {
                if std::mem::replace(&mut self.refused, false) {
                    info!(source = %self.address, "{} tells its events again", self.address);
                }
                self.backoff.reset();
                let nanos = nanos_of(&message).unwrap_or(0);
                // a stream begins with the last event of the one before
                let repeated = nanos <= self.since_nanos;
                self.since_nanos = self.since_nanos.max(nanos);
                if is_about_images(&message) {
                    if !repeated {
                        self.images.moved();
                    }
                    return !repeated;
                }
                let Some(notice) = Notice::of(message) else {
                    return false;
                };
                self.containers.notice(notice, batch)
            }
            Err(e) => {
                self.lost_stream(Some(&e));
                false
            }
        }
    }

    /// Takes in what the stream holds already.
    pub(super) fn take_ready(&mut self, batch: &mut Batch) -> bool {
        let mut poll_now = false;
        for _ in 0..EVENTS_TOGETHER {
            let Some(stream) = self.stream.as_mut() else {
                break;
            };
            match stream.next().now_or_never() {
                Some(Some(message)) => poll_now |= self.take(message, batch),
                Some(None) => self.lost_stream(None),
                None => break,
            }
        }
        poll_now
    }

    pub(super) fn lost_stream(&mut self, error: Option<&Error>) {
        self.stream = None;
        let cut = !error.is_some_and(is_refusal) && self.opened_at.elapsed() >= WORKED;
        if cut {
            self.backoff.reset();
        }
        let mut wait = self.backoff.next();
        if let Some(e) = error {
            let why = self.explain(e);
            match e {
                e if is_refusal(e) => {
                    wait = wait.max(REFUSED);
                    if !std::mem::replace(&mut self.refused, true) {
                        warn!(
                            source = %self.address, "{} does not tell its events, so changes are seen at the next poll only: {why}", self.address
                        );
                    }
                }
                // the same event would come again and break the stream again
                Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => {
                    self.since_nanos = self.engine_now();
                }
                _ => {}
            }
            debug!(source = %self.address, "the event stream ended: {why}");
        }
        self.connect_at = Instant::now() + wait;
    }
}
