//! A Home Assistant: the states of its entities.
//!
//! Changes come over its WebSocket: it is first asked to tell them and then for all states, so that there is no gap between.
//! A poll shows that the connection lives. Where a proxy passes no WebSocket, polls read all states over REST. A connection
//! that ends is told as such before the next one is made, so that what may have been missed lies between down and up.

mod chosen;
mod connection;
mod metrics;
mod mirror;
mod reading;
mod state;
#[cfg(test)]
pub(super) mod tests;
mod units;

use std::time::Duration;

use futures::FutureExt;
use schemas::{
    Entity, Fields, MetricDef,
    name::{EntityId, EntityType},
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    integration::{Heard, Integration, Typed},
    pattern::Patterns,
    service::{Secret, Service, TlsParams, failed},
};
use chosen::Chosen;
use connection::{Connection, Message, NoConnection, refused};
use metrics::METRICS;
use mirror::Mirror;

pub(super) static INTEGRATION: Typed<HomeAssistant> = Typed::new();

/// Most bytes of an answer over REST.
const MOST_BODY: usize = 16 * 1024 * 1024;
/// How long one request over REST may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often every entity is told, also where nothing changes.
const TELL_ALL: Duration = Duration::from_mins(5);
/// How soon a WebSocket that did not open is tried again.
const NO_WEBSOCKET: Duration = Duration::from_mins(5);
/// Most messages that are taken in before they are sent on.
const TOGETHER: usize = 256;

/// Options of a source of kind `home_assistant`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Params {
    /// Its address, as in a browser.
    url: String,
    /// A long-lived access token.
    token: Secret,
    tls: TlsParams,
    /// Ids of the entities that are told; all where there is none.
    include: Patterns,
    /// Ids of entities that are not told.
    exclude: Patterns,
    /// Whether it is told where people are.
    whereabouts: bool,
}

/// Reads one Home Assistant.
pub(crate) struct HomeAssistant {
    service: Service,
    token: Secret,
    mirror: Mirror,
    itself: Entity,
    connection: Option<Connection>,
    /// Why the connection ended that was open.
    lost: Option<PollError>,
    /// When the WebSocket is tried again, where it did not open.
    websocket_at: Option<Instant>,
    config: Config,
    /// What it said of itself in the event before.
    state: Option<String>,
    told_all: Option<Instant>,
}

/// What it says of itself.
#[derive(Debug, Default)]
struct Config {
    version: String,
    name: String,
    state: String,
    /// The unit of temperature that the home is set to.
    temperature: String,
}

impl Config {
    fn read(answer: &[u8]) -> Option<Self> {
        let told: Value = serde_json::from_slice(answer).ok()?;
        let text = |path: &str| -> String {
            let text = told.pointer(path).and_then(Value::as_str);
            text.unwrap_or_default()
                .chars()
                .filter(|c| !c.is_control())
                .collect()
        };
        let config = Self {
            version: text("/version"),
            name: text("/location_name"),
            state: text("/state"),
            temperature: text("/unit_system/temperature"),
        };
        (!config.version.is_empty()).then_some(config)
    }

    /// Whether all its integrations have started.
    fn is_running(&self) -> bool {
        // older ones say nothing
        self.state.is_empty() || self.state == "RUNNING"
    }

    fn is_stopping(&self) -> bool {
        matches!(self.state.as_str(), "STOPPING" | "FINAL_WRITE" | "STOPPED")
    }
}

impl Integration for HomeAssistant {
    const KIND: &'static str = "home_assistant";
    const HELP: &'static str = "A Home Assistant: the states of its entities as they change, numbers in the units of the catalogue";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# Its address, as in a browser. Changes come over its WebSocket at once; where a proxy passes none, polls read all
# states.
# url = "http://homeassistant.local:8123"
# A long-lived access token: create a user of its own for Homelog that is no administrator and may log in from the local
# network only, log in as that user, and create the token at the end of its profile page (Security).
# token = "…"
# Whom to trust where url is https://: one of ca = "file", fingerprint = "its SHA-256" and insecure = true.
# tls = { fingerprint = "12:34:…" }
# Ids of the entities that are told; `*` stands for anything. All by default.
# include = ["sensor.*", "binary_sensor.*"]
# Ids of entities that are not told.
# exclude = ["sensor.*_linkquality"]
# Whether it is told where people are: persons, device trackers, zones, and whatever has coordinates.
# whereabouts = false
"#;
    type Params = Params;

    fn open(params: Params, context: &Context) -> Result<Self, OpenError> {
        if params.token.is_empty() {
            return Err(OpenError::at(
                "token",
                "it is missing: create a long-lived access token on the profile page of a user of its own",
            ));
        }
        for (key, patterns) in [("include", &params.include), ("exclude", &params.exclude)] {
            if !patterns.fits() {
                return Err(OpenError::at(
                    key,
                    "at most 256 patterns of 256 bytes are taken",
                ));
            }
        }
        Ok(Self {
            service: Service::open("Home Assistant", &params.url, &params.tls, TIMEOUT)?,
            token: params.token,
            mirror: Mirror::new(Chosen::new(
                params.include,
                params.exclude,
                params.whereabouts,
            ))?,
            itself: Entity::new(
                EntityType::new("home_assistant")?,
                EntityId::new(context.source.as_str())?,
            ),
            connection: None,
            lost: None,
            websocket_at: None,
            config: Config::default(),
            state: None,
            told_all: None,
        })
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        if let Some(lost) = self.lost.take() {
            return Err(lost);
        }
        // one that is dropped in the middle of a question is not taken up again
        match self.connection.take() {
            Some(connection) => self.look_after(connection, batch).await,
            None => self.connect(batch).await,
        }
        .map_err(|e| self.without_token(e))?;
        if self.told_all.is_none_or(|at| at.elapsed() >= TELL_ALL) {
            // the first snapshot is told as it comes
            if self.told_all.replace(Instant::now()).is_some() {
                self.mirror.tell(batch);
            }
        }
        self.tell_itself(batch);
        Ok(())
    }

    async fn listen(&mut self, batch: &mut Batch) -> Heard {
        let Some(connection) = self.connection.as_mut() else {
            return std::future::pending().await;
        };
        let mut next = connection.next().await;
        for more in (0..TOGETHER).rev() {
            match next {
                Ok(Message::Changed { id, state }) => {
                    self.mirror.event(&id, state.as_deref(), batch);
                }
                Ok(Message::Answer { .. }) => {}
                Err(e) => {
                    self.connection = None;
                    self.lost = Some(self.without_token(e));
                    return Heard::PollNow;
                }
            }
            if more == 0 {
                break;
            }
            match connection.next().now_or_never() {
                Some(ready) => next = ready,
                None => break,
            }
        }
        Heard::Events
    }
}

impl HomeAssistant {
    /// Asks over an open connection whether anybody is there; what was said meanwhile is taken in.
    async fn look_after(
        &mut self,
        mut connection: Connection,
        batch: &mut Batch,
    ) -> Result<(), PollError> {
        let mirror = &mut self.mirror;
        let ping = json!({"type": "ping"});
        connection
            .ask(ping, |id, state| mirror.event(id, state, batch))
            .await?;
        if !self.config.is_running() {
            self.read_config(&mut connection, batch).await?;
            if self.config.is_running() {
                // only now it is known which entities are gone
                self.read_states(&mut connection, batch).await?;
            }
        }
        self.connection = Some(connection);
        Ok(())
    }

    async fn connect(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        if self.websocket_at.is_some_and(|at| Instant::now() < at) {
            return self.read_rest(batch).await;
        }
        match Connection::open(&self.service, &self.token).await {
            Ok(mut connection) => {
                self.read_config(&mut connection, batch).await?;
                let question = json!({"type": "subscribe_events", "event_type": "state_changed"});
                self.mirror.begin();
                let mirror = &mut self.mirror;
                connection
                    .ask(question, |id, state| mirror.event(id, state, batch))
                    .await?;
                self.read_states(&mut connection, batch).await?;
                if self.websocket_at.take().is_some() {
                    info!(service = %self.service.base(), "the WebSocket of Home Assistant at {} opens, so changes come at once again", self.service.base());
                }
                self.connection = Some(connection);
                Ok(())
            }
            Err(NoConnection::Failed(e)) => Err(e),
            Err(NoConnection::NoWebSocket(e)) => {
                self.read_rest(batch).await?;
                let first = self.websocket_at.is_none();
                self.websocket_at = Some(Instant::now() + NO_WEBSOCKET);
                if first {
                    let e = self.without_token(e);
                    warn!(
                        service = %self.service.base(),
                        "the WebSocket of Home Assistant does not open, so changes are seen at polls only: {e}"
                    );
                }
                Ok(())
            }
        }
    }

    async fn read_config(
        &mut self,
        connection: &mut Connection,
        batch: &mut Batch,
    ) -> Result<(), PollError> {
        let mirror = &mut self.mirror;
        let answer = connection
            .ask(json!({"type": "get_config"}), |id, state| {
                mirror.event(id, state, batch);
            })
            .await?;
        self.take_config(answer.get().as_bytes())
    }

    fn take_config(&mut self, answer: &[u8]) -> Result<(), PollError> {
        self.config = Config::read(answer).ok_or_else(|| {
            self.service
                .bad_answer("it does not tell its version: check url")
        })?;
        if self.config.is_stopping() {
            return Err(PollError::new(
                FailureClass::Unreachable,
                format!("Home Assistant at {} is stopping", self.service.base()),
            ));
        }
        self.mirror
            .home_temperature
            .clone_from(&self.config.temperature);
        self.itself = Entity::new(self.itself.entity_type.clone(), self.itself.id.clone())
            .with_label("version", &self.config.version)
            .with_label("name", &self.config.name);
        Ok(())
    }

    async fn read_states(
        &mut self,
        connection: &mut Connection,
        batch: &mut Batch,
    ) -> Result<(), PollError> {
        let mirror = &mut self.mirror;
        let answer = connection
            .ask(json!({"type": "get_states"}), |id, state| {
                mirror.event(id, state, batch);
            })
            .await?;
        self.take_states(answer.get().as_bytes(), batch)
    }

    fn take_states(&mut self, answer: &[u8], batch: &mut Batch) -> Result<(), PollError> {
        let rows: Vec<Box<RawValue>> = serde_json::from_slice(answer).map_err(|e| {
            let what = format!("its states are no list ({e}): check url");
            self.service.bad_answer(what)
        })?;
        self.mirror.snapshot(&rows, self.config.is_running(), batch);
        Ok(())
    }

    async fn read_rest(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let config = fetch(&self.service, &self.token, "/api/config").await?;
        self.take_config(&config)?;
        let states = fetch(&self.service, &self.token, "/api/states").await?;
        self.mirror.begin();
        self.take_states(&states, batch)
    }

    fn tell_itself(&mut self, batch: &mut Batch) {
        let state = match self.config.state.as_str() {
            "" | "RUNNING" => "running",
            _ => "starting",
        };
        let mut fields = Fields::new();
        fields.set_text("state", state);
        let before = self.state.replace(state.to_owned());
        if before.is_some_and(|before| before != state) {
            batch.change(batch.time(), self.itself.clone(), fields.clone());
        }
        let (entities, unavailable) = self.mirror.counts();
        fields
            .set("push", self.connection.is_some())
            .set(
                "entities_count",
                u64::try_from(entities).unwrap_or(u64::MAX),
            )
            .set(
                "entities_unavailable_count",
                u64::try_from(unavailable).unwrap_or(u64::MAX),
            );
        batch.sample(self.itself.clone(), fields);
    }

    /// An error that does not repeat the token where something repeated it.
    fn without_token(&self, mut error: PollError) -> PollError {
        error.message = error.message.replace(self.token.expose(), "…");
        error
    }
}

/// The body of an answer over REST.
async fn fetch(service: &Service, token: &Secret, path: &str) -> Result<Vec<u8>, PollError> {
    let answer = service.send(service.get(path).bearer(token.get())).await?;
    if !answer.status().is_success() {
        return Err(refused(service, answer).await);
    }
    let body = answer
        .bytes_up_to(MOST_BODY)
        .await
        .map_err(|e| failed(&e))?;
    Ok(body.to_vec())
}
