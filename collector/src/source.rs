use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use event_log::{EventLog, Urgency};
use futures::FutureExt;
use schemas::{
    Draft, Entity, EventType, Fields, Timestamp,
    name::{EntityId, EntityType},
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    Batch, CollectorMetrics, Context, FailureClass, Finding, PollError, SourceConfig,
    backoff::{Backoff, fraction, seed_of},
    batch::Observation,
    cost::Requests,
    integration::{Heard, Opened},
    outbox::Outbox,
    pace::Pace,
    status::Status,
};

/// A source says how it does at least this often.
const HEARTBEAT: Duration = Duration::from_mins(1);
/// What a stopping source may take to hand its last events to the log.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Several things that happen together are worth one early poll.
const SETTLE: Duration = Duration::from_millis(100);
/// Early polls are not closer than this.
const EARLY_POLLS: Duration = Duration::from_secs(1);
/// Being late by less says nothing about this machine.
const SHORTEST_STALL: Duration = Duration::from_secs(2);

/// One source, ready to run.
pub(crate) struct SourceTask {
    pub(crate) config: SourceConfig,
    pub(crate) context: Context,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) metrics: CollectorMetrics,
    pub(crate) stop: CancellationToken,
    /// Set before it is stopped, if it is for good.
    pub(crate) removed: Arc<AtomicBool>,
}

#[cfg(test)]
mod tests;

enum Woke {
    Poll,
    Report,
    Heard(Result<Heard, PollError>),
}

struct Poller<'a> {
    task: &'a SourceTask,
    outbox: &'a Outbox,
    opened: Option<Box<dyn Opened>>,
    status: Status,
    backoff: Backoff,
    pace: Pace,
    next_poll: Instant,
    next_report: Instant,
    /// Something happened for which the next poll is early: its samples do not wait for others.
    early: bool,
    last_poll: Option<(Instant, Timestamp)>,
    requests: Requests,
    counted: u64,
}

impl SourceTask {
    /// Polls until it is told to stop, then hands over what is left.
    pub(crate) async fn run(self) {
        let name = self.config.name.as_str();
        let outbox = Outbox::new(name, self.metrics.of(name));
        let mut shipping = pin!(outbox.ship(&*self.log));
        let mut poller = Poller::new(&self, &outbox);
        let requests = poller.requests.clone();
        tokio::select! {
            () = requests.count(poller.run()) => {}
            () = &mut shipping => {
                info!(source = name, "source `{name}` stops: the event log is closed");
                return;
            }
        }
        let removed = self.removed.load(Ordering::Acquire);
        if removed {
            poller.status.removed();
            poller.report();
        }
        outbox.close();
        if tokio::time::timeout(LAST_WORDS, shipping).await.is_err() {
            warn!(
                source = name,
                "the last events of source `{name}` did not reach the event log in time"
            );
        }
        if removed {
            self.metrics.forget(name);
        }
    }
}

impl<'a> Poller<'a> {
    fn new(task: &'a SourceTask, outbox: &'a Outbox) -> Self {
        let seed = seed_of(task.config.name.as_str());
        outbox
            .metrics()
            .interval
            .set(task.config.interval.as_secs_f64());
        let now = Instant::now();
        let (pace, first) = Pace::new(task.config.interval, fraction(seed), now);
        Self {
            task,
            outbox,
            opened: None,
            status: Status::new(task.config.interval),
            backoff: Backoff::new(seed),
            pace,
            next_poll: first,
            next_report: now + HEARTBEAT,
            early: false,
            last_poll: None,
            requests: Requests::default(),
            counted: 0,
        }
    }

    async fn run(&mut self) {
        // opened before the first poll is due, so that what needs two readings has one already
        drop(self.open());
        loop {
            let mut heard = Batch::live();
            let up = self.status.is_up();
            let woke = tokio::select! {
                biased;
                () = self.task.stop.cancelled() => return,
                () = sleep_until(self.next_poll) => Woke::Poll,
                () = sleep_until(self.next_report) => Woke::Report,
                heard = listen(self.opened.as_mut().filter(|_| up), &mut heard) => Woke::Heard(heard),
            };
            self.send(heard, Urgency::Grouped);
            match woke {
                Woke::Report => self.report(),
                Woke::Heard(Ok(Heard::Events)) => {}
                Woke::Heard(Ok(Heard::PollNow)) => {
                    let now = Instant::now();
                    let after_last = self.last_poll.map_or(now, |(at, _)| at + EARLY_POLLS);
                    self.next_poll = self.next_poll.min((now + SETTLE).max(after_last));
                    self.early = true;
                }
                Woke::Heard(Err(e)) => {
                    self.opened = None;
                    self.ended(Err(e), Duration::ZERO);
                }
                Woke::Poll => {
                    let stop = self.task.stop.clone();
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = self.poll() => {}
                    }
                }
            }
        }
    }

    fn open(&mut self) -> Result<&mut Box<dyn Opened>, PollError> {
        if self.opened.is_none() {
            let opened = self
                .task
                .config
                .integration
                .open(&self.task.context)
                .map_err(|e| PollError::new(FailureClass::Other, e.to_string()))?;
            self.opened = Some(opened);
        }
        self.opened
            .as_mut()
            .ok_or_else(|| PollError::new(FailureClass::Other, "the integration is not open"))
    }

    /// How long this process was held up since the last poll, if it was: the timer came late, or the clock ran on while
    /// the machine slept.
    fn held_up(&self, now: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(self.next_poll);
        let slept = self.last_poll.map_or(Duration::ZERO, |(at, time)| {
            let by_clock = u64::try_from(Timestamp::now().since(time)).unwrap_or(0);
            Duration::from_millis(by_clock).saturating_sub(now - at)
        });
        let held_up = late.max(slept);
        (held_up > self.task.config.interval.max(SHORTEST_STALL)).then_some(held_up)
    }

    async fn poll(&mut self) {
        let began = Instant::now();
        let held_up = self.held_up(began);
        if let Some(held_up) = held_up {
            self.stalled(held_up);
        }
        let timeout = self.task.config.timeout;
        self.outbox.metrics().polls.inc();
        let late = began.saturating_duration_since(self.next_poll);
        self.outbox.metrics().late(late);
        let mut batch = Batch::at(Timestamp::now());
        self.last_poll = Some((began, batch.time()));
        let result = match self.open() {
            Ok(opened) => {
                let poll = AssertUnwindSafe(opened.poll(&mut batch)).catch_unwind();
                tokio::time::timeout(timeout, poll).await
            }
            Err(e) => Ok(Ok(Err(e))),
        };
        let took = began.elapsed();
        self.count(took);
        let findings = batch.take_findings();
        let samples = if std::mem::take(&mut self.early) {
            Urgency::Soon
        } else {
            Urgency::Grouped
        };
        self.send(batch, samples);
        let result = match result {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => {
                // what it left behind is not to be trusted
                self.opened = None;
                Err(panicked(&*panic))
            }
            Err(_) => {
                let overrun = took.saturating_sub(timeout);
                if overrun > SHORTEST_STALL {
                    self.stalled(overrun);
                    self.next_poll = Instant::now() + self.backoff.next();
                    return;
                }
                Err(PollError::too_slow(timeout))
            }
        };
        if let (Err(e), Some(_)) = (&result, held_up) {
            // connections do not survive a long sleep: ask once more before calling it down
            debug!(
                source = self.task.config.name.as_str(),
                error = %e,
                "a poll right after a stall failed and is repeated"
            );
            self.next_poll = Instant::now() + self.backoff.next();
            return;
        }
        self.outbox
            .metrics()
            .poll_seconds
            .observe(took.as_secs_f64());
        self.ended(result.map(|()| findings), took);
    }

    fn ended(&mut self, result: Result<Vec<Finding>, PollError>, took: Duration) {
        let name = self.task.config.name.as_str();
        let was_up = self.status.is_up();
        let failed = result.as_ref().err().cloned();
        let moved = self.status.polled(result, took);
        let now = Instant::now();
        match failed {
            None => {
                self.backoff.reset();
                self.paced(took);
                let began = self.last_poll.map_or(now, |(at, _)| at);
                self.next_poll = self.pace.next(began, now);
                if moved && !was_up {
                    info!(source = name, "source `{name}` is up");
                }
            }
            Some(e) => {
                self.outbox.metrics().failed(e.class.as_str());
                let wait = self.backoff.next().max(e.class.patience()).max(
                    e.retry_after
                        .unwrap_or_default()
                        .min(Duration::from_hours(1)),
                );
                self.next_poll = now + wait;
                if moved {
                    warn!(
                        source = name,
                        class = e.class.as_str(),
                        retry_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                        error = %e,
                        "source `{name}` is down: {e}"
                    );
                }
            }
        }
        // a report that is due before the next poll comes with this one, which saves a wake-up
        if moved || self.next_report <= now + self.task.config.interval / 2 {
            self.report();
        }
    }

    /// Counts what a poll cost.
    fn count(&mut self, took: Duration) {
        let metrics = self.outbox.metrics();
        metrics.busy.inc_by(took.as_secs_f64());
        let total = self.requests.total();
        metrics.requests.inc_by(total - self.counted);
        self.counted = total;
    }

    /// A service that answers slowly is asked less often, and one that is quick again as often as is configured.
    fn paced(&mut self, took: Duration) {
        let before = self.pace.interval();
        if !self.pace.took(took) {
            return;
        }
        let interval = self.pace.interval();
        self.status.paced(interval);
        self.outbox.metrics().interval.set(interval.as_secs_f64());
        let name = self.task.config.name.as_str();
        let (shown, took) = (
            schemas::time::format_duration(interval),
            format!("{:.1} s", took.as_secs_f64()),
        );
        if interval > before {
            info!(
                source = name,
                interval = shown,
                poll_seconds = took,
                "source `{name}` answers slowly: a poll takes {took}, so that it is polled every {shown} for now"
            );
        } else {
            info!(
                source = name,
                interval = shown,
                poll_seconds = took,
                "source `{name}` answers quickly again and is polled every {shown}"
            );
        }
        self.report();
    }

    fn stalled(&mut self, held_up: Duration) {
        let name = self.task.config.name.as_str();
        warn!(
            source = name,
            held_up_ms = u64::try_from(held_up.as_millis()).unwrap_or(u64::MAX),
            "the collector was held up, so source `{name}` was not polled in time"
        );
        self.status.stalled(held_up);
        self.report();
    }

    fn report(&mut self) {
        self.next_report = Instant::now() + HEARTBEAT;
        if !self.status.is_known() {
            return;
        }
        let config = &self.task.config;
        let (Ok(entity_type), Ok(id)) = (
            EntityType::new("source"),
            EntityId::new(config.name.as_str()),
        ) else {
            return;
        };
        let entity = Entity::new(entity_type, id)
            .with_label("kind", config.integration.kind().as_str())
            .with_label("agent", self.task.context.agent.as_str());
        let fields = self
            .status
            .report(self.outbox.dropped(), self.requests.total());
        let draft = self.draft(EventType::Source, Timestamp::now(), entity, fields);
        self.outbox.push([(draft, Urgency::Soon)]);
    }

    fn send(&mut self, batch: Batch, samples: Urgency) {
        let (events, too_many) = batch.into_parts();
        self.outbox.lost("too_many", too_many);
        if events.is_empty() {
            return;
        }
        self.status.observed(events.len());
        let mut invalid = 0;
        let drafts: Vec<_> = events
            .into_iter()
            .filter_map(|event| {
                let Observation {
                    event_type,
                    time,
                    entity,
                    fields,
                } = event;
                let draft = self.draft(event_type, time, entity, fields);
                if let Err(e) = draft.check() {
                    invalid += 1;
                    warn!(source = %draft.source, "an event of source `{}` is left out: {e}", draft.source);
                    return None;
                }
                let urgency = match event_type {
                    EventType::Sample => samples,
                    EventType::Change | EventType::Source => Urgency::Soon,
                };
                Some((draft, urgency))
            })
            .collect();
        self.outbox.lost("invalid", invalid);
        self.outbox.push(drafts);
    }

    fn draft(
        &self,
        event_type: EventType,
        time: Timestamp,
        entity: Entity,
        fields: Fields,
    ) -> Draft {
        Draft {
            source: self.task.config.name.clone(),
            kind: self.task.config.integration.kind().clone(),
            agent: Some(self.task.context.agent.clone()),
            event_type,
            time,
            entity,
            fields,
            identity: None,
        }
    }
}

async fn listen(
    opened: Option<&mut Box<dyn Opened>>,
    batch: &mut Batch,
) -> Result<Heard, PollError> {
    match opened {
        Some(opened) => AssertUnwindSafe(opened.listen(batch))
            .catch_unwind()
            .await
            .map_err(|panic| panicked(&*panic)),
        None => std::future::pending().await,
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> PollError {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    PollError::new(
        FailureClass::Other,
        format!("the integration panicked, which is a bug worth reporting: {text}"),
    )
}
