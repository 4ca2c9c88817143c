use std::{fmt, sync::Mutex, sync::PoisonError, time::Duration};

use prometheus_client::metrics::gauge::Gauge;
use tokio::{sync::watch, time::Instant};
use tracing::{error, info, warn};

/// Failures that come and go are told once in this time.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Whether a worker gets on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Health {
    /// It does, as far as it has tried.
    #[default]
    Working,
    /// It waits for something and tries again; nothing is lost while the log keeps its events.
    Waiting {
        /// What it cannot do.
        what: &'static str,
        /// Why, and what to do.
        why: String,
        /// Whether it is expected to pass by itself; else a person has to do something.
        passes: bool,
    },
}

/// Tells of a worker's state when it changes: to the log file, to whoever watches, and as a metric.
pub(crate) struct Teller {
    health: watch::Sender<Health>,
    waiting: Gauge,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    at: Option<Instant>,
    since: Option<Instant>,
}

impl Teller {
    pub(crate) fn new(waiting: Gauge) -> Self {
        Self {
            health: watch::Sender::new(Health::Working),
            waiting,
            told: Mutex::default(),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Something failed and will be tried again.
    pub(crate) fn failed(&self, what: &'static str, why: &dyn fmt::Display, passes: bool) {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let health = Health::Waiting {
            what,
            why: why.to_string(),
            passes,
        };
        // the metric and the log come first, so that whoever sees the change finds them
        let before = self.health.borrow().clone();
        if before == Health::Working {
            self.waiting.inc();
            told.since = Some(now);
        }
        let again = told
            .at
            .is_none_or(|at| now.duration_since(at) >= TELL_EVERY);
        let changed = match &before {
            Health::Working => again || !passes,
            Health::Waiting { passes: before, .. } => *before != passes && (again || !passes),
        };
        if !passes && changed {
            error!("cannot {what}, will try again slowly: {why}");
        } else if changed {
            warn!("cannot {what} now, will try again: {why}");
        }
        if changed {
            told.at = Some(now);
        }
        self.health.send_replace(health);
    }

    /// It works, perhaps again.
    pub(crate) fn worked(&self) {
        if *self.health.borrow() == Health::Working {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.health.borrow() == Health::Working {
            return;
        }
        self.waiting.dec();
        self.health.send_replace(Health::Working);
        let out = told.since.take().map_or(Duration::ZERO, |at| at.elapsed());
        if out >= TELL_EVERY {
            info!(
                out_secs = out.as_secs(),
                "ingest goes on after {} s",
                out.as_secs()
            );
            told.at = None;
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if *self.health.borrow() != Health::Working {
            self.waiting.dec();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn health_follows_what_happens() {
        let gauge = Gauge::default();
        let teller = Teller::new(gauge.clone());
        let watch = teller.watch();
        teller.failed("write", &"no route to host", true);
        teller.failed("write", &"no such bucket", false);
        assert_eq!(gauge.get(), 1);
        assert!(
            matches!(&*watch.borrow(), Health::Waiting { passes: false, why, .. } if why == "no such bucket")
        );
        teller.worked();
        assert_eq!(*watch.borrow(), Health::Working);
        assert_eq!(gauge.get(), 0);
        teller.failed("write", &"no route to host", true);
        drop(teller);
        assert_eq!(gauge.get(), 0, "a worker that is gone waits for nothing");
    }
}
