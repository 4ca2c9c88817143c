//! A whole Homelog but for the collectors: log and store in memory, ingest between them, users, the API on a real socket.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use control::{ControlStore, NewUser, Passwords, Username};
use event_log::{Claims, EventLog};
use futures::StreamExt;
use prometheus_client::registry::Registry;
use query_api::{ApiOptions, Auth, AuthOptions, Listeners, Services, serve};
use reqwest::{Client, RequestBuilder, StatusCode};
use schemas::{
    Catalog, SourceName, Timestamp,
    api::{ErrorAnswer, ErrorBody, PushAnswer, Role},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use supervision::Supervisor;
use time_series::TimeSeries;
use tokio::{net::TcpListener, sync::watch};

pub(crate) const PASSWORD: &str = "a long enough pass phrase";
/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Lab {
    pub(crate) http: Client,
    pub(crate) address: SocketAddr,
    /// Where InfluxDB's write API is alone.
    pub(crate) influxdb: SocketAddr,
    scheme: &'static str,
    pub(crate) token: String,
    pub(crate) log: Arc<event_log::Memory>,
    pub(crate) store: Arc<time_series::Memory>,
    pub(crate) caught_up: watch::Sender<bool>,
    pub(crate) supervisor: Supervisor,
    pub(crate) control: Arc<control::Embedded>,
    _directory: tempfile::TempDir,
}

impl Lab {
    pub(crate) async fn start() -> Self {
        Self::start_with(1, &[], true, options()).await
    }

    pub(crate) async fn start_claiming(sources: &[&str]) -> Self {
        Self::start_with(1, sources, true, options()).await
    }

    /// With a store that has not caught up yet.
    pub(crate) async fn start_rebuilding() -> Self {
        Self::start_with(1, &[], false, options()).await
    }

    /// Shows a certificate of its own.
    pub(crate) async fn start_tls(tls: query_api::ServerTls) -> Self {
        let options = ApiOptions {
            tls: Some(tls),
            ..options()
        };
        Self::start_with(1, &[], true, options).await
    }

    /// With a log that remembers who has which source.
    pub(crate) async fn start_over(claims: Arc<dyn Claims>) -> Self {
        Self::start_on(1, &[], true, options(), Some(claims)).await
    }

    pub(crate) async fn start_with(
        partitions: usize,
        claimed: &[&str],
        caught_up: bool,
        options: ApiOptions,
    ) -> Self {
        Self::start_on(partitions, claimed, caught_up, options, None).await
    }

    async fn start_on(
        partitions: usize,
        claimed: &[&str],
        caught_up: bool,
        options: ApiOptions,
        claims: Option<Arc<dyn Claims>>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let control = control::Embedded::open(directory.path().join("control.db"))
            .await
            .unwrap();
        let control = Arc::new(control);
        let log = Arc::new(event_log::Memory::new(partitions));
        let store = Arc::new(time_series::Memory::new());
        let catalog = Arc::new(Catalog::new([]));
        let supervisor = Supervisor::new();
        let mut registry = Registry::default();
        let dyn_log: Arc<dyn EventLog> = log.clone();
        let dyn_store: Arc<dyn TimeSeries> = store.clone();
        let dyn_control: Arc<dyn ControlStore> = control.clone();
        ingest::Ingest::start(
            &supervisor,
            ingest::Services {
                log: dyn_log.clone(),
                store: dyn_store.clone(),
                catalog: catalog.clone(),
                limits: ingest::Limits::default(),
                metrics: ingest::IngestMetrics::register(&mut registry),
            },
        );
        let auth_options = AuthOptions {
            fingerprint: options.tls.as_ref().map(|tls| tls.fingerprint().to_owned()),
            ..AuthOptions::default()
        };
        let scheme = if options.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let auth = Auth::open(dyn_control.clone(), auth_options).await.unwrap();
        let (tell, caught_up) = watch::channel(caught_up);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let at_root = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let influxdb = at_root.local_addr().unwrap();
        let listeners = Listeners {
            api: vec![listener],
            influxdb: vec![at_root],
        };
        let claimed: HashSet<_> = claimed
            .iter()
            .map(|n| SourceName::new(n).unwrap())
            .collect();
        let services = Services {
            log: dyn_log,
            store: dyn_store,
            control: dyn_control,
            auth,
            catalog,
            registry: Arc::new(Mutex::new(registry)),
            caught_up,
            claimed: watch::Sender::new(claimed).subscribe(),
            claims,
        };
        serve(listeners, services, options, &supervisor).unwrap();
        let mut lab = Self {
            http: Client::builder()
                .timeout(PATIENCE)
                .tls_danger_accept_invalid_certs(true)
                .build()
                .unwrap(),
            scheme,
            address,
            influxdb,
            token: String::new(),
            log,
            store,
            caught_up: tell,
            supervisor,
            control,
            _directory: directory,
        };
        lab.token = lab.token_of("ada", Role::Admin).await;
        lab
    }

    /// Makes a user and logs in.
    pub(crate) async fn token_of(&self, name: &str, role: Role) -> String {
        let new = NewUser {
            name: Username::new(name).unwrap(),
            password: Passwords::new().hash(PASSWORD.into()).await.unwrap(),
            role,
        };
        self.control
            .create_user(new, Timestamp::now())
            .await
            .unwrap();
        let login: Value = self
            .http
            .post(self.url("/auth/login"))
            .json(&json!({"username": name, "password": PASSWORD}))
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap()
            .json()
            .await
            .unwrap();
        login["access_token"].as_str().unwrap().to_owned()
    }

    /// Revokes every token of an agent as an admin does.
    pub(crate) async fn revoke(&self, agent: &str) {
        let tokens: Value = self.json("/auth/tokens").await;
        for token in tokens["tokens"].as_array().unwrap() {
            if token["agent"] == agent {
                let path = format!("/auth/tokens/{}", token["id"].as_str().unwrap());
                let answer = self.http.delete(self.url(&path)).bearer_auth(&self.token);
                let answer = answer.send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::NO_CONTENT);
            }
        }
    }

    /// Enrols an agent as an admin does, and returns its token.
    pub(crate) async fn agent(&self, name: &str) -> String {
        let answer = self
            .post("/auth/tokens")
            .json(&json!({"name": "an agent", "role": "viewer", "agent": name}))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let made: Value = answer.json().await.unwrap();
        let token = made["token"].as_str().unwrap().to_owned();
        let line = made["enrol"].as_str().unwrap();
        assert_eq!(
            line,
            format!(
                "echo 'http://{}#token={token}' | homelog collect --hub -",
                self.address
            )
        );
        assert_eq!(made["info"]["agent"], name);
        token
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path)).bearer_auth(&self.token)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path)).bearer_auth(&self.token)
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.get(path).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "GET {path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("GET {path}: {e}: {text}"))
    }

    pub(crate) async fn error(&self, path: &str) -> (StatusCode, ErrorBody) {
        let answer = self.get(path).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let answer: ErrorAnswer = serde_json::from_str(&text)
            .unwrap_or_else(|e| panic!("GET {path}: {status}: {e}: {text}"));
        (status, answer.error)
    }

    pub(crate) async fn push(&self, events: &[Value]) -> PushAnswer {
        let answer = self
            .post("/api/v1/events")
            .json(events)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until the store reflects a position.
    pub(crate) async fn ingested(&self, position: &str) {
        let wanted: schemas::Position = position.parse().unwrap();
        tokio::time::timeout(PATIENCE, async {
            loop {
                let reached = self.store.position().await.unwrap();
                if reached.is_some_and(|p| p.reaches(&wanted)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }

    /// Opens a live stream.
    pub(crate) async fn live(&self, query: &str) -> Sse {
        let answer = self
            .get(&format!("/api/v1/live{query}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        Sse::new(answer)
    }
}

/// The default options, but nothing takes long.
pub(crate) fn options() -> ApiOptions {
    ApiOptions {
        rebuild_wait: Duration::from_millis(50),
        ..ApiOptions::default()
    }
}

/// A pushed event.
pub(crate) fn sample(source: &str, id: &str, value: f64) -> Value {
    json!({
        "source": source,
        "entity": {"type": "thing", "id": id, "labels": {"room": "attic"}},
        "fields": {"value": value},
    })
}

/// One message of an event stream; a comment has neither.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: Value,
    pub(crate) comment: String,
}

pub(crate) struct Sse {
    body: futures::stream::BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
}

impl Sse {
    pub(crate) fn new(answer: reqwest::Response) -> Self {
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self {
            body: answer.bytes_stream().map(|c| c.map(|b| b.to_vec())).boxed(),
            buffer: Vec::new(),
        }
    }

    /// The next block, also of a comment; none at the end.
    pub(crate) async fn block(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(parse(std::str::from_utf8(&block).unwrap()));
            }
            match tokio::time::timeout(PATIENCE, self.body.next())
                .await
                .unwrap()
            {
                Some(Ok(chunk)) => self.buffer.extend(chunk),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next message that is no comment.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            let block = self.block().await.expect("the stream ended");
            if !block.event.is_empty() {
                return block;
            }
        }
    }
}

fn parse(block: &str) -> Message {
    let mut message = Message::default();
    for line in block.lines().filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => message.event = value.to_owned(),
            "id" => message.id = value.to_owned(),
            "data" => message.data = serde_json::from_str(value).unwrap(),
            "" => message.comment = value.to_owned(),
            other => panic!("a line `{other}` in an event stream"),
        }
    }
    message
}
