//! An engine that says what a test wants, also what no engine would, over a real socket.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use supervision::Supervisor;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::mpsc,
};

#[derive(Clone)]
pub(super) enum Answer {
    Json(Value),
    Status(u16, &'static str),
    /// A body that never ends.
    Endless,
    /// Bytes as they are, then the connection is closed.
    Raw(&'static [u8]),
    Silence,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) containers: Vec<Value>,
    pub(super) stats: HashMap<String, Value>,
    pub(super) images: Vec<Value>,
    /// What a container answers by itself.
    pub(super) inspected: HashMap<String, Value>,
    /// What a path that ends so answers instead.
    pub(super) instead: HashMap<&'static str, Answer>,
    pub(super) requests: Vec<String>,
    /// Events that a new stream with an older `since` gets.
    history: Vec<(i64, String)>,
    streams: Vec<mpsc::Sender<String>>,
}

pub(super) struct Fake {
    dir: TempDir,
    pub(super) state: Arc<Mutex<State>>,
    supervisor: Supervisor,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl Fake {
    pub(super) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("docker.sock")).unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let supervisor = Supervisor::new();
        let fake = Self {
            dir,
            state: Arc::clone(&state),
            supervisor: supervisor.clone(),
        };
        let connections = supervisor.clone();
        supervisor.spawn_transient("fake engine", async move {
            let stopped = connections.token();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = stopped.cancelled() => return,
                };
                let (stream, _) = accepted.unwrap();
                let state = Arc::clone(&state);
                let stop = stopped.clone();
                connections.spawn_transient("fake connection", async move {
                    tokio::select! {
                        served = serve(stream, state) => drop(served),
                        () = stop.cancelled() => {}
                    }
                });
            }
        });
        fake
    }

    pub(super) fn url(&self) -> String {
        format!("unix://{}/docker.sock", self.dir.path().display())
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(super) fn instead(&self, path: &'static str, answer: Answer) {
        self.set(|state| {
            state.instead.insert(path, answer);
        });
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Tells an event to all streams, and to later ones that ask from before it.
    pub(super) async fn tell(&self, nanos: i64, id: &str, action: &str, attributes: Value) {
        let line = event(nanos, id, action, &attributes);
        self.set(|state| state.history.push((nanos, line.clone())));
        self.tell_raw(&line).await;
    }

    /// Tells that a tag means another image.
    pub(super) async fn tell_image(&self, nanos: i64, tag: &str) {
        let event = json!({"Type": "image", "Action": "tag", "timeNano": nanos, "Actor": {"ID": tag, "Attributes": {}}});
        self.tell_raw(&format!("{event}\n")).await;
    }

    pub(super) async fn tell_raw(&self, line: &str) {
        let streams = self.state.lock().unwrap().streams.clone();
        for stream in streams {
            drop(stream.send(line.to_owned()).await);
        }
    }

    pub(super) fn forget_history(&self) {
        self.set(|state| state.history.clear());
    }

    pub(super) fn cut_streams(&self) {
        self.set(|state| state.streams.clear());
    }

    pub(super) fn streams(&self) -> usize {
        self.state.lock().unwrap().streams.len()
    }
}

pub(super) fn event(nanos: i64, id: &str, action: &str, attributes: &Value) -> String {
    let event = json!({"Type": "container", "Action": action, "scope": "local", "time": nanos / 1_000_000_000,
        "timeNano": nanos, "Actor": {"ID": id, "Attributes": attributes}});
    format!("{event}\n")
}

pub(super) fn container(id: &str, name: &str, image: &str, state: &str, created: i64) -> Value {
    json!({"Id": id, "Names": [format!("/{name}")], "Image": image, "ImageID": "sha256:00", "State": state,
        "Status": "Up 2 minutes (healthy)", "Created": created, "Labels": {}, "Ports": [], "Mounts": []})
}

pub(super) fn stats(cpu: u64, system: u64, memory: u64) -> Value {
    json!({"read": "2026-11-23T00:03:19Z", "cpu_stats": {"cpu_usage": {"total_usage": cpu}, "system_cpu_usage": system,
        "online_cpus": 2}, "memory_stats": {"usage": memory, "limit": 1_000_000, "stats": {"inactive_file": 100}},
        "pids_stats": {"current": 3}})
}

async fn serve(mut stream: UnixStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let line = head.lines().next().unwrap_or_default().to_owned();
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let path = target.split('?').next().unwrap_or_default().to_owned();
        let (answer, history) = {
            let mut state = state.lock().unwrap();
            state.requests.push(line);
            let instead = state
                .instead
                .iter()
                .find(|(end, _)| path.ends_with(*end))
                .map(|(_, a)| a.clone());
            (
                instead.unwrap_or_else(|| usual(&path, &state)),
                state.history.clone(),
            )
        };
        match answer {
            Answer::Silence => std::future::pending().await,
            Answer::Raw(bytes) => return stream.write_all(bytes).await,
            Answer::Status(status, body) => {
                let head = format!(
                    "HTTP/1.1 {status} No\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(body.as_bytes()).await?;
            }
            Answer::Endless => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
                    .await?;
                let some = " ".repeat(64 * 1024);
                loop {
                    stream.write_all(some.as_bytes()).await?;
                }
            }
            Answer::Json(_) if path.ends_with("/events") => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
                let (sender, mut lines) = mpsc::channel(64);
                state.lock().unwrap().streams.push(sender);
                let since = since_of(&target);
                for (_, line) in history.iter().filter(|(nanos, _)| *nanos >= since) {
                    chunk(&mut stream, line).await?;
                }
                while let Some(line) = lines.recv().await {
                    chunk(&mut stream, &line).await?;
                }
                return Ok(());
            }
            Answer::Json(body) => {
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(body.as_bytes()).await?;
            }
        }
    }
}

async fn chunk(stream: &mut UnixStream, text: &str) -> std::io::Result<()> {
    stream
        .write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
        .await
}

fn since_of(target: &str) -> i64 {
    let since = target
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("since="))
        .unwrap_or("0.0");
    let (seconds, nanos) = since.split_once('.').unwrap_or((since, "0"));
    seconds.parse::<i64>().unwrap() * 1_000_000_000 + nanos.parse::<i64>().unwrap()
}

fn usual(path: &str, state: &State) -> Answer {
    let last_but_one = path.rsplit('/').nth(1).unwrap_or_default();
    if path.ends_with("/version") {
        return Answer::Json(
            json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}),
        );
    }
    if path.ends_with("/info") {
        return Answer::Json(
            json!({"Name": "boxy", "Images": 2, "NCPU": 2, "MemTotal": 1_000_000}),
        );
    }
    if path.ends_with("/containers/json") {
        return Answer::Json(Value::Array(state.containers.clone()));
    }
    if path.ends_with("/images/json") {
        return Answer::Json(Value::Array(state.images.clone()));
    }
    if path.ends_with("/events") {
        return Answer::Json(Value::Null);
    }
    if path.ends_with("/stats") {
        return state.stats.get(last_but_one).map_or(
            Answer::Status(404, r#"{"message":"No such container"}"#),
            |stats| Answer::Json(stats.clone()),
        );
    }
    if path.ends_with("/json") {
        let inspected = state.inspected.get(last_but_one).cloned();
        return Answer::Json(inspected.unwrap_or_else(|| {
            json!({"Id": last_but_one, "RestartCount": 4,
            "State": {"StartedAt": "2026-11-23T00:02:19Z", "ExitCode": 137, "OOMKilled": true},
            "HostConfig": {"NanoCpus": 500_000_000, "RestartPolicy": {"Name": "always"}}})
        }));
    }
    Answer::Status(404, r#"{"message":"page not found"}"#)
}
