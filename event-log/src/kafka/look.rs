//! Looks whether the partitions still are what they were.
//!
//! Brokers that lose their power may come back with less than they had acknowledged, and have grown past their old end before
//! anybody looks. Until that is noticed, what is known here of the log is not to be trusted: an event that comes again would be
//! called a duplicate though it is gone. So nothing is called one unless somebody looked a moment ago.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use schemas::{Position, Timestamp};
use tokio::sync::watch;
use tracing::{debug, error, warn};

use super::{
    Inner,
    cluster::blocking,
    error::read_failed,
    ledger::{Ledger, Mark},
    sequences,
    ticket::advance,
    writer::Gate,
};
use crate::{AppendError, ReadError};

/// How long what was seen holds: no machine goes down and its broker is up again in so short a time.
const FRESH: Duration = Duration::from_secs(1);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How soon it is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// When it was looked, and who wants to know.
pub(super) struct Looks {
    asked: AtomicBool,
    /// When the last look that found out began.
    began: watch::Sender<Option<Instant>>,
    /// Held by who looks on a handle that does not follow, and by who reads there what is new.
    pub(super) one: Mutex<()>,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            asked: AtomicBool::new(false),
            began: watch::Sender::new(None),
            one: Mutex::default(),
        }
    }
}

impl Looks {
    /// Whether what was seen last still holds.
    pub(super) fn is_fresh(&self) -> bool {
        self.began.borrow().is_some_and(|at| at.elapsed() < FRESH)
    }

    fn is_since(&self, instant: Instant) -> bool {
        self.began.borrow().is_some_and(|at| at >= instant)
    }

    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Whether somebody asked since this was called last.
    pub(super) fn take(&self) -> bool {
        self.asked.swap(false, Ordering::AcqRel)
    }

    /// A look that began then has found out.
    pub(super) fn done(&self, began: Instant) {
        self.began.send_replace(Some(began));
    }
}

/// What the brokers acknowledged last of each partition: it has to be there when they come back.
#[derive(Default)]
pub(super) struct Acknowledged(Mutex<Vec<Mark>>);

impl Acknowledged {
    /// A record before the offset `next` is in the log since `logged`.
    pub(super) fn tell(&self, partition: usize, next: u64, logged: Timestamp) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() <= partition {
            marks.resize(partition + 1, Mark::default());
        }
        if let Some(mark) = marks.get_mut(partition)
            && mark.next < next
        {
            *mark = Mark {
                next,
                logged: logged.as_millis(),
            };
        }
    }

    fn marks(&self) -> Vec<Mark> {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        marks.clone()
    }

    fn forget(&self, partitions: &[usize]) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for partition in partitions {
            if let Some(mark) = marks.get_mut(*partition) {
                *mark = Mark::default();
            }
        }
    }
}

/// Looks, unless somebody did a moment ago. What was cut is forgotten afterwards.
pub(super) async fn look(inner: &Arc<Inner>) -> Result<(), ReadError> {
    if inner.looks.is_fresh() {
        return Ok(());
    }
    look_now(inner).await
}

/// Looks, also if somebody did a moment ago.
pub(super) async fn look_now(inner: &Arc<Inner>) -> Result<(), ReadError> {
    let asked = Instant::now();
    if !inner.follows() {
        let inner = Arc::clone(inner);
        return blocking(move || {
            let _one = inner
                .looks
                .one
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if inner.looks.is_since(asked) {
                return Ok(());
            }
            mend(&inner).map(|_| ())
        })
        .await;
    }
    let mut began = inner.looks.began.subscribe();
    inner.looks.ask();
    let looked = began.wait_for(|at| at.is_some_and(|at| at >= asked));
    tokio::select! {
        looked = tokio::time::timeout(PATIENCE, looked) => match looked {
            Ok(_) => Ok(()),
            Err(_) => Err(read_failed(
                inner.cluster.brokers(),
                format!("whether its partitions still are what they were could not be found out within {PATIENCE:?}"),
            )),
        },
        () = inner.stop.cancelled() => Err(ReadError::Closed),
    }
}

/// Looks as often as it takes, until the log is closed.
pub(super) async fn look_until_seen(inner: &Arc<Inner>) -> Result<(), AppendError> {
    let mut gate = inner.writer.gate.subscribe();
    let closed = gate.wait_for(|gate| *gate == Gate::Closed);
    let seen = async {
        while let Err(e) = look_now(inner).await {
            debug!(error = %e, "whether an event is there already is not known, will try again");
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::select! {
        () = seen => Ok(()),
        _ = closed => Err(AppendError::Closed),
    }
}

/// Begins partitions anew that were cut short or made anew, and goes over what was trimmed. Returns whether there were any.
/// Blocks. Only for the thread that follows, or with [`Looks::one`].
pub(super) fn mend(inner: &Inner) -> Result<bool, ReadError> {
    let began = Instant::now();
    // what is known is taken first: what is appended meanwhile only moves the ends on
    let marks: Vec<Mark> = inner.view().ledgers.iter().map(Ledger::mark).collect();
    let acknowledged = inner.acknowledged.marks();
    let newest = inner.newest.borrow().clone();
    let extents = inner.extents()?;
    let (mut cut, mut skipped) = (Vec::new(), false);
    for (partition, (mark, extent)) in (0..).zip(marks.into_iter().zip(&extents)) {
        let next = mark.next;
        // if the later one is there, so is what stands before it
        let last = match acknowledged.get(partition) {
            Some(acknowledged) if acknowledged.next > next => *acknowledged,
            _ => mark,
        };
        let is_shorter = extent.high < newest.offset(partition);
        // one that was cut may have grown past its old end again
        if is_shorter || !sequences::is_of(&inner.cluster, partition, last, *extent)? {
            cut.push(partition);
        } else if next < extent.low {
            warn!(
                partition,
                from = next,
                to = extent.low,
                "records went before they were followed"
            );
            let mut view = inner.view();
            if let Some(ledger) = view.ledgers.get_mut(partition) {
                ledger.skip_to(extent.low);
            }
            view.ring.reset(partition, extent.low);
            drop(view);
            skipped = true;
            advance(&inner.reached, std::iter::once((partition, extent.low)));
        }
    }
    if cut.is_empty() {
        inner.looks.done(began);
        return Ok(skipped);
    }
    error!(
        partitions = ?cut,
        "the event log was cut short or made anew: what agents still hold for 24 hours they send again, the rest of what was cut is lost"
    );
    inner.metrics.rebuilt.inc_by(cut.len() as u64);
    let wanted: Vec<_> = (0..)
        .zip(extents.iter().copied())
        .filter(|(partition, _)| cut.contains(partition))
        .collect();
    let beginnings = sequences::load(&inner.cluster, &wanted)?;
    inner.acknowledged.forget(&cut);
    let mut view = inner.view();
    for (partition, beginning) in cut.iter().zip(beginnings) {
        view.reset(*partition, beginning);
    }
    let known = view.known();
    let nexts: Vec<u64> = view.ledgers.iter().map(|l| l.next).collect();
    drop(view);
    inner.writer.intake().admission.reset(known);
    let back = |position: &mut Position, to: &dyn Fn(usize) -> u64| {
        let offsets = position.offsets().iter().copied();
        let offsets = (0..).zip(offsets).map(|(partition, offset)| {
            if cut.contains(&partition) {
                to(partition)
            } else {
                offset
            }
        });
        *position = Position::from_offsets(offsets.collect());
    };
    let next = |partition: usize| nexts.get(partition).copied().unwrap_or(0);
    let high = |partition: usize| extents.get(partition).map_or(0, |e| e.high);
    inner.reached.send_modify(|position| back(position, &next));
    inner.newest.send_modify(|position| back(position, &high));
    inner.looks.done(began);
    Ok(true)
}
