//! A Home Assistant that says what a test wants, also what none would, over a real socket.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use supervision::Supervisor;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

use crate::testing::web::{head, header, serve_all};

pub(super) const TOKEN: &str = "eyJhbGciOi.J9.a-token";

#[derive(Clone, Debug)]
enum Push {
    Text(String),
    Close,
}

pub(super) struct State {
    pub(super) config: Value,
    pub(super) states: Vec<Value>,
    /// What the request for a WebSocket is answered instead.
    pub(super) no_websocket: Option<u16>,
    /// What REST answers instead: status and body.
    pub(super) rest: Option<(u16, String)>,
    /// What questions of a kind are answered instead, without their number.
    pub(super) instead: Vec<(&'static str, Value)>,
    /// What comes between the question for all states and its answer.
    pub(super) before_states: Vec<Value>,
    /// Kinds of questions that get no answer.
    pub(super) silent: Vec<&'static str>,
    /// Targets of requests and kinds of questions.
    pub(super) asked: Vec<String>,
}

pub(super) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    push: broadcast::Sender<Push>,
    supervisor: Supervisor,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(Mutex::new(State {
            config: json!({
                "version": "2024.3.3", "location_name": "Home", "state": "RUNNING",
                "unit_system": {"temperature": "°C"}, "latitude": 52.1, "components": [],
            }),
            states: Vec::new(),
            no_websocket: None,
            rest: None,
            instead: Vec::new(),
            before_states: Vec::new(),
            silent: Vec::new(),
            asked: Vec::new(),
        }));
        let (push, _) = broadcast::channel(1000);
        let supervisor = Supervisor::new();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::clone(&state),
            push: push.clone(),
            supervisor: supervisor.clone(),
        };
        serve_all(&supervisor, listener, move |stream| {
            serve(stream, Arc::clone(&state), push.clone())
        });
        fake
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// Says something to whoever listens.
    pub(super) fn push(&self, message: &Value) {
        self.push.send(Push::Text(message.to_string())).unwrap();
    }

    /// Closes all connections.
    pub(super) fn close(&self) {
        self.push.send(Push::Close).unwrap();
    }

    /// What was asked since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

async fn serve(
    mut stream: TcpStream,
    state: Arc<Mutex<State>>,
    push: broadcast::Sender<Push>,
) -> std::io::Result<()> {
    loop {
        let head = head(&mut stream).await?;
        let target = head.split(' ').nth(1).unwrap().to_owned();
        let (status, body) = {
            let mut state = state.lock().unwrap();
            state.asked.push(target.clone());
            match target.as_str() {
                "/api/websocket" => (state.no_websocket.unwrap_or(101), String::new()),
                _ if state.rest.is_some() => state.rest.clone().unwrap(),
                _ if header(&head, "authorization") != Some(format!("Bearer {TOKEN}")) => {
                    (401, "401: Unauthorized".to_owned())
                }
                "/api/config" => (200, state.config.to_string()),
                "/api/states" => (200, json!(state.states).to_string()),
                _ => (404, "404: Not Found".to_owned()),
            }
        };
        if status != 101 {
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} \r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await?;
            continue;
        }
        let key = header(&head, "sec-websocket-key").unwrap();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        stream.write_all(answer.as_bytes()).await?;
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        drop(talk(socket, &state, push.subscribe()).await);
        return Ok(());
    }
}

type Talked = Result<(), tokio_tungstenite::tungstenite::Error>;

async fn talk(
    mut socket: WebSocketStream<TcpStream>,
    state: &Mutex<State>,
    mut pushed: broadcast::Receiver<Push>,
) -> Talked {
    let text = |value: Value| Message::text(value.to_string());
    let hello = json!({"type": "auth_required", "ha_version": "2024.3.3"});
    socket.send(text(hello)).await?;
    let mut let_in = false;
    let mut last_id = 0;
    loop {
        let said = tokio::select! {
            said = socket.next() => said,
            push = pushed.recv() => {
                match push.unwrap() {
                    Push::Text(message) => socket.send(Message::text(message)).await?,
                    Push::Close => return socket.close(None).await,
                }
                continue;
            }
        };
        let Some(Ok(Message::Text(said))) = said else {
            return Ok(());
        };
        let question: Value = serde_json::from_str(&said).unwrap();
        let kind = question["type"].as_str().unwrap().to_owned();
        if !let_in {
            assert_eq!(kind, "auth");
            let_in = question["access_token"] == TOKEN;
            if !let_in {
                let refused = json!({"type": "auth_invalid", "message": "Invalid access token"});
                socket.send(text(refused)).await?;
                return socket.close(None).await;
            }
            let welcome = json!({"type": "auth_ok", "ha_version": "2024.3.3"});
            socket.send(text(welcome)).await?;
            continue;
        }
        let id = question["id"].as_u64().unwrap();
        assert!(id > last_id, "identifier values have to increase");
        last_id = id;
        let answers = answers(&mut state.lock().unwrap(), &kind, id);
        for answer in answers {
            socket.send(text(answer)).await?;
        }
    }
}

fn answers(state: &mut State, kind: &str, id: u64) -> Vec<Value> {
    state.asked.push(kind.to_owned());
    if state.silent.contains(&kind) {
        return Vec::new();
    }
    if let Some((_, answer)) = state.instead.iter().find(|(of, _)| *of == kind) {
        let mut answer = answer.clone();
        answer["id"] = id.into();
        return vec![answer];
    }
    let result =
        |result: Value| json!({"id": id, "type": "result", "success": true, "result": result});
    let mut before = Vec::new();
    let answer = match kind {
        "ping" => json!({"id": id, "type": "pong"}),
        "supported_features" | "subscribe_events" => result(Value::Null),
        "get_config" => result(state.config.clone()),
        "get_states" => {
            before.append(&mut state.before_states);
            result(json!(state.states))
        }
        _ => {
            let error = json!({"code": "unknown_command", "message": "Unknown command."});
            json!({"id": id, "type": "result", "success": false, "error": error})
        }
    };
    before.push(answer);
    before
}

/// A state as it stands in a snapshot; the time is in seconds after midnight.
pub(super) fn state(id: &str, value: &str, attributes: &Value, second: u32) -> Value {
    let time = format!(
        "2026-11-23T{:02}:{:02}:{:02}.250000+00:00",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    json!({
        "entity_id": id, "state": value, "attributes": attributes, "last_changed": time, "last_updated": time,
        "context": {"id": "01M82V80KEWFBNDM92Z5H55MGC", "parent_id": null, "user_id": null},
    })
}

/// The event that an entity has another state.
pub(super) fn changed(new: &Value) -> Value {
    event(new["entity_id"].as_str().unwrap(), new)
}

/// The event that an entity is gone.
pub(super) fn gone(id: &str) -> Value {
    event(id, &Value::Null)
}

fn event(id: &str, new: &Value) -> Value {
    json!({
        "id": 3, "type": "event",
        "event": {
            "event_type": "state_changed", "origin": "LOCAL", "time_fired": "2026-11-23T00:00:12.877382+00:00",
            "data": {"entity_id": id, "old_state": null, "new_state": new},
        },
    })
}
