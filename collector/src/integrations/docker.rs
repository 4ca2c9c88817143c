//! The containers of a Docker Engine, or of what speaks its API.
//!
//! Only GET requests, so that a read-only socket proxy can stand before the engine. A poll lists containers and reads
//! what each uses; between polls the engine's event stream tells what happens, and each list finds what that missed.

mod address;
mod containers;
mod identity;
mod images;
mod labels;
mod listed;
mod metrics;
mod notice;
mod sample;
mod secure;
mod stats;
#[cfg(test)]
mod tests;
mod transport;
mod wire;

use std::time::Duration;

use bollard::{errors::Error, models::EventMessage, query_parameters::StatsOptions};
use futures::{FutureExt, StreamExt, stream::BoxStream};
use schemas::{
    Entity, Fields, MetricDef, Timestamp,
    name::{EntityId, EntityType},
};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use crate::{
    Batch, Context, FailureClass, OpenError, PollError, Supplier,
    backoff::{Backoff, seed_of},
    integration::{Heard, Integration, Typed},
};
use address::Address;
use containers::{Containers, MOST};
use images::Images;
use labels::Found;
use listed::Listed;
use metrics::METRICS;
use notice::{Notice, is_about_images, nanos_of, wanted};
use secure::EngineTls;
use transport::{Engine, agreeable, explain};
use wire::{ImageRow, Info, Inspected, Row};

pub(super) static INTEGRATION: Typed<Docker> = Typed::new();

/// Most bytes of one poll: a thousand containers with long labels.
const POLL_BYTES: u64 = 32 * 1024 * 1024;
/// Most bytes of one event.
const EVENT_BYTES: u64 = 1024 * 1024;
/// Most requests at a time.
const IN_FLIGHT: usize = 8;
/// Most events that are taken in before they are sent on.
const EVENTS_TOGETHER: usize = 256;
/// How often the engine itself, and a container that does not run, are told.
const SLOW: Duration = Duration::from_mins(1);
/// Most containers that do not run which are looked at in one poll.
const INSPECTED_TOGETHER: usize = 64;
/// An event stream that lived so long worked; proxies end even the best one when nothing was said for a while.
const WORKED: Duration = Duration::from_secs(1);
/// How soon an event stream that was refused is tried again.
const REFUSED: Duration = Duration::from_mins(5);

/// Options of a source of kind `docker`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Params {
    /// Where the engine, or a proxy before it, listens.
    pub(crate) url: String,
    /// Whom an engine behind TLS must be, and who we are.
    tls: Option<EngineTls>,
    /// Whether containers may ask by their labels to be watched as services.
    discover: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self::at("unix:///var/run/docker.sock".to_owned())
    }
}

impl Params {
    /// An engine at an address without TLS.
    pub(crate) const fn at(url: String) -> Self {
        Self {
            url,
            tls: None,
            discover: true,
        }
    }
}

type Events = BoxStream<'static, Result<EventMessage, Error>>;

/// Reads one engine.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on each other"
)]
pub(crate) struct Docker {
    address: Address,
    polls: Engine,
    events: Engine,
    stream: Option<Events>,
    opened_at: Instant,
    connect_at: Instant,
    backoff: Backoff,
    refused: bool,
    since_nanos: i64,
    containers: Containers,
    images: Images,
    found: Found,
    discover: bool,
    context: Context,
    engine: EntityType,
    version: Option<String>,
    info: Option<Info>,
    /// How far the engine's clock is ahead of ours, in nanoseconds.
    ahead_nanos: Option<i64>,
    info_at: Option<Instant>,
    counted: Option<([i64; 3], Instant)>,
    listed: bool,
    too_many: bool,
    /// A container was read for the first time: its CPU is the difference to a second reading, which need not wait for
    /// the next poll.
    poll_again: bool,
}

impl Integration for Docker {
    const KIND: &'static str = "docker";
    const HELP: &'static str = "A Docker Engine and its containers: state, CPU, memory, network, disks, and what happens to them";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# Where the engine listens: unix:///path/to/its.sock, tcp://host:2375, or https://host:2376 for TLS. Only GET requests are
# made, so a read-only socket proxy that allows containers, events, images, info and version is enough.
# url = "unix:///var/run/docker.sock"
# For TLS: the authority that signed the engine's certificate, and a client certificate of ours with its key. Instead of ca
# also fingerprint = "sha256:…". Whoever holds such a key controls the engine: let only Homelog read it.
# tls = { ca = "ca.pem", cert = "cert.pem", key = "key.pem" }
# Whether containers may ask by labels to be watched as services: homelog.enable, homelog.kind, homelog.url …
# discover = true
"#;
    type Params = Params;

    fn open(params: Params, context: &Context) -> Result<Self, OpenError> {
        let address = Address::parse(&params.url, params.tls.is_some())
            .map_err(|why| OpenError::at("url", why))?;
        let tls = EngineTls::connector(params.tls.as_ref(), &address)?;
        let task = format!("collect/{}/connection", context.source);
        let engine = || {
            Engine::new(&address, tls.as_ref(), &context.supervisor, &task)
                .map_err(|e| OpenError::at("url", e.to_string()))
        };
        Ok(Self {
            polls: engine()?,
            events: engine()?,
            stream: None,
            opened_at: Instant::now(),
            connect_at: Instant::now(),
            backoff: Backoff::new(seed_of(context.source.as_str())),
            refused: false,
            since_nanos: unix_nanos(Timestamp::now()),
            ahead_nanos: None,
            containers: Containers::new(EntityType::new("container")?),
            images: Images::new(EntityType::new("docker_image")?),
            found: Found::default(),
            discover: params.discover,
            context: context.clone(),
            engine: EntityType::new("docker_engine")?,
            version: None,
            info: None,
            info_at: None,
            counted: None,
            listed: false,
            too_many: false,
            poll_again: false,
            address,
        })
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        self.polls.budget.fill(POLL_BYTES);
        self.learn_engine().await?;
        // what is said already is older than the list that follows
        self.take_ready(batch);
        let listed = self.list().await?;
        let missed = self.containers.reconcile(&listed, !self.refused, batch);
        self.listed = true;
        if missed && self.stream.take().is_some() {
            debug!(source = %self.address, "the event stream missed something and is opened again");
        }
        self.discover(&listed, batch);
        self.learn_images(batch).await;
        self.tell_engine(&listed, batch);
        let host = self.engine_name();
        self.images.tell(&listed, &host, batch);
        self.tell_containers(&listed, batch).await
    }

    async fn listen(&mut self, batch: &mut Batch) -> Heard {
        if !self.listed {
            std::future::pending::<()>().await;
        }
        if std::mem::take(&mut self.poll_again) {
            return Heard::PollNow;
        }
        loop {
            if self.stream.is_none() {
                sleep_until(self.connect_at).await;
                self.opened_at = Instant::now();
                self.events.budget.fill(EVENT_BYTES);
                self.stream = Some(
                    self.events
                        .client
                        .events(Some(wanted(self.since_nanos)))
                        .boxed(),
                );
            }
            let Some(stream) = self.stream.as_mut() else {
                continue;
            };
            let Some(message) = stream.next().await else {
                self.lost_stream(None);
                continue;
            };
            let mut poll_now = self.take(message, batch);
            poll_now |= self.take_ready(batch);
            if poll_now {
                return Heard::PollNow;
            }
            if !batch.is_empty() {
                return Heard::Events;
            }
        }
    }

    fn is_reading(&self) -> bool {
        self.poll_again
    }
}

impl Docker {
    /// Whether something takes connections at an address.
    pub(crate) async fn answers(url: &str) -> bool {
        match Address::parse(url, false) {
            Ok(address) => address.connect(None).await.is_ok(),
            Err(_) => false,
        }
    }

    fn explain(&self, error: &Error) -> PollError {
        explain(error, &self.address)
    }

    /// Asks the engine once for its version, and now and then for what it says of itself; a proxy may refuse both.
    async fn learn_engine(&mut self) -> Result<(), PollError> {
        if self.version.is_none() {
            match self.polls.client.version().await {
                Ok(version) => {
                    if let Some(agreed) = version.api_version.as_deref().and_then(agreeable) {
                        self.polls.agree_on(&agreed);
                        self.events.agree_on(&agreed);
                    }
                    self.version = Some(version.version.unwrap_or_default());
                }
                Err(e) if is_refusal(&e) => self.version = Some(String::new()),
                Err(e) => return Err(self.explain(&e)),
            }
        }
        if self.info_at.is_none_or(|at| at.elapsed() >= SLOW) {
            self.info_at = Some(Instant::now());
            match self.polls.get::<Info>("/info").await {
                Ok(info) => self.learn_clock(&info),
                // nothing but a name and two sizes is lost
                Err(e) => {
                    debug!(source = %self.address, "the engine does not tell about itself: {e}");
                }
            }
            let name = self.engine_name();
            self.containers.set_engine(&name);
        }
        Ok(())
    }

    /// Events are asked for by the engine's clock, which on another machine is not ours.
    fn learn_clock(&mut self, info: &Info) {
        let now = Timestamp::now();
        let theirs = info
            .system_time
            .as_deref()
            .and_then(|text| Timestamp::parse(text, now).ok());
        if let Some(theirs) = theirs {
            let ahead = theirs.since(now).saturating_mul(1_000_000);
            if self.ahead_nanos.is_none() {
                self.since_nanos = self.since_nanos.saturating_add(ahead);
            }
            self.ahead_nanos = Some(ahead);
        }
        self.info = Some(info.clone());
    }

    /// Now, by the engine's clock.
    fn engine_now(&self) -> i64 {
        unix_nanos(Timestamp::now()).saturating_add(self.ahead_nanos.unwrap_or(0))
    }

    /// Looks what images there are, now and then; a proxy may refuse it.
    async fn learn_images(&mut self, batch: &mut Batch) {
        if self.images.is_due() {
            match self.polls.list::<ImageRow>("/images/json").await {
                Ok(rows) => {
                    let host = self.engine_name();
                    self.images.take(rows, &host, batch);
                }
                Err(e) => {
                    let refused = is_refusal(&e);
                    self.images.failed(refused);
                    debug!(source = %self.address, "the engine does not tell its images: {e}");
                }
            }
        }
        for (_, known) in self.containers.iter_mut() {
            known.compare_image(&self.images);
        }
    }

    /// Starts and ends what containers ask for.
    fn discover(&mut self, listed: &[Listed], batch: &mut Batch) {
        if !self.discover {
            return;
        }
        let found = self
            .found
            .take(listed, &mut self.containers, &self.context, batch);
        if let Some(sources) = found {
            let finder = Supplier::Source(self.context.source.clone());
            self.context.sources.apply(finder, sources);
        }
    }

    fn engine_name(&self) -> String {
        let told = self
            .info
            .as_ref()
            .and_then(|info| info.name.as_deref())
            .filter(|name| !name.is_empty());
        match (told, &self.address) {
            (Some(name), _) => name.chars().filter(|c| !c.is_control()).take(128).collect(),
            (None, Address::Unix(_)) => self.context.hostname.to_string(),
            (None, Address::Tcp { host, .. }) => host.clone(),
        }
    }

    async fn list(&mut self) -> Result<Vec<Listed>, PollError> {
        let rows: Vec<Row> = self
            .polls
            .list("/containers/json?all=true")
            .await
            .map_err(|e| self.explain(&e))?;
        let any = !rows.is_empty();
        let mut listed: Vec<_> = rows.into_iter().filter_map(Listed::of).collect();
        if any && listed.is_empty() {
            return Err(PollError::new(
                FailureClass::BadAnswer,
                format!(
                    "{} lists containers without ids and names: is it a Docker Engine?",
                    self.address
                ),
            ));
        }
        if listed.len() > MOST {
            if !std::mem::replace(&mut self.too_many, true) {
                warn!(
                    source = %self.address,
                    containers = listed.len(),
                    "{} has {} containers, the first {MOST} are told: running ones, then the oldest", self.address, listed.len()
                );
            }
            listed.sort_by(|a, b| {
                (!a.is_alive(), a.created, &a.engine_id).cmp(&(
                    !b.is_alive(),
                    b.created,
                    &b.engine_id,
                ))
            });
            listed.truncate(MOST);
        }
        Ok(listed)
    }

    fn tell_engine(&mut self, listed: &[Listed], batch: &mut Batch) {
        let count = |states: &[&str]| {
            let with = listed
                .iter()
                .filter(|l| states.contains(&l.state.as_str()))
                .count();
            i64::try_from(with).unwrap_or(i64::MAX)
        };
        let running = count(&["running", "restarting"]);
        let paused = count(&["paused"]);
        let all = i64::try_from(listed.len()).unwrap_or(i64::MAX);
        let counts = [running, paused, all - running - paused];
        if self
            .counted
            .is_some_and(|(before, at)| before == counts && at.elapsed() < SLOW)
        {
            return;
        }
        let name = self.engine_name();
        let Ok(id) = EntityId::new(&name) else { return };
        self.counted = Some((counts, Instant::now()));
        let [running, paused, stopped] = counts;
        let mut fields = Fields::new();
        fields
            .set("containers_running_count", running)
            .set("containers_paused_count", paused)
            .set("containers_stopped_count", stopped);
        let mut entity = Entity::new(self.engine.clone(), id)
            .with_label("name", &name)
            .with_label("version", self.version.as_deref().unwrap_or_default());
        if let Some(info) = &self.info {
            for (field, value) in [
                ("images_count", info.images),
                ("memory_total_bytes", info.memory_total),
                ("cpus_count", info.cpus),
            ] {
                if let Some(value) = value {
                    fields.set(field, value);
                }
            }
            entity = entity
                .with_label("os", info.operating_system.as_deref().unwrap_or_default())
                .with_label("kernel", info.kernel_version.as_deref().unwrap_or_default());
        }
        batch.sample(entity, fields);
    }

    /// Reads what each running container uses, and tells them all.
    async fn tell_containers(
        &mut self,
        listed: &[Listed],
        batch: &mut Batch,
    ) -> Result<(), PollError> {
        let polls = &self.polls;
        let mut reads = Vec::new();
        let mut at_rest = 0;
        for entry in listed {
            let alive = entry.is_alive();
            let Some(known) = self.containers.get_mut(&entry.engine_id) else {
                continue;
            };
            let inspect = known.is_inspection_due(alive) && {
                at_rest += usize::from(!alive);
                alive || at_rest <= INSPECTED_TOGETHER
            };
            if !alive && !inspect {
                continue;
            }
            let id = entry.engine_id.as_str();
            reads.push(async move {
                let inspected = if inspect && is_plain(id) {
                    let path = format!("/containers/{id}/json");
                    polls.get::<Inspected>(&path).await.ok()
                } else {
                    None
                };
                let read = if alive {
                    let once = StatsOptions {
                        stream: false,
                        one_shot: true,
                    };
                    polls.client.stats(id, Some(once)).next().await
                } else {
                    None
                };
                (id, alive, inspect, inspected, read)
            });
        }
        let mut asked = 0_usize;
        let mut failed = 0_usize;
        let mut first = None;
        let mut reads = futures::stream::iter(reads).buffer_unordered(IN_FLIGHT);
        while let Some((id, alive, inspect, inspected, read)) = reads.next().await {
            asked += usize::from(alive);
            let Some(known) = self.containers.get_mut(id) else {
                continue;
            };
            if inspect {
                known.inspected = Some(Instant::now());
            }
            if let Some(inspected) = inspected {
                known.learn(inspected);
                known.compare_image(&self.images);
            }
            match read {
                Some(Ok(read)) => self.poll_again |= known.tell(&read, batch),
                // it ended since it was listed
                Some(Err(Error::DockerResponseServerError {
                    status_code: 404 | 409,
                    ..
                }))
                | None => {}
                Some(Err(e)) => {
                    failed += 1;
                    debug!(source = %self.address, container = known.name(), "no reading of `{}`: {e}", known.name());
                    first.get_or_insert(e);
                }
            }
        }
        drop(reads);
        for (_, known) in self.containers.iter_mut() {
            known.tell_state_if_due(batch);
        }
        match first {
            Some(e) if failed == asked => Err(self.explain(&e)),
            _ => Ok(()),
        }
    }

    /// Takes in one item of the stream. Returns whether a poll would tell more.
    fn take(&mut self, message: Result<EventMessage, Error>, batch: &mut Batch) -> bool {
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
    fn take_ready(&mut self, batch: &mut Batch) -> bool {
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

    fn lost_stream(&mut self, error: Option<&Error>) {
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

/// Whether a proxy does not let this through, or an engine does not know it.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::DockerResponseServerError {
            status_code: 401 | 403 | 404,
            ..
        }
    )
}

/// Whether an id can stand in a path.
fn is_plain(id: &str) -> bool {
    id.len() <= 128 && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn unix_nanos(time: Timestamp) -> i64 {
    time.as_millis().saturating_mul(1_000_000)
}
