use std::{sync::Arc, time::Duration};

use anyhow::Context;
use event_log::{EventLog, Filter, ReadError, ReadQuery, Record};
use schemas::{Catalog, Position, Timestamp};
use supervision::Supervisor;
use time_series::{Selection, TimeSeries, WriteBatch, WriteError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    known::KnownEntities,
    metrics::{IngestMetrics, ReasonLabel},
    project::{Limits, project},
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
}

impl Ingest {
    /// Starts the worker as task `ingest`.
    pub fn start(supervisor: &Supervisor, services: Services) -> Self {
        let (tell, caught_up) = watch::channel(false);
        let token = supervisor.token();
        supervisor.spawn("ingest", async move {
            Worker::open(services, tell).await?.run(token).await
        });
        Self { caught_up }
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
        let mut known = KnownEntities::default();
        let state = services
            .store
            .state(&Selection::default(), None)
            .await
            .context("known entities")?;
        for entity in &state.entities {
            known.insert(&entity.key, &entity.labels, entity.fields.keys().cloned());
        }
        for (entity_type, field, value) in
            services.store.field_types().await.context("known fields")?
        {
            services.catalog.register(entity_type, field, value);
        }
        let bounds = services
            .log
            .bounds()
            .await
            .context("bounds of the event log")?;
        let position = services
            .store
            .position()
            .await?
            .unwrap_or_else(|| bounds.oldest.clone());
        let reported = services.log.consumer_position(CONSUMER).await?;
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

    async fn run(mut self, token: CancellationToken) -> anyhow::Result<()> {
        let mut newest = self.services.log.newest();
        let mut report_at = tokio::time::Instant::now() + REPORT_EVERY;
        loop {
            let at_end = self.step(&token).await?;
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
            if !at_end {
                continue;
            }
            let log_goes_on = tokio::select! {
                () = token.cancelled() => return Ok(()),
                changed = newest.wait_for(|newest| !self.position.reaches(newest)) => changed.is_ok(),
            };
            if !log_goes_on {
                // the log was closed: the process stops
                token.cancelled().await;
                return Ok(());
            }
        }
    }

    /// Takes one batch; tells whether the log had no more.
    async fn step(&mut self, token: &CancellationToken) -> anyhow::Result<bool> {
        let query = ReadQuery {
            filter: Filter::default(),
            limit: BATCH,
        };
        let batch = match self.services.log.read(&self.position, &query).await {
            Ok(batch) => batch,
            Err(ReadError::PositionGone { oldest, newest }) => {
                self.go_on_after_a_loss(oldest, &newest).await?;
                return Ok(false);
            }
            Err(ReadError::Closed) => return Ok(true),
            Err(e) => return Err(e).context("read the event log"),
        };
        if batch.next == self.position {
            return Ok(batch.at_end);
        }
        self.take(&batch.records, batch.next, token).await?;
        self.show_lag(batch.records.last(), batch.at_end);
        Ok(batch.at_end)
    }

    async fn take(
        &mut self,
        records: &[Record],
        next: Position,
        token: &CancellationToken,
    ) -> anyhow::Result<()> {
        let metrics = &self.services.metrics;
        let mut points = Vec::with_capacity(records.len());
        let mut letters = Vec::new();
        for record in records {
            let made = project(
                record,
                &self.services.catalog,
                &mut self.known,
                &self.services.limits,
            );
            metrics
                .clock_ahead
                .inc_by(u64::from(made.ahead_millis.is_some()));
            points.extend(made.point);
            letters.extend(made.letters);
        }
        let (entries, written) = (records.len() as u64, points.len() as u64);
        // letters first: once the position has moved, nothing would write them again
        if !letters.is_empty() {
            let reasons: Vec<_> = letters
                .iter()
                .map(|l| ReasonLabel {
                    reason: l.reason.clone(),
                })
                .collect();
            let mut wait = FIRST_RETRY;
            while let Err(e) = self.services.log.put_dead_letters(letters.clone()).await {
                if !e.is_transient() {
                    return Err(e).context("put dead letters aside");
                }
                if !self.pause(&mut wait, &e.to_string(), token).await {
                    return Ok(());
                }
            }
            for reason in &reasons {
                metrics.dead_letters.get_or_create(reason).inc();
            }
        }
        let batch = WriteBatch {
            points,
            position: next,
        };
        let mut wait = FIRST_RETRY;
        while let Err(e) = self.services.store.write(batch.clone()).await {
            if matches!(e, WriteError::Closed) {
                return Ok(());
            }
            if !e.is_transient() {
                return Err(e).context("write to the time-series store");
            }
            if !self.pause(&mut wait, &e.to_string(), token).await {
                return Ok(());
            }
        }
        self.position = batch.position;
        metrics.events.inc_by(entries);
        metrics.points.inc_by(written);
        Ok(())
    }

    /// Waits before a retry, longer each time. False if the process stops.
    async fn pause(&self, wait: &mut Duration, why: &str, token: &CancellationToken) -> bool {
        self.services.metrics.retries.inc();
        warn!(
            retry_in_ms = wait.as_millis(),
            error = why,
            "the store cannot take events now, will try again: {why}"
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
    ) -> anyhow::Result<()> {
        error!(
            wanted = %self.position, %oldest, %newest,
            "the event log does not hold the position that the store has reached: it was replaced, or trimmed too far; going on with what it has"
        );
        self.position = oldest;
        self.target = newest.clone();
        // moves the store's position too, or every start would say the same again
        self.services
            .store
            .write(WriteBatch {
                points: Vec::new(),
                position: self.position.clone(),
            })
            .await?;
        Ok(())
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
            Some(record) if !at_end => {
                millis_to_seconds(Timestamp::now().since(record.logged).max(0))
            }
            _ => 0.0,
        };
        metrics.lag_seconds.set(seconds);
    }

    /// Tells the log what the store has made durable, so that no more than that is trimmed.
    async fn report(&mut self) {
        let durable = match self.services.store.durable_position().await {
            Ok(durable) => durable.unwrap_or_else(|| Position::start(self.position.partitions())),
            Err(e) => {
                warn!(error = %e, "cannot tell the event log what may be trimmed: {e}");
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
            Err(e) => warn!(error = %e, "cannot tell the event log what may be trimmed: {e}"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a lag for people")]
fn millis_to_seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
