use std::time::Duration;

use event_log::DestinationError;
use schemas::{Timestamp, time::format_duration};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::{Metrics, Options, State, backoff::Backoff};

/// How shipping goes, told once at each turn, and when it is tried again.
pub(crate) struct Mood {
    destination: String,
    metrics: Metrics,
    backoff: Backoff,
    state: State,
    denied: bool,
    until: Option<Instant>,
}

impl Mood {
    pub(crate) fn new(destination: &str, metrics: Metrics, options: &Options) -> Self {
        Self {
            destination: destination.to_owned(),
            metrics,
            backoff: Backoff::new(options.first_retry, options.slowest_retry),
            state: State::Starting,
            denied: false,
            until: None,
        }
    }

    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// Until when nothing is tried.
    pub(crate) fn paused(&mut self) -> Option<Instant> {
        self.until = self.until.filter(|until| Instant::now() < *until);
        self.until
    }

    /// Something did not work: it is tried again after a pause.
    pub(crate) fn failed(&mut self, why: &DestinationError, backlog: u64) {
        self.metrics.retries.inc();
        let denied = matches!(why, DestinationError::Denied { .. });
        let pause = match why {
            DestinationError::Denied { .. } => self.backoff.slowest(),
            DestinationError::Away { retry_after, .. } => {
                self.backoff.next().max(retry_after.unwrap_or_default())
            }
            DestinationError::Claimed { .. } => self.backoff.next(),
        };
        let until = Instant::now() + pause;
        self.until = Some(self.until.map_or(until, |other| other.max(until)));
        self.wait(&why.to_string(), denied, backlog);
    }

    /// There was no answer for so long.
    pub(crate) fn silent(&mut self, since: Duration, backlog: u64) {
        if !matches!(self.state, State::Waiting { .. }) {
            let reason = format!(
                "{} has not answered for {}",
                self.destination,
                format_duration(since)
            );
            self.wait(&reason, false, backlog);
        }
    }

    fn wait(&mut self, reason: &str, denied: bool, backlog: u64) {
        let since = match &self.state {
            State::Waiting { since, .. } if denied == self.denied => *since,
            State::Waiting { since, .. } => {
                self.tell(reason, denied, backlog);
                *since
            }
            _ => {
                self.tell(reason, denied, backlog);
                Timestamp::now()
            }
        };
        self.denied = denied;
        self.metrics.up.set(0);
        self.state = State::Waiting {
            since,
            reason: reason.to_owned(),
        };
    }

    fn tell(&self, reason: &str, denied: bool, backlog: u64) {
        let destination = &self.destination;
        if denied {
            error!(
                destination,
                backlog, reason, "events wait in the spool: {reason}"
            );
        } else {
            warn!(
                destination,
                backlog, reason, "events wait in the spool: {reason}"
            );
        }
    }

    /// It takes events.
    pub(crate) fn well(&mut self, backlog: u64) {
        self.backoff.reset();
        self.metrics.up.set(1);
        let destination = &self.destination;
        match std::mem::replace(&mut self.state, State::Shipping) {
            State::Shipping => {}
            State::Starting => info!(destination, backlog, "shipping to {destination}"),
            State::Waiting { since, .. } => {
                let millis = u64::try_from(Timestamp::now().since(since)).unwrap_or(0);
                let away = format_duration(Duration::from_secs(millis.div_ceil(1000)));
                info!(
                    destination,
                    backlog, "{destination} takes events again after {away}, {backlog} wait"
                );
            }
        }
    }
}
