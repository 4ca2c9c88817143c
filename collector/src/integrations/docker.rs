//! The containers of a Docker Engine, or of what speaks its API.
//!
//! Only GET requests, so that a read-only socket proxy can stand before the engine. A poll lists containers and reads
//! what each uses; between polls the engine's event stream tells what happens, and each list finds what that missed.

mod address;
mod containers;
mod engine;
mod identity;
mod images;
mod labels;
mod listed;
mod metrics;
mod notice;
mod reading;
mod sample;
mod secure;
mod stats;
mod stream;
#[cfg(test)]
pub(super) mod tests;
mod transport;
mod wire;

use std::time::Duration;

use bollard::{errors::Error, models::EventMessage};
use futures::{StreamExt, stream::BoxStream};
use schemas::{MetricDef, Timestamp, name::EntityType};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::{
    Batch, Context, OpenError, PollError, Supplier,
    backoff::{Backoff, seed_of},
    integration::{Heard, Integration, Typed},
};
use address::Address;
use containers::Containers;
use engine::unix_nanos;
use images::Images;
use labels::Found;
use listed::Listed;
use metrics::METRICS;
use notice::wanted;
use secure::EngineTls;
use transport::{Engine, is_refusal};
use wire::{ImageRow, Info};

pub(super) static INTEGRATION: Typed<Docker> = Typed::new();

/// Most bytes of one poll: a thousand containers with long labels.
const POLL_BYTES: u64 = 32 * 1024 * 1024;
/// Most bytes of one event.
const EVENT_BYTES: u64 = 1024 * 1024;
/// How often the engine itself, and a container that does not run, are told.
const SLOW: Duration = Duration::from_mins(1);

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
}
