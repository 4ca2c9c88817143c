use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use event_log::{Batch, DestinationError, Filter, ReadError, ReadQuery};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, Fuse, FusedFuture},
    stream::FuturesUnordered,
};
use schemas::{Position, SourceName, Timestamp};
use supervision::Supervisor;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    Options, Services, State, Status,
    flight::{Landed, fly, letter_of, tell_refused},
    keeper::{Keeper, SpoolError},
    known::Known,
    mood::Mood,
    reconcile::{Reconciled, claim, letters, reconcile},
    window::{Bounds, Want, Window},
};

/// Most events of one read of the spool.
const PAGE: usize = 1000;
/// The spool is trimmed, and looked at whether it overflows, at each of so many upkeeps.
const TEND_EVERY: u32 = 15;
/// A flight without an answer for so long means that the destination is away.
const SILENCE: Duration = Duration::from_secs(30);
/// How often it is looked for sources with events ahead of a full window.
const LOOK: Duration = Duration::from_millis(50);
/// Most bytes in memory for each event that may be in memory.
const BYTES_PER_EVENT: usize = 2048;
/// How long a read of the spool that failed waits.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Ships a spool. A handle: the work is a task of the supervisor.
#[derive(Clone, Debug)]
pub struct Shipper {
    status: watch::Receiver<Status>,
}

impl Shipper {
    /// Starts to ship in a task named `shipper`. It goes on until the supervisor says stop, then waits a moment for what is
    /// in flight. It ends by itself only where going on would be wrong: another agent has one of the sources, or the spool
    /// is closed or broken.
    pub fn start(supervisor: &Supervisor, services: Services, options: Options) -> Self {
        let (tell, status) = watch::channel(Status {
            state: State::Starting,
            backlog: 0,
            oldest: None,
        });
        supervisor.spawn("shipper", run(services, options, tell, supervisor.token()));
        Self { status }
    }

    /// How it goes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

/// What is asked of the destination besides appends.
enum Answer {
    Reconciled(Result<Reconciled, DestinationError>),
    Claimed(Vec<SourceName>, Result<(), DestinationError>),
}

type Asking = Fuse<BoxFuture<'static, Answer>>;
type Reading = Fuse<BoxFuture<'static, (Want, Result<Batch, ReadError>)>>;

async fn run(
    services: Services,
    options: Options,
    tell: watch::Sender<Status>,
    token: CancellationToken,
) -> anyhow::Result<()> {
    if services.spool.capabilities().partitions != 1 {
        bail!("a spool has one partition: this log cannot be one");
    }
    let keeper = Keeper::open(
        Arc::clone(&services.spool),
        services.agent.clone(),
        services.metrics.clone(),
        &options,
    )
    .await
    .context("the spool")?;
    let letters = letters(&*services.spool).await?;
    let bounds = Bounds {
        events: options.window_events.max(1),
        bytes: options.window_events.max(1) * BYTES_PER_EVENT,
    };
    let start = keeper.committed();
    let voyage = Voyage {
        mood: Mood::new(
            services.destination.name(),
            services.metrics.clone(),
            &options,
        ),
        window: Window::new(bounds, (start, start), Known::default(), letters),
        flights: FuturesUnordered::new(),
        newest: services.spool.newest(),
        services,
        options,
        keeper,
        tell,
        connected: false,
        begun: false,
        told_lost: false,
        looked: None,
        read_after: None,
        upkeeps: 0,
        quiet_since: None,
    };
    voyage.run(token).await
}

struct Voyage {
    services: Services,
    options: Options,
    tell: watch::Sender<Status>,
    newest: watch::Receiver<Position>,
    keeper: Keeper,
    window: Window,
    mood: Mood,
    flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// Since when something is in the air without an answer.
    quiet_since: Option<Instant>,
    /// Whether both sides know of each other what they have.
    connected: bool,
    /// Whether that was ever so.
    begun: bool,
    told_lost: bool,
    looked: Option<Instant>,
    read_after: Option<Instant>,
    upkeeps: u32,
}

impl Voyage {
    async fn run(mut self, token: CancellationToken) -> anyhow::Result<()> {
        let mut upkeep = tokio::time::interval(self.options.upkeep.max(Duration::from_millis(1)));
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reading: Reading = Fuse::terminated();
        let mut asking: Asking = Fuse::terminated();
        loop {
            let paused = self.mood.paused();
            if paused.is_none() {
                self.launch();
                if asking.is_terminated() {
                    asking = self.ask();
                }
            }
            if reading.is_terminated() && self.begun {
                self.look_ahead().await;
                reading = self.read();
            }
            let read_after = self.read_after;
            tokio::select! {
                () = token.cancelled() => break,
                Some(landed) = self.flights.next(), if !self.flights.is_empty() => {
                    self.landed(landed)?;
                }
                (want, batch) = &mut reading, if !reading.is_terminated() => {
                    self.take_in(&want, batch).await?;
                }
                answer = &mut asking, if !asking.is_terminated() => self.answered(answer)?,
                _ = upkeep.tick() => self.upkeep().await?,
                moved = self.newest.changed(), if reading.is_terminated() => {
                    moved.context("the spool was closed")?;
                }
                () = until(paused), if paused.is_some() => {}
                () = until(read_after), if read_after.is_some() => self.read_after = None,
            }
        }
        drop(reading);
        drop(asking);
        self.finish().await;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.newest.borrow().offset(0)
    }

    fn backlog(&self) -> u64 {
        self.end().saturating_sub(self.position())
    }

    /// Never before what was written down: what was dropped may still be in the air.
    fn position(&self) -> u64 {
        self.window.position().max(self.keeper.committed())
    }

    fn launch(&mut self) {
        while self.connected && self.flights.len() < self.options.in_flight.max(1) {
            let slots = self.options.in_flight.max(1) - self.flights.len();
            let most = self
                .options
                .batch_events
                .min(self.services.destination.most_events())
                .max(1);
            let Some(flight) = self.window.take(most, slots) else {
                return;
            };
            self.quiet_since.get_or_insert_with(Instant::now);
            self.flights
                .push(Box::pin(fly(self.services.clone(), flight)));
        }
    }

    /// What is to be asked before events may go.
    fn ask(&self) -> Asking {
        let services = self.services.clone();
        if !self.connected {
            if !self.flights.is_empty() {
                return Fuse::terminated();
            }
            // taking over is meant once
            let take_over = self.options.take_over && !self.begun;
            return async move { Answer::Reconciled(reconcile(services, take_over).await) }
                .boxed()
                .fuse();
        }
        let sources = self.window.unclaimed();
        if sources.is_empty() {
            return Fuse::terminated();
        }
        let take_over = self.options.take_over;
        async move {
            let result = claim(&services, &sources, take_over).await;
            Answer::Claimed(sources, result)
        }
        .boxed()
        .fuse()
    }

    fn answered(&mut self, answer: Answer) -> anyhow::Result<()> {
        match answer {
            Answer::Reconciled(Ok(reconciled)) => self.reconciled(reconciled)?,
            Answer::Claimed(sources, Ok(())) => self.window.claimed(&sources),
            Answer::Reconciled(Err(e)) | Answer::Claimed(_, Err(e)) => self.failed(&e)?,
        }
        Ok(())
    }

    fn reconciled(&mut self, found: Reconciled) -> anyhow::Result<()> {
        if let Some(message) = found.older(self.services.destination.name()) {
            bail!("{message}");
        }
        self.connected = true;
        let committed = self.keeper.committed();
        let begin = if self.begun {
            // what was acknowledged and is gone, is sent again
            (!self.window.learn(found.known)).then_some(found.oldest)
        } else {
            let lacks = found
                .states
                .iter()
                .any(|state| found.known.last(&state.source, &state.epoch) < state.last_seq);
            self.window.learn(found.known);
            Some(if lacks { found.oldest } else { committed })
        };
        if let Some(from) = begin {
            self.window.restart(from.min(committed), committed);
            self.told_lost = false;
        }
        self.begun = true;
        self.window.claimed(&found.sources);
        if self.backlog() == 0 {
            self.mood.well(0);
        }
        Ok(())
    }

    fn failed(&mut self, why: &DestinationError) -> anyhow::Result<()> {
        if let DestinationError::Claimed { message } = why {
            bail!("{message}");
        }
        self.connected = false;
        let backlog = self.backlog();
        self.mood.failed(why, backlog);
        Ok(())
    }

    fn landed(&mut self, landed: Landed) -> anyhow::Result<()> {
        self.quiet_since = (!self.flights.is_empty()).then(Instant::now);
        let Landed { flight, result } = landed;
        match result {
            Ok(taken) => {
                let metrics = &self.services.metrics;
                metrics.shipped.inc_by(taken.appended as u64);
                metrics.duplicates.inc_by(taken.duplicates as u64);
                metrics.refused.inc_by(taken.refused.len() as u64);
                for refusal in &taken.refused {
                    if let Some(item) = flight.items.get(refusal.index) {
                        self.window.buried(item.offset);
                    }
                }
                tell_refused(self.services.destination.name(), &flight, &taken);
                self.window.acknowledge(&flight);
                if self.connected {
                    let backlog = self.backlog();
                    self.mood.well(backlog);
                }
                Ok(())
            }
            Err(e) => {
                self.window.give_back(flight);
                self.failed(&e)
            }
        }
    }

    async fn look_ahead(&mut self) {
        if !self.window.asks_for_hungry() || self.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        // whoever is not found now is found in a moment
        if let Ok(states) = self.services.spool.sequences().await {
            self.window.look_ahead(&states);
        }
    }

    fn read(&mut self) -> Reading {
        let end = self.newest.borrow_and_update().offset(0);
        if self.read_after.is_some() {
            return Fuse::terminated();
        }
        let Some(want) = self.window.want(end) else {
            return Fuse::terminated();
        };
        let spool = Arc::clone(&self.services.spool);
        async move {
            let (from, sources) = match &want {
                Want::Ahead(from) => (*from, Vec::new()),
                Want::Behind(from, sources) => (*from, sources.clone()),
            };
            let query = ReadQuery {
                filter: Filter {
                    sources,
                    ..Filter::default()
                },
                limit: PAGE,
            };
            let batch = spool
                .read(&Position::from_offsets(vec![from]), &query)
                .await;
            (want, batch)
        }
        .boxed()
        .fuse()
    }

    async fn take_in(
        &mut self,
        want: &Want,
        batch: Result<Batch, ReadError>,
    ) -> anyhow::Result<()> {
        match batch {
            Ok(batch) => {
                let unreadable = self.window.offer(want, &batch);
                if !unreadable.is_empty() {
                    let letters = unreadable.iter().map(letter_of).collect();
                    self.services.spool.put_dead_letters(letters).await?;
                    let events = unreadable.len();
                    error!(
                        events,
                        "{events} entries of the spool cannot be read, they are dead letters now"
                    );
                }
            }
            Err(ReadError::PositionGone { oldest, .. }) => {
                warn!("the spool was trimmed by somebody else, shipping goes on after that");
                self.window.drop_below(oldest.offset(0));
                self.read_after = Some(Instant::now() + READ_AGAIN);
            }
            Err(ReadError::Closed) => bail!("the spool was closed"),
            Err(e) => {
                error!(
                    retry_in_ms = READ_AGAIN.as_millis(),
                    "the spool cannot be read, will try again: {e}"
                );
                self.read_after = Some(Instant::now() + READ_AGAIN);
            }
        }
        Ok(())
    }

    fn tell_lost(&mut self) {
        let events = self.window.lost();
        if events == 0 || self.told_lost || self.window.position() < self.keeper.committed() {
            return;
        }
        self.told_lost = true;
        self.services.metrics.rewinds.inc();
        let name = self.services.destination.name();
        warn!(
            events,
            "{name} had lost {events} events that it had acknowledged: they were sent again from the spool"
        );
    }

    async fn upkeep(&mut self) -> anyhow::Result<()> {
        let position = self.position();
        let mut tended = self.keeper.commit(position).await;
        if tended.is_ok() && self.upkeeps == 0 {
            tended = self.keeper.tend(&mut self.window).await;
        }
        self.upkeeps = (self.upkeeps + 1) % TEND_EVERY;
        if let Err(e) = tended {
            spool_failed(&e)?;
        }
        self.tell_lost();
        let backlog = self.backlog();
        if let Some(since) = self.quiet_since.map(|since| since.elapsed())
            && since > SILENCE
        {
            self.mood.silent(since, backlog);
        }
        let oldest = self.window.oldest();
        let metrics = &self.services.metrics;
        metrics
            .backlog
            .set(i64::try_from(backlog).unwrap_or(i64::MAX));
        metrics
            .oldest
            .set(oldest.map_or(0, |oldest| Timestamp::now().since(oldest).max(0) / 1000));
        self.tell.send_replace(Status {
            state: self.mood.state().clone(),
            backlog,
            oldest,
        });
        Ok(())
    }

    /// Waits a moment for what is in the air, and writes down how far it came.
    async fn finish(&mut self) {
        let landing = async {
            while let Some(landed) = self.flights.next().await {
                match landed.result {
                    Ok(_) => self.window.acknowledge(&landed.flight),
                    Err(_) => self.window.give_back(landed.flight),
                }
            }
        };
        // what has not landed by then is sent again at the next start, and known there as a duplicate
        drop(tokio::time::timeout(self.options.grace, landing).await);
        let position = self.position();
        if let Err(e) = self.keeper.commit(position).await {
            warn!("how far the spool was shipped was not written down: {e}");
        }
    }
}

/// A spool that is broken ends the shipper; one that is full goes on.
fn spool_failed(e: &SpoolError) -> anyhow::Result<()> {
    use event_log::AppendError;
    match e {
        SpoolError::Append(AppendError::Closed | AppendError::Broken { .. })
        | SpoolError::Read(ReadError::Closed) => bail!("the spool: {e}"),
        _ => {
            warn!("the spool could not be tended, will try again: {e}");
            Ok(())
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
