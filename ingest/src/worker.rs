use std::{sync::Arc, time::Duration};

use anyhow::Context;
use event_log::{DeadLetter, EventLog, Filter, ReadError, ReadQuery, Record};
use schemas::{Catalog, Position, SourceName};
use supervision::Supervisor;
use time_series::{QueryError, Selection, TimeSeries, WriteBatch, WriteError, Written};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    batch::{project_all, refused_letters},
    known::KnownEntities,
    metrics::{IngestMetrics, seconds_since},
    project::Limits,
    purge::{self, Split},
    retry::{Retried, Retry, Target, retry},
};

/// The name under which the log remembers how far the store's durable part has come.
pub const CONSUMER: &str = "ingest";

/// Events of one write to the store.
const BATCH: usize = 1_000;
/// How often the log is told what it may trim.
const REPORT_EVERY: Duration = Duration::from_mins(1);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// What ingest works with.
#[derive(Clone)]
pub struct Services {
    /// Where events come from.
    pub log: Arc<dyn EventLog>,
    /// Where points go.
    pub store: Arc<dyn TimeSeries>,
    /// Types of fields; warmed from the store at start.
    pub catalog: Arc<Catalog>,
    /// What the store takes.
    pub limits: Limits,
    /// Its own metrics.
    pub metrics: IngestMetrics,
}

/// A running ingest worker.
#[derive(Debug, Clone)]
pub struct Ingest {
    caught_up: watch::Receiver<bool>,
    retries: mpsc::Sender<Asked>,
}

/// Dead letters that somebody wants tried again, and where the answer goes.
type Asked = (
    Vec<DeadLetter>,
    oneshot::Sender<anyhow::Result<Vec<Retried>>>,
);

impl Ingest {
    /// Starts the worker as task `ingest`.
    pub fn start(supervisor: &Supervisor, services: Services) -> Self {
        let (tell, caught_up) = watch::channel(false);
        let token = supervisor.token();
        let (retries, asked) = mpsc::channel(4);
        supervisor.spawn("ingest", async move {
            let opened = tokio::select! {
                () = token.cancelled() => return Ok(()),
                opened = Worker::open(services, tell) => opened?,
            };
            opened.run(token, asked).await
        });
        Self { caught_up, retries }
    }

    /// Tries dead letters again, between two writes of the worker. One answer for each, in their order.
    ///
    /// # Errors
    /// The worker has stopped, or the log or the store cannot be reached.
    pub async fn retry(&self, letters: Vec<DeadLetter>) -> anyhow::Result<Vec<Retried>> {
        let (reply, answer) = oneshot::channel();
        self.retries
            .send((letters, reply))
            .await
            .map_err(|_| anyhow::anyhow!("ingest has stopped"))?;
        answer.await.context("ingest has stopped")?
    }

    /// Turns true when everything is in the store that was in the log at start; reads before that may miss the newest.
    pub fn caught_up(&self) -> watch::Receiver<bool> {
        self.caught_up.clone()
    }
}

struct Worker {
    services: Services,
    known: KnownEntities,
    position: Position,
    target: Position,
    reported: Option<Position>,
    caught_up: watch::Sender<bool>,
}

impl Worker {
    async fn open(services: Services, caught_up: watch::Sender<bool>) -> anyhow::Result<Self> {
        let (log, store, metrics) = (&services.log, &services.store, &services.metrics);
        let mut known = KnownEntities::default();
        let everything = Selection::default();
        let ask = || store.state(&everything, None);
        let state = until_answered(metrics, "known entities", ask).await?;
        known.take_over(state.entities);
        let types = until_answered(metrics, "known fields", || store.field_types()).await?;
        services.catalog.register_all(types);
        let bounds = until_answered(metrics, "bounds of the event log", || log.bounds()).await?;
        let position = until_answered(metrics, "position of the store", || store.position())
            .await?
            .unwrap_or_else(|| bounds.oldest.clone());
        let ask = || log.consumer_position(CONSUMER);
        let reported = until_answered(metrics, "what may be trimmed", ask).await?;
        let mut worker = Self {
            services,
            known,
            position,
            target: bounds.newest,
            reported,
            caught_up,
        };
        worker.report().await;
        Ok(worker)
    }

    async fn run(
        mut self,
        token: CancellationToken,
        mut asked: mpsc::Receiver<Asked>,
    ) -> anyhow::Result<()> {
        let mut newest = self.services.log.newest();
        let mut report_at = tokio::time::Instant::now() + REPORT_EVERY;
        let mut wait = FIRST_RETRY;
        loop {
            let Some(at_end) = self.step(&mut wait, &token).await? else {
                return Ok(());
            };
            if !*self.caught_up.borrow() && self.position.reaches(&self.target) {
                info!(position = %self.position, "the store has everything that the event log held at start");
                self.caught_up.send_replace(true);
            }
            if token.is_cancelled() {
                return Ok(());
            }
            if tokio::time::Instant::now() >= report_at {
                self.report().await;
                report_at = tokio::time::Instant::now() + REPORT_EVERY;
            }
            while let Ok((letters, reply)) = asked.try_recv() {
                let answer = self.retry(&letters).await;
                // who does not wait any more is not told
                drop(reply.send(answer));
            }
            if !at_end {
                continue;
            }
            let log_goes_on = tokio::select! {
                () = token.cancelled() => return Ok(()),
                Some((letters, reply)) = asked.recv() => {
                    let answer = self.retry(&letters).await;
                    drop(reply.send(answer));
                    true
                }
                // what it gives back holds a lock
                goes_on = async {
                    newest.wait_for(|newest| !self.position.reaches(newest)).await.is_ok()
                } => goes_on,
            };
            if !log_goes_on {
                // the log was closed: the process stops
                token.cancelled().await;
                return Ok(());
            }
        }
    }

    /// Takes one batch; tells whether the log had no more, or nothing if the process stops. `wait` grows while the log does not
    /// answer.
    async fn step(
        &mut self,
        wait: &mut Duration,
        token: &CancellationToken,
    ) -> anyhow::Result<Option<bool>> {
        let query = ReadQuery {
            filter: Filter::default(),
            limit: BATCH,
        };
        let batch = match self.services.log.read(&self.position, &query).await {
            Ok(batch) => batch,
            Err(ReadError::PositionGone { oldest, newest }) => {
                self.go_on_after_a_loss(oldest, &newest, token).await?;
                return Ok(Some(false));
            }
            Err(ReadError::Closed) => return Ok(Some(true)),
            Err(e) if e.is_transient() => {
                let goes_on = self.pause(wait, &e, token).await;
                return Ok(goes_on.then_some(false));
            }
            Err(e) => return Err(e).context("read the event log"),
        };
        *wait = FIRST_RETRY;
        if batch.next == self.position {
            return Ok(Some(batch.at_end));
        }
        self.take_all(&batch.records, batch.next, token).await?;
        self.show_lag(batch.records.last(), batch.at_end);
        Ok(Some(batch.at_end))
    }

    /// Takes records; where one marks a purge, what came before it is written, then its source goes from the store.
    async fn take_all(
        &mut self,
        records: &[Record],
        next: Position,
        token: &CancellationToken,
    ) -> anyhow::Result<()> {
        let mut rest = records;
        let mut reached = self.position.clone();
        while let Some(Split {
            before,
            mark,
            source,
            after,
            behind,
        }) = purge::split(rest, &reached)
        {
            self.take(before, mark.clone(), token).await?;
            // a position behind the mark would pass over the purge at the next start, if it is not done then
            if self.position != mark || !self.purge(source, token).await? {
                return Ok(());
            }
            self.known.forget(source);
            self.services.metrics.events.inc();
            (rest, reached) = (after, behind);
        }
        self.take(rest, next, token).await
    }

    /// Drops a source from the store, however long it takes nothing; false if the process stops.
    async fn purge(&self, source: &SourceName, token: &CancellationToken) -> anyhow::Result<bool> {
        let mut wait = FIRST_RETRY;
        loop {
            match self.services.store.purge(source).await {
                Ok(purged) => {
                    purge::tell(source, &purged);
                    return Ok(true);
                }
                Err(WriteError::Closed) => return Ok(false),
                Err(e) if !e.is_transient() => {
                    return Err(e).context("purge a source from the time-series store");
                }
                Err(e) => {
                    if !self.pause(&mut wait, &e, token).await {
                        return Ok(false);
                    }
                }
            }
        }
    }

    async fn take(
        &mut self,
        records: &[Record],
        next: Position,
        token: &CancellationToken,
    ) -> anyhow::Result<()> {
        let made = project_all(
            records,
            &self.services.catalog,
            &mut self.known,
            &self.services.limits,
        );
        let metrics = self.services.metrics.clone();
        metrics.clock_ahead.inc_by(made.ahead);
        let (entries, written) = (records.len() as u64, made.points.len() as u64);
        // letters first: once the position has moved, nothing would write them again
        if !self.put_aside(made.letters, token).await? {
            return Ok(());
        }
        let batch = WriteBatch {
            points: made.points,
            position: next,
        };
        let Some(Written { refused, .. }) = self.write(&batch, token).await? else {
            return Ok(());
        };
        let letters = refused_letters(records, &made.origins, &refused);
        metrics.refused.inc_by(letters.len() as u64);
        if !self.put_aside(letters, token).await? {
            return Ok(());
        }
        self.position = batch.position;
        metrics.events.inc_by(entries);
        metrics.points.inc_by(written);
        Ok(())
    }

    /// Writes to the store, however long it takes nothing; nothing if the process stops.
    async fn write(
        &self,
        batch: &WriteBatch,
        token: &CancellationToken,
    ) -> anyhow::Result<Option<Written>> {
        let mut wait = FIRST_RETRY;
        loop {
            match self.services.store.write(batch.clone()).await {
                Ok(written) => return Ok(Some(written)),
                Err(WriteError::Closed) => return Ok(None),
                Err(e) if !e.is_transient() => {
                    return Err(e).context("write to the time-series store");
                }
                Err(e) => {
                    if !self.pause(&mut wait, &e, token).await {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Puts letters aside; false if the process stops before they are.
    async fn put_aside(
        &self,
        letters: Vec<DeadLetter>,
        token: &CancellationToken,
    ) -> anyhow::Result<bool> {
        if letters.is_empty() {
            return Ok(true);
        }
        let mut wait = FIRST_RETRY;
        while let Err(e) = self.services.log.put_dead_letters(letters.clone()).await {
            if !e.is_transient() {
                return Err(e).context("put dead letters aside");
            }
            if !self.pause(&mut wait, &e, token).await {
                return Ok(false);
            }
        }
        self.services
            .metrics
            .put_aside(letters.iter().map(|l| l.reason.as_str()));
        Ok(true)
    }

    async fn retry(&self, letters: &[DeadLetter]) -> anyhow::Result<Vec<Retried>> {
        let services = Retry {
            log: self.services.log.as_ref(),
            store: Target::Alone(self.services.store.as_ref()),
            catalog: &self.services.catalog,
            limits: self.services.limits,
        };
        retry(letters, &services).await
    }

    /// Waits before a retry, longer each time. False if the process stops.
    async fn pause(
        &self,
        wait: &mut Duration,
        why: &(dyn std::error::Error + Sync),
        token: &CancellationToken,
    ) -> bool {
        self.services.metrics.retries.inc();
        warn!(
            retry_in_ms = wait.as_millis(),
            "events cannot go into the store now, will try again: {why}"
        );
        tokio::select! {
            () = token.cancelled() => false,
            () = tokio::time::sleep(*wait) => {
                *wait = (*wait * 2).min(LAST_RETRY);
                true
            }
        }
    }

    /// The log does not have what the store would need next.
    async fn go_on_after_a_loss(
        &mut self,
        oldest: Position,
        newest: &Position,
        token: &CancellationToken,
    ) -> anyhow::Result<()> {
        error!(
            wanted = %self.position, %oldest, %newest,
            "the event log does not hold the position that the store has reached: it was replaced, or trimmed too far; going on with what it has"
        );
        self.position = oldest;
        self.target = newest.clone();
        // moves the store's position too, or every start would say the same again
        let batch = WriteBatch {
            points: Vec::new(),
            position: self.position.clone(),
        };
        self.write(&batch, token).await.map(drop)
    }

    fn show_lag(&self, last: Option<&Record>, at_end: bool) {
        let metrics = &self.services.metrics;
        let behind = self
            .services
            .log
            .newest()
            .borrow()
            .events_since(&self.position);
        metrics
            .lag_events
            .set(i64::try_from(behind).unwrap_or(i64::MAX));
        let seconds = match last {
            Some(record) if !at_end => seconds_since(record.logged),
            _ => 0.0,
        };
        metrics.lag_seconds.set(seconds);
    }

    /// Tells the log what the store has made durable, so that no more than that is trimmed.
    async fn report(&mut self) {
        let durable = match self.services.store.durable_position().await {
            Ok(durable) => durable.unwrap_or_else(|| Position::start(self.position.partitions())),
            Err(e) => {
                warn!("cannot tell the event log what may be trimmed: {e}");
                return;
            }
        };
        if self.reported.as_ref() == Some(&durable) {
            return;
        }
        match self
            .services
            .log
            .set_consumer_position(CONSUMER, &durable)
            .await
        {
            Ok(()) => self.reported = Some(durable),
            Err(e) => warn!("cannot tell the event log what may be trimmed: {e}"),
        }
    }
}

/// Whether asking again may bring an answer.
trait Passes: std::error::Error + Send + Sync + 'static {
    fn passes(&self) -> bool;
}

impl Passes for ReadError {
    fn passes(&self) -> bool {
        self.is_transient()
    }
}

impl Passes for QueryError {
    fn passes(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// Asks until there is an answer, less and less often.
async fn until_answered<T, E: Passes, F: Future<Output = Result<T, E>>>(
    metrics: &IngestMetrics,
    what: &'static str,
    ask: impl Fn() -> F,
) -> anyhow::Result<T> {
    let mut wait = FIRST_RETRY;
    loop {
        match ask().await {
            Err(e) if e.passes() => {
                metrics.retries.inc();
                warn!(
                    retry_in_ms = wait.as_millis(),
                    "ingest cannot begin yet ({what}), will try again: {e}"
                );
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LAST_RETRY);
            }
            answer => return answer.context(what),
        }
    }
}
