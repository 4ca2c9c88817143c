//! Roles on Kafka, InfluxDB and PostgreSQL.

use std::{sync::OnceLock, time::Duration};

use futures::{SinkExt, StreamExt};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use test_servers::{Influxdb, Kafka, KafkaOptions, Postgres, free_port, unique};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::{
    lab::{PASSWORD, run},
    process::Process,
};

/// How long something may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The servers that all tests of this process share.
pub(crate) struct Servers {
    pub(crate) kafka: Kafka,
    pub(crate) influxdb: Influxdb,
    pub(crate) postgres: Postgres,
}

pub(crate) fn servers() -> &'static Servers {
    static SHARED: OnceLock<Servers> = OnceLock::new();
    SHARED.get_or_init(|| {
        std::thread::scope(|scope| {
            let kafka = scope.spawn(|| Kafka::start(&KafkaOptions::default()).expect("Kafka"));
            let influxdb = scope.spawn(|| Influxdb::start().expect("InfluxDB"));
            Servers {
                postgres: Postgres::start().expect("PostgreSQL"),
                kafka: kafka.join().expect("Kafka"),
                influxdb: influxdb.join().expect("InfluxDB"),
            }
        })
    })
}

/// Topics, buckets and a database that no other test has.
pub(crate) struct Home {
    pub(crate) name: String,
    partitions: usize,
}

impl Home {
    pub(crate) fn new(partitions: usize) -> Self {
        let name = unique("it");
        servers()
            .postgres
            .create_database(&name)
            .expect("a database");
        Self { name, partitions }
    }

    /// The config of a role, and what it has more.
    pub(crate) fn config(&self, more: &str) -> String {
        let Servers {
            kafka,
            influxdb,
            postgres,
        } = servers();
        format!(
            "[log]\nkind = \"kafka\"\nbrokers = \"{}\"\ntopics = \"{name}\"\npartitions = {}\n\
             [store]\nkind = \"influxdb\"\nurl = \"{}\"\norg = \"{}\"\nbucket = \"{name}\"\ntoken = \"{}\"\n\
             [control]\nkind = \"postgres\"\nurl = \"{}\"\n{more}",
            kafka.brokers(),
            self.partitions,
            influxdb.url(),
            Influxdb::ORG,
            Influxdb::TOKEN,
            postgres.url(&self.name),
            name = self.name,
        )
    }
}

/// The API of a process.
pub(crate) struct Api {
    pub(crate) url: String,
    http: Client,
    token: String,
}

impl Api {
    /// Waits until it answers and logs in.
    pub(crate) async fn of(process: &Process, port: u16) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        let http = Client::builder()
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = http
                .post(format!("{url}/auth/login"))
                .json(&json!({"username": "admin", "password": PASSWORD}))
                .send()
                .await;
            if let Ok(answer) = answer
                && answer.status() == StatusCode::OK
            {
                let body: Value = answer.json().await.expect("JSON");
                let token = body.get("access_token").and_then(Value::as_str);
                let token = token.expect("a token").to_owned();
                return Self { url, http, token };
            }
            assert!(
                tokio::time::Instant::now() < end,
                "it does not answer: {}",
                process.stderr()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self
            .http
            .get(format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Asks until the answer is what is waited for.
    pub(crate) async fn until(&self, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if is(&answer) {
                return answer;
            }
            assert!(tokio::time::Instant::now() < end, "{path}: {answer:#}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

pub(crate) fn port() -> u16 {
    free_port().expect("a port")
}

fn has_values(answer: &Value) -> bool {
    answer["series"].as_array().is_some_and(|series| {
        series
            .iter()
            .filter_map(|one| one["values"].as_array())
            .flatten()
            .any(|value| !value.is_null())
    })
}

const HOST: &str = "[[source]]\nname = \"server\"\nkind = \"host\"\ninterval = \"1s\"\n";
#[tokio::test]
async fn one_process_works_on_kafka_influxdb_and_postgresql() {
    let home = Home::new(2);
    let port = port();
    let listen = format!("127.0.0.1:{port}");
    let mut up = Process::start(
        &home.config(HOST),
        "up",
        &["--data", "DATA", "--listen", &listen],
    );
    let api = Api::of(&up, port).await;
    let health = api
        .until("/health", |health| {
            health["status"] == "healthy" && health["services"]["server"]["status"] == "healthy"
        })
        .await;
    assert_eq!(health["services"]["database"]["status"], "healthy");
    assert_eq!(health["services"]["event_log"]["status"], "healthy");
    let entities = api
        .until("/api/v1/entities?type=host", |answer| {
            answer["entities"].as_array().is_some_and(|e| !e.is_empty())
        })
        .await;
    let key = entities["entities"][0]["key"].as_str().expect("a key");
    let range = format!(
        "/api/v1/range?entity={}&from=-10m&to=now",
        key.replace('/', "%2F")
    );
    api.until(&range, has_values).await;
    assert!(
        points_of(&home.name, "host").await > 0,
        "they are in InfluxDB"
    );
    let stdout = up.stdout();
    assert!(
        stdout.contains("InfluxDB at") && stdout.contains("PostgreSQL at 127.0.0.1"),
        "{stdout}"
    );
    up.stop().await;
    assert!(!up.stderr().contains(Influxdb::TOKEN), "{}", up.stderr());
    let config = up.config().display().to_string();
    let (code, stdout, stderr) = run(["verify", "--config", &config]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let (code, stdout, _) = run(["check", "--config", &config]);
    assert_eq!(code, 0);
    assert!(
        stdout.ends_with("roles that it fits: up, collect, ingest, api\n"),
        "{stdout}"
    );
}

/// The store drops it now; the log cannot, and says until when it keeps the events.
#[tokio::test]
async fn a_source_is_purged_from_influxdb_and_kafka_says_how_long_it_keeps_the_events() {
    let home = Home::new(2);
    let port = port();
    let listen = format!("127.0.0.1:{port}");
    let mut up = Process::start(
        &home.config(HOST),
        "up",
        &["--data", "DATA", "--listen", &listen],
    );
    let api = Api::of(&up, port).await;
    let now = schemas::Timestamp::now().as_millis();
    let event = |source: &str, n: i64| {
        json!({
            "source": source, "time": now - n * 1000,
            "entity": {"type": "shelf", "id": "a"}, "fields": {"weight_grams": n},
        })
    };
    let events: Vec<Value> = (0..3)
        .flat_map(|n| [event("cellar", n), event("attic", n)])
        .collect();
    let pushed = api
        .http
        .post(format!("{}/api/v1/events", api.url))
        .bearer_auth(&api.token)
        .json(&events)
        .send()
        .await
        .expect("an answer");
    assert_eq!(pushed.status(), StatusCode::OK);
    let is_there = |answer: &Value| answer["entities"].as_array().is_some_and(|e| e.len() == 1);
    for source in ["cellar", "attic"] {
        api.until(&format!("/api/v1/entities?source={source}"), is_there)
            .await;
    }
    std::fs::write(up.path("token"), &api.token).expect("written");
    let token = up.path("token").display().to_string();
    let (code, stdout, stderr) = run([
        "source",
        "purge",
        "cellar",
        "--yes",
        "--url",
        &api.url,
        "--token-file",
        &token,
    ]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    for told in [
        "no events, 3 points and 0 dead letters are gone",
        "the event log keeps the events until its retention drops them, at the latest on 20",
    ] {
        assert!(stdout.contains(told), "{told}: {stdout}");
    }
    let left = api.get("/api/v1/entities?source=cellar").await;
    assert_eq!(left["entities"], json!([]));
    assert_eq!(
        points_of(&home.name, "shelf").await,
        3,
        "those of the attic"
    );
    up.stop().await;
    let config = up.config().display().to_string();
    let (code, stdout, stderr) = run(["source", "purge", "attic", "--yes", "--config", &config]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("no events, 3 points"), "{stdout}");
    assert_eq!(points_of(&home.name, "shelf").await, 0);
    // ingest comes to the mark now, and to nothing of what was before it
    up.spawn("up", &["--data", "DATA", "--listen", &listen]);
    let api = Api::of(&up, port).await;
    api.until("/health", |health| health["status"] == "healthy")
        .await;
    for source in ["cellar", "attic"] {
        let left = api.get(&format!("/api/v1/entities?source={source}")).await;
        assert_eq!(left["entities"], json!([]), "{source}");
    }
    up.stop().await;
    let (code, stdout, stderr) = run(["verify", "--config", &config]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
}

/// How many points of a measurement InfluxDB itself tells of.
async fn points_of(bucket: &str, measurement: &str) -> u64 {
    let answer: Value = client()
        .get(format!("{}/query", servers().influxdb.url()))
        .header("authorization", format!("Token {}", Influxdb::TOKEN))
        .query(&[
            ("db", bucket),
            ("q", &format!("SELECT count(*) FROM \"{measurement}\"")),
        ])
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let counts = answer.pointer("/results/0/series/0/values/0");
    let counts = counts.and_then(Value::as_array).into_iter().flatten();
    counts.skip(1).filter_map(Value::as_u64).max().unwrap_or(0)
}

fn client() -> Client {
    Client::builder()
        .timeout(PATIENCE)
        .build()
        .expect("a client")
}

#[tokio::test]
async fn an_event_goes_from_an_agent_through_kafka_to_live_clients() {
    let home = Home::new(3);
    let (api_port, ingest_port, agent_port) = (port(), port(), port());
    let agent =
        format!("[collect]\nagent = \"agent1\"\nlisten = \"127.0.0.1:{agent_port}\"\n{HOST}");
    let mut agent = Process::start(&home.config(&agent), "collect", &["--data", "DATA"]);
    let ingest = format!("[ingest]\nworkers = 2\nlisten = \"127.0.0.1:{ingest_port}\"\n");
    let mut ingest = Process::start(&home.config(&ingest), "ingest", &[]);
    let listen = format!("127.0.0.1:{api_port}");
    let mut api_process = Process::start(&home.config(""), "api", &["--listen", &listen]);
    let api = Api::of(&api_process, api_port).await;

    let mut request = format!("ws://127.0.0.1:{api_port}/realtime")
        .into_client_request()
        .expect("a request");
    let bearer = format!("Bearer {}", api.token).parse().expect("a header");
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("a socket");
    let subscribe = json!({"op": "subscribe", "id": "a", "filter": {"source": "server"}});
    socket
        .send(Message::text(subscribe.to_string()))
        .await
        .expect("sent");
    let heard = tokio::time::timeout(PATIENCE, async {
        loop {
            let message = socket.next().await.expect("open").expect("a message");
            let Message::Text(text) = message else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["data"]["source"] == "server" {
                return message;
            }
        }
    })
    .await
    .expect("an event of the agent");
    assert_eq!(
        heard["data"]["agent"].as_str().unwrap_or("agent1"),
        "agent1"
    );

    api.until("/health", |health| {
        health["services"]["server"]["status"] == "healthy"
    })
    .await;
    for port in [ingest_port, agent_port] {
        let url = format!("http://127.0.0.1:{port}");
        let (code, stdout, stderr) = run(["health", "--url", &url]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!(stdout.starts_with("healthy\n"), "{stdout}");
        let metrics = client().get(format!("{url}/metrics"));
        let metrics = metrics.send().await.expect("an answer").text().await;
        assert!(metrics.expect("text").contains("homelog_"));
    }
    // the point has come through the store too
    api.until("/api/v1/entities?source=server", |answer| {
        answer["entities"].as_array().is_some_and(|e| e.len() > 1)
    })
    .await;
    agent.stop().await;
    ingest.stop().await;
    api_process.stop().await;
}

#[tokio::test]
async fn a_second_agent_with_the_same_source_ends_and_names_the_owner() {
    let home = Home::new(1);
    let config = |agent: &str| home.config(&format!("[collect]\nagent = \"{agent}\"\n{HOST}"));
    let mut first = Process::start(&config("old"), "collect", &["--data", "DATA"]);
    let (code, topics) = wait_for_topics(&first);
    assert_eq!(code, 0, "{topics}");
    // its claim is there once it ships
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut second = Process::start(&config("new"), "collect", &["--data", "DATA"]);
    let status = second.ended(PATIENCE).await;
    assert_eq!(status.code(), Some(1));
    let told = second.stderr();
    assert!(
        told.contains("server") && told.contains("old") && told.contains("--take-over"),
        "{told}"
    );
    first.stop().await;
    second.spawn("collect", &["--data", "DATA", "--take-over"]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    second.stop().await;
}

fn wait_for_topics(process: &Process) -> (i32, String) {
    let config = process.config().display().to_string();
    let (code, stdout, stderr) = run(["topics", "--config", &config]);
    (code, format!("{stdout}{stderr}"))
}

#[test]
fn topics_are_made_once_and_never_changed() {
    let home = Home::new(3);
    let first = Process::new(&home.config(""));
    let config = first.config().display().to_string();
    let steady = |text: &str| text.replace(&home.name, "PREFIX");
    let (code, stdout, stderr) = run(["topics", "--config", &config, "--dry-run"]);
    assert_eq!(code, 1, "{stderr}");
    let missing = steady(&stdout);
    let (code, stdout, stderr) = run(["topics", "--config", &config]);
    assert_eq!(code, 0, "{stderr}");
    let made = steady(&stdout);
    let other = home.config("").replace("partitions = 3", "partitions = 5")
        + "[retention]\nevents = \"1d\"\n";
    let other = Process::new(&other);
    let (code, stdout, _) = run(["topics", "--config", &other.config().display().to_string()]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(format!("{missing}\n{made}\n{}", steady(&stdout)));
}

#[test]
fn users_are_made_in_postgresql() {
    let home = Home::new(1);
    let place = Process::new(&home.config(""));
    let config = place.config().display().to_string();
    let mut command = crate::lab::homelog();
    command
        .args([
            "user",
            "add",
            "ada",
            "--role",
            "admin",
            "--password-stdin",
            "--config",
            &config,
        ])
        .write_stdin(format!("{PASSWORD}\n"));
    let (code, stdout, stderr) = crate::lab::told(&command.output().expect("the binary starts"));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout, "user `ada` is admin\n");
    let (code, stdout, stderr) = run(["user", "list", "--config", &config]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("ada"), "{stdout}");
}
