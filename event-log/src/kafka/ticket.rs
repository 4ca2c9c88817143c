//! One append on its way to the brokers.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use schemas::{Position, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{Metrics, look::Acknowledged};
use crate::AppendError;

/// Holds a ticket open while records are sent.
pub(super) struct Seal(Arc<Ticket>);

impl Drop for Seal {
    fn drop(&mut self) {
        self.0.less();
    }
}

/// Where it is told what came into the log.
#[derive(Clone)]
pub(super) struct Told {
    /// The position after the newest event.
    pub(super) newest: watch::Sender<Position>,
    pub(super) acknowledged: Arc<Acknowledged>,
}

/// What became of the records of an append.
#[derive(Default, Debug)]
pub(super) struct Outcomes {
    /// Offset after the last that was taken, by partition, and when it was logged if the brokers say so.
    pub(super) ends: Vec<(usize, u64, Option<Timestamp>)>,
    /// Which drafts the brokers refused, and why.
    pub(super) refused: Vec<(usize, String)>,
    /// Why it is not known what became of the rest.
    pub(super) failed: Option<AppendError>,
}

/// Waits for the records of one append. Whoever holds one of them holds it.
pub(super) struct Ticket {
    /// Records that are not answered, and one more until all were sent.
    left: AtomicUsize,
    outcomes: Mutex<Outcomes>,
    done: watch::Sender<bool>,
    began: Instant,
    /// Not of records beside the events.
    told: Option<Told>,
    metrics: Metrics,
    /// Its room in the queue, until all of it is answered.
    #[expect(dead_code, reason = "held until it goes")]
    room: Option<OwnedSemaphorePermit>,
}

impl Ticket {
    pub(super) fn new(
        told: Option<Told>,
        metrics: Metrics,
        room: Option<OwnedSemaphorePermit>,
    ) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(1),
            outcomes: Mutex::default(),
            done: watch::Sender::new(false),
            began: Instant::now(),
            told,
            metrics,
            room,
        })
    }

    fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more record was sent.
    pub(super) fn sent(&self) {
        self.left.fetch_add(1, Ordering::AcqRel);
        if self.told.is_some() {
            self.metrics.in_flight.inc();
        }
    }

    /// What is to be dropped when all records were sent; also when whoever sends them is stopped in between.
    pub(super) fn seal(self: &Arc<Self>) -> Seal {
        Seal(Arc::clone(self))
    }

    /// A record is in the log before the offset `next`, since `logged` if that is known.
    pub(super) fn delivered(&self, partition: usize, next: u64, logged: Option<Timestamp>) {
        {
            let mut outcomes = self.outcomes();
            match outcomes.ends.iter_mut().find(|(p, ..)| *p == partition) {
                Some((_, end, at)) if *end < next => (*end, *at) = (next, logged),
                Some(_) => {}
                None => outcomes.ends.push((partition, next, logged)),
            }
        }
        self.answered();
        self.metrics.appended.inc_by(u64::from(self.told.is_some()));
    }

    /// A record is refused.
    pub(super) fn refused(&self, draft: usize, why: String) {
        self.outcomes().refused.push((draft, why));
        self.metrics.refused.inc();
        self.answered();
    }

    /// It is not known what became of a record.
    pub(super) fn failed(&self, why: AppendError) {
        self.outcomes().failed.get_or_insert(why);
        self.answered();
    }

    fn answered(&self) {
        if self.told.is_some() {
            self.metrics.in_flight.dec();
        }
        self.less();
    }

    fn less(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        if let Some(told) = &self.told {
            let outcomes = self.outcomes();
            if !outcomes.ends.is_empty() {
                self.metrics
                    .append_seconds
                    .observe(self.began.elapsed().as_secs_f64());
            }
            for (partition, next, logged) in &outcomes.ends {
                if let Some(logged) = logged {
                    told.acknowledged.tell(*partition, *next, *logged);
                }
            }
            let ends = outcomes.ends.iter();
            advance(
                &told.newest,
                ends.map(|(partition, next, _)| (*partition, *next)),
            );
        }
        self.done.send_replace(true);
    }

    pub(super) fn is_done(&self) -> bool {
        *self.done.borrow()
    }

    /// Waits until every record is answered.
    pub(super) async fn done(&self) {
        // its sender lives as long as it does
        drop(self.done.subscribe().wait_for(|done| *done).await);
    }

    /// What became of it, once it is done.
    pub(super) fn take(&self) -> Outcomes {
        std::mem::take(&mut *self.outcomes())
    }

    /// Why it failed, if it did.
    pub(super) fn failure(&self) -> Option<AppendError> {
        self.outcomes().failed.clone()
    }
}

/// Moves a position on, and wakes who waits for it if it moved.
pub(super) fn advance(
    position: &watch::Sender<Position>,
    ends: impl Iterator<Item = (usize, u64)>,
) {
    position.send_if_modified(|position| {
        let mut moved = false;
        for (partition, next) in ends {
            if let Some(seen) = next.checked_sub(1)
                && position.offset(partition) < next
            {
                position.advance(partition, seen);
                moved = true;
            }
        }
        moved
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_when_its_records_are_answered_though_its_append_was_dropped() {
        let ticket = Ticket::new(None, Metrics::default(), None);
        let seal = ticket.seal();
        ticket.sent();
        ticket.delivered(0, 1, None);
        assert!(!ticket.is_done(), "more may be sent");
        ticket.sent();
        drop(seal);
        assert!(!ticket.is_done(), "one is on its way");
        ticket.delivered(0, 2, None);
        assert!(ticket.is_done());
    }
}
