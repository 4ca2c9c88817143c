//! The containers of a Docker Engine, or of what speaks its API.
//!
//! Only GET requests, so that a read-only socket proxy can stand before the engine. A poll lists containers and reads
//! what each uses; between polls the engine's event stream tells what happens, and each list finds what that missed.

mod address;
mod containers;
mod identity;
mod listed;
mod notice;
mod stats;
#[cfg(test)]
mod tests;
mod transport;

use std::{sync::Arc, time::Duration};

use bollard::{
    errors::Error,
    models::{ContainerInspectResponse, ContainerStatsResponse, EventMessage, SystemInfo},
    query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder, StatsOptions},
};
use futures::{FutureExt, StreamExt, stream::BoxStream};
use schemas::{
    Entity, Fields, MetricDef, Timestamp,
    catalog::Unit,
    name::{EntityId, EntityType},
};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use crate::{
    Batch, Context, OpenError, PollError,
    backoff::{Backoff, seed_of},
    integration::{Heard, Integration, Typed},
};
use address::Address;
use containers::{Container, Containers, MOST};
use listed::Listed;
use notice::{Notice, wanted};
use stats::Reading;
use transport::{Engine, agreeable, explain};

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
const SLOW: Duration = Duration::from_secs(60);
/// How often a running container is looked at for what no event tells.
const INSPECT_EVERY: Duration = Duration::from_secs(300);
/// How soon an event stream that was refused is tried again.
const REFUSED: Duration = Duration::from_secs(300);

/// Options of a source of kind `docker`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Params {
    /// Where the engine, or a proxy before it, listens.
    pub(crate) url: String,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            url: "unix:///var/run/docker.sock".to_owned(),
        }
    }
}

static METRICS: &[MetricDef] = &[
    MetricDef::state(
        "container",
        "state",
        "created, running, paused, restarting, exited, dead, or removed",
    ),
    MetricDef::state(
        "container",
        "health",
        "starting, healthy or unhealthy, where it has a health check",
    ),
    MetricDef::gauge(
        "container",
        "cpu_ratio",
        Unit::Ratio,
        "cores in use; 1 is one core",
    ),
    MetricDef::gauge(
        "container",
        "cpu_limit_ratio",
        Unit::Ratio,
        "cores it may use; 1 is one core",
    ),
    MetricDef::integer(
        "container",
        "memory_used_bytes",
        Unit::Bytes,
        "memory in use without the file cache that can go, as docker stats tells it",
    ),
    MetricDef::integer(
        "container",
        "memory_limit_bytes",
        Unit::Bytes,
        "memory it may use",
    ),
    MetricDef::gauge(
        "container",
        "memory_used_ratio",
        Unit::Ratio,
        "share of its memory in use",
    ),
    MetricDef::counter(
        "container",
        "rx_bytes_total",
        Unit::Bytes,
        "bytes received over all networks",
    ),
    MetricDef::counter(
        "container",
        "tx_bytes_total",
        Unit::Bytes,
        "bytes sent over all networks",
    ),
    MetricDef::counter(
        "container",
        "block_read_bytes_total",
        Unit::Bytes,
        "bytes read from disks",
    ),
    MetricDef::counter(
        "container",
        "block_written_bytes_total",
        Unit::Bytes,
        "bytes written to disks",
    ),
    MetricDef::integer(
        "container",
        "pids_count",
        Unit::Count,
        "processes and threads",
    ),
    MetricDef::counter(
        "container",
        "restarts_total",
        Unit::Count,
        "times its restart policy started it again",
    ),
    MetricDef::integer(
        "container",
        "uptime_seconds",
        Unit::Seconds,
        "time since it started",
    ),
    MetricDef::state(
        "container",
        "action",
        "what changed it: start, die, oom, health_status, pause, unpause, rename, renamed, destroy, recreated, or observed and vanished where no event told",
    ),
    MetricDef::integer("container", "exit_code", Unit::None, "with what it ended"),
    MetricDef::state("container", "old_name", "its name before a rename"),
    MetricDef::state("container", "new_name", "its name after a rename"),
    MetricDef::state(
        "container",
        "old_image",
        "the image before it was recreated",
    ),
    MetricDef::state("container", "new_image", "the image after it was recreated"),
    MetricDef::state(
        "container",
        "old_container_id",
        "its engine id before it was recreated",
    ),
    MetricDef::state(
        "container",
        "new_container_id",
        "its engine id after it was recreated",
    ),
    MetricDef::integer(
        "docker_engine",
        "containers_running_count",
        Unit::Count,
        "containers that run",
    ),
    MetricDef::integer(
        "docker_engine",
        "containers_paused_count",
        Unit::Count,
        "containers that are paused",
    ),
    MetricDef::integer(
        "docker_engine",
        "containers_stopped_count",
        Unit::Count,
        "containers that do not run",
    ),
    MetricDef::integer(
        "docker_engine",
        "images_count",
        Unit::Count,
        "images there are",
    ),
    MetricDef::integer(
        "docker_engine",
        "memory_total_bytes",
        Unit::Bytes,
        "memory of its machine",
    ),
    MetricDef::integer(
        "docker_engine",
        "cpus_count",
        Unit::Count,
        "cores of its machine",
    ),
];

type Events = BoxStream<'static, Result<EventMessage, Error>>;

/// Reads one engine.
pub(crate) struct Docker {
    address: Address,
    hostname: Arc<str>,
    polls: Engine,
    events: Engine,
    stream: Option<Events>,
    connect_at: Instant,
    backoff: Backoff,
    refused: bool,
    since_nanos: i64,
    containers: Containers,
    engine: EntityType,
    version: Option<String>,
    info: Option<SystemInfo>,
    info_at: Option<Instant>,
    counted: Option<([i64; 3], Instant)>,
    listed: bool,
    too_many: bool,
}

impl Integration for Docker {
    const KIND: &'static str = "docker";
    const HELP: &'static str = "A Docker Engine and its containers: state, CPU, memory, network, disks, and what happens to them";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# Where the engine listens: unix:///path/to/its.sock or tcp://host:2375. Only GET requests are made, so a read-only
# socket proxy that allows containers, events, info and version is enough.
# url = "unix:///var/run/docker.sock"
"#;
    type Params = Params;

    fn open(params: Params, context: &Context) -> Result<Self, OpenError> {
        let address = Address::parse(&params.url).map_err(|why| OpenError::at("url", why))?;
        let task = format!("collect/{}/connection", context.source);
        let engine = || {
            Engine::new(&address, &context.supervisor, &task)
                .map_err(|e| OpenError::at("url", e.to_string()))
        };
        let entity_type =
            |text| EntityType::new(text).map_err(|e| OpenError::at("", e.to_string()));
        Ok(Self {
            hostname: Arc::clone(&context.hostname),
            polls: engine()?,
            events: engine()?,
            stream: None,
            connect_at: Instant::now(),
            backoff: Backoff::new(seed_of(context.source.as_str())),
            refused: false,
            since_nanos: nanos_of(Timestamp::now()),
            containers: Containers::new(entity_type("container")?),
            engine: entity_type("docker_engine")?,
            version: None,
            info: None,
            info_at: None,
            counted: None,
            listed: false,
            too_many: false,
            address,
        })
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        self.polls.budget.fill(POLL_BYTES);
        self.learn_engine().await?;
        // what is said already is older than the list that follows
        self.take_ready(batch);
        let listed = self.list().await?;
        let events_flow = self.stream.is_some() || !self.refused && !self.listed;
        let missed = self.containers.reconcile(&listed, events_flow, batch);
        self.listed = true;
        if missed && self.stream.take().is_some() {
            debug!(source = %self.address, "the event stream missed something and is opened again");
        }
        self.tell_engine(&listed, batch);
        self.tell_containers(&listed, batch).await
    }

    async fn listen(&mut self, batch: &mut Batch) -> Heard {
        if !self.listed {
            std::future::pending::<()>().await;
        }
        loop {
            if self.stream.is_none() {
                sleep_until(self.connect_at).await;
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
}

impl Docker {
    /// Whether something takes connections at an address.
    pub(crate) async fn answers(url: &str) -> bool {
        match Address::parse(url) {
            Ok(address) => address.connect().await.is_ok(),
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
                Err(Error::DockerResponseServerError {
                    status_code: 401 | 403 | 404,
                    ..
                }) => {
                    self.version = Some(String::new());
                }
                Err(e) => return Err(self.explain(&e)),
            }
        }
        if self.info_at.is_none_or(|at| at.elapsed() >= SLOW) {
            self.info_at = Some(Instant::now());
            match self.polls.client.info().await {
                Ok(info) => self.info = Some(info),
                // nothing but a name and two sizes is lost
                Err(e) => {
                    debug!(source = %self.address, error = %e, "the engine does not tell about itself: {e}")
                }
            }
            let name = self.engine_name();
            self.containers.set_engine(&name);
        }
        Ok(())
    }

    fn engine_name(&self) -> String {
        let told = self
            .info
            .as_ref()
            .and_then(|info| info.name.as_deref())
            .filter(|name| !name.is_empty());
        match (told, &self.address) {
            (Some(name), _) => name.chars().filter(|c| !c.is_control()).take(128).collect(),
            (None, Address::Unix(_)) => self.hostname.to_string(),
            (None, Address::Tcp { host, .. }) => host.clone(),
        }
    }

    async fn list(&mut self) -> Result<Vec<Listed>, PollError> {
        let all = ListContainersOptionsBuilder::new().all(true).build();
        let summaries = self
            .polls
            .client
            .list_containers(Some(all))
            .await
            .map_err(|e| self.explain(&e))?;
        let mut listed: Vec<_> = summaries.iter().filter_map(Listed::of).collect();
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
                ("memory_total_bytes", info.mem_total),
                ("cpus_count", info.ncpu),
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
        let client = &self.polls.client;
        let mut reads = Vec::new();
        for entry in listed.iter().filter(|entry| entry.is_alive()) {
            let Some(known) = self.containers.get_mut(&entry.engine_id) else {
                continue;
            };
            let inspect = known
                .inspected
                .is_none_or(|at| at.elapsed() >= INSPECT_EVERY);
            let id = entry.engine_id.as_str();
            reads.push(async move {
                let inspected = if inspect {
                    client
                        .inspect_container(id, None::<InspectContainerOptions>)
                        .await
                        .ok()
                } else {
                    None
                };
                let once = StatsOptions {
                    stream: false,
                    one_shot: true,
                };
                let read = client.stats(id, Some(once)).next().await;
                (id, inspect, inspected, read)
            });
        }
        let mut asked = 0_usize;
        let mut failed = 0_usize;
        let mut first = None;
        let mut reads = futures::stream::iter(reads).buffer_unordered(IN_FLIGHT);
        while let Some((id, inspect, inspected, read)) = reads.next().await {
            asked += 1;
            let Some(known) = self.containers.get_mut(id) else {
                continue;
            };
            if inspect {
                known.inspected = Some(Instant::now());
            }
            if let Some(inspected) = inspected {
                known.learn(&inspected);
            }
            match read {
                Some(Ok(read)) => known.tell(&read, batch),
                // it ended since it was listed
                Some(Err(Error::DockerResponseServerError {
                    status_code: 404 | 409,
                    ..
                }))
                | None => {}
                Some(Err(e)) => {
                    failed += 1;
                    debug!(source = %self.address, container = known.name(), error = %e, "no reading of `{}`: {e}", known.name());
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
                let Some(notice) = Notice::of(message) else {
                    return false;
                };
                self.since_nanos = self.since_nanos.max(notice.nanos);
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
        let mut wait = self.backoff.next();
        if let Some(e) = error {
            let why = self.explain(e);
            match e {
                Error::DockerResponseServerError {
                    status_code: 401 | 403 | 404,
                    ..
                } => {
                    wait = wait.max(REFUSED);
                    if !std::mem::replace(&mut self.refused, true) {
                        warn!(
                            source = %self.address, error = %why,
                            "{} does not tell its events, so changes are seen at the next poll only: {why}", self.address
                        );
                    }
                }
                // the same event would come again and break the stream again
                Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => {
                    self.since_nanos = nanos_of(Timestamp::now());
                }
                _ => {}
            }
            debug!(source = %self.address, error = %why, "the event stream ended: {why}");
        }
        self.connect_at = Instant::now() + wait;
    }
}

impl Container {
    fn learn(&mut self, inspected: &ContainerInspectResponse) {
        self.restarts = inspected.restart_count.and_then(|n| u64::try_from(n).ok());
        self.started = inspected
            .state
            .as_ref()
            .and_then(|state| state.started_at.as_deref())
            .and_then(|text| Timestamp::parse(text, Timestamp::now()).ok());
        self.cpu_limit = inspected.host_config.as_ref().and_then(|host| {
            let nano = host
                .nano_cpus
                .filter(|n| *n > 0)
                .map(|n| cores(n, 1_000_000_000));
            nano.or_else(|| {
                let quota = host.cpu_quota.filter(|n| *n > 0)?;
                Some(cores(
                    quota,
                    host.cpu_period.filter(|n| *n > 0).unwrap_or(100_000),
                ))
            })
        });
    }

    fn tell(&mut self, read: &ContainerStatsResponse, batch: &mut Batch) {
        let Some(reading) = Reading::of(read) else {
            self.before = None;
            return;
        };
        let mut fields = self.state_fields();
        reading.tell(self.before, &mut fields);
        self.before = reading.cpu;
        if let (Some(at), Some(started)) = (reading.at, self.started) {
            fields.set("uptime_seconds", at.since(started).max(0) / 1000);
        }
        if let Some(restarts) = self.restarts {
            fields.set("restarts_total", restarts);
        }
        if let Some(limit) = self.cpu_limit {
            fields.set_rounded("cpu_limit_ratio", limit, 4);
        }
        self.told = Some(Instant::now());
        batch.sample(self.entity.clone(), fields);
    }

    fn tell_state_if_due(&mut self, batch: &mut Batch) {
        if self.state.is_empty() || self.told.is_some_and(|at| at.elapsed() < SLOW) {
            return;
        }
        self.told = Some(Instant::now());
        batch.sample(self.entity.clone(), self.state_fields());
    }

    fn state_fields(&self) -> Fields {
        let mut fields = Fields::new();
        if !self.state.is_empty() {
            fields.set_text("state", &self.state);
        }
        if let Some(health) = &self.health {
            fields.set_text("health", health);
        }
        fields
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a limit has four digits, a float sixteen"
)]
fn cores(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

fn nanos_of(time: Timestamp) -> i64 {
    time.as_millis().saturating_mul(1_000_000)
}
