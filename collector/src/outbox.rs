use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use event_log::{AppendError, EventLog, Outcome, Urgency};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use schemas::{Draft, EventType};
use tokio::{sync::Notify, time::Instant};
use tracing::{error, warn};

use crate::own_metrics::SourceMetrics;

/// Most events of one source that wait for the log. At some 3 kB each this is bounded memory, and minutes of a usual source.
const MOST_WAITING: usize = 2000;
/// Most events of one append.
const MOST_TOGETHER: usize = 1000;
/// Most appends that wait for durability at a time: a change does not wait behind grouped samples.
const MOST_IN_FLIGHT: usize = 4;
const FIRST_RETRY: Duration = Duration::from_millis(250);
const SLOWEST_RETRY: Duration = Duration::from_secs(10);

/// Events of one source on their way to the log, in order and bounded.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    changed: Notify,
    metrics: SourceMetrics,
    source: String,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Draft, Urgency)>,
    in_flight: usize,
    dropped: u64,
    closed: bool,
}

struct Sent {
    drafts: Vec<Draft>,
    urgency: Urgency,
    result: Result<Vec<Outcome>, AppendError>,
}

impl Outbox {
    pub(crate) fn new(source: &str, metrics: SourceMetrics) -> Self {
        Self {
            queue: Mutex::default(),
            changed: Notify::new(),
            metrics,
            source: source.to_owned(),
        }
    }

    pub(crate) fn metrics(&self) -> &SourceMetrics {
        &self.metrics
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds events. Over the bound the oldest samples go first: changes are few and cannot be read again.
    pub(crate) fn push(&self, drafts: impl IntoIterator<Item = (Draft, Urgency)>) {
        let mut lost = 0;
        {
            let mut queue = self.lock();
            queue.waiting.extend(drafts);
            while queue.waiting.len() + queue.in_flight > MOST_WAITING && !queue.waiting.is_empty()
            {
                let oldest_sample = queue
                    .waiting
                    .iter()
                    .position(|(draft, _)| draft.event_type == EventType::Sample);
                queue.waiting.remove(oldest_sample.unwrap_or(0));
                lost += 1;
            }
            queue.dropped += lost;
            self.show_backlog(&queue);
        }
        if lost > 0 {
            self.metrics.dropped("backlog_full", lost);
        }
        self.changed.notify_one();
    }

    /// Counts events that were lost before they came here.
    pub(crate) fn lost(&self, why: &str, events: u64) {
        if events > 0 {
            self.lock().dropped += events;
            self.metrics.dropped(why, events);
        }
    }

    /// How many events were lost since the beginning.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// No more comes; [`Outbox::ship`] ends when all is sent.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn show_backlog(&self, queue: &Queue) {
        self.metrics
            .backlog
            .set(i64::try_from(queue.waiting.len() + queue.in_flight).unwrap_or(i64::MAX));
    }

    /// What may be sent now: everything when nothing is in flight; beside others in flight only if something is urgent.
    fn take(&self, appends_in_flight: usize) -> Option<(Vec<Draft>, Urgency)> {
        let mut queue = self.lock();
        let urgent = queue.closed
            || queue
                .waiting
                .iter()
                .take(MOST_TOGETHER)
                .any(|(_, urgency)| *urgency == Urgency::Soon);
        if queue.waiting.is_empty()
            || appends_in_flight >= MOST_IN_FLIGHT
            || (appends_in_flight > 0 && !urgent)
        {
            return None;
        }
        let count = queue.waiting.len().min(MOST_TOGETHER);
        let drafts: Vec<_> = queue
            .waiting
            .drain(..count)
            .map(|(draft, _)| draft)
            .collect();
        queue.in_flight += drafts.len();
        let urgency = if urgent {
            Urgency::Soon
        } else {
            Urgency::Grouped
        };
        Some((drafts, urgency))
    }

    fn put_back(&self, drafts: Vec<Draft>, urgency: Urgency) {
        let mut queue = self.lock();
        queue.in_flight -= drafts.len();
        for draft in drafts.into_iter().rev() {
            queue.waiting.push_front((draft, urgency));
        }
        self.show_backlog(&queue);
    }

    fn done(&self, drafts: usize) -> bool {
        let mut queue = self.lock();
        queue.in_flight -= drafts;
        self.show_backlog(&queue);
        queue.closed && queue.waiting.is_empty() && queue.in_flight == 0
    }

    fn finished(&self) -> bool {
        let queue = self.lock();
        queue.closed && queue.waiting.is_empty() && queue.in_flight == 0
    }

    /// Sends to the log what comes, until the outbox is closed and empty, or the log is closed.
    pub(crate) async fn ship(&self, log: &dyn EventLog) {
        let mut in_flight: FuturesUnordered<BoxFuture<'_, Sent>> = FuturesUnordered::new();
        let mut retry = FIRST_RETRY;
        let mut hold: Option<Instant> = None;
        loop {
            if hold.is_none() {
                while let Some((drafts, urgency)) = self.take(in_flight.len()) {
                    in_flight.push(Box::pin(append(log, drafts, urgency)));
                }
            }
            if self.finished() {
                return;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                Some(sent) = in_flight.next() => match sent.result {
                    Ok(outcomes) => {
                        retry = FIRST_RETRY;
                        self.account(&outcomes);
                        if self.done(sent.drafts.len()) {
                            return;
                        }
                    }
                    Err(AppendError::Closed) => {
                        self.done(sent.drafts.len());
                        return;
                    }
                    Err(e) => {
                        let events = sent.drafts.len();
                        self.put_back(sent.drafts, sent.urgency);
                        if hold.is_none() {
                            self.tell(&e, events, retry);
                            hold = Some(Instant::now() + retry);
                            retry = (retry * 2).min(SLOWEST_RETRY);
                        }
                    }
                },
                () = until(hold), if hold.is_some() => hold = None,
            }
        }
    }

    fn account(&self, outcomes: &[Outcome]) {
        let mut taken = 0;
        let mut refused = 0;
        let mut why = None;
        for outcome in outcomes {
            match outcome {
                Outcome::Appended | Outcome::Duplicate => taken += 1,
                Outcome::Refused(reason) => {
                    refused += 1;
                    why = why.or(Some(reason));
                }
            }
        }
        self.metrics.events.inc_by(taken);
        if let Some(why) = why {
            self.lost("refused", refused);
            error!(
                source = self.source,
                events = refused,
                why,
                "the event log refused {refused} events of source `{}`: {why}",
                self.source
            );
        }
    }

    fn tell(&self, e: &AppendError, events: usize, retry: Duration) {
        let retry_in_ms = u64::try_from(retry.as_millis()).unwrap_or(u64::MAX);
        if e.is_transient() {
            warn!(
                source = self.source,
                events, retry_in_ms, "{events} events of source `{}` wait: {e}", self.source
            );
        } else {
            error!(
                source = self.source,
                events,
                retry_in_ms,
                "{events} events of source `{}` cannot be kept: {e}",
                self.source
            );
        }
    }
}

async fn append(log: &dyn EventLog, drafts: Vec<Draft>, urgency: Urgency) -> Sent {
    let result = log.append(drafts.clone(), urgency).await.map(|appended| {
        appended
            .receipts
            .into_iter()
            .map(|receipt| receipt.outcome)
            .collect()
    });
    Sent {
        drafts,
        urgency,
        result,
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
