//! The WebSocket: authentication, commands, and what changes as it does.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use schemas::time::Timestamp;
use serde_json::{Map, Value, json};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Changed, HomeAssistant, VERSION,
    states::{context, written},
};
use crate::{number::real, service::Service, world::night::Presence};

/// How long a client has to authenticate itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the home is looked at.
const TICK: Duration = Duration::from_millis(500);
/// Subscriptions of one connection.
const MOST: usize = 32;

/// What is subscribed to.
enum Subscription {
    /// Events of a type, or all.
    Events(Option<String>),
    /// Entities, in the short form; without ids all.
    Entities(Option<Vec<String>>),
}

/// A connection after authentication.
struct Talk {
    home: Arc<HomeAssistant>,
    subscriptions: BTreeMap<u64, Subscription>,
    last_id: u64,
    /// Whether several messages may come as one list.
    coalesces: bool,
}

/// Talks until the client, the home or the process ends it.
pub(super) async fn talk(home: Arc<HomeAssistant>, mut socket: WebSocket, stop: CancellationToken) {
    if !authenticate(&home, &mut socket).await {
        return;
    }
    let mut changes = home.changes.subscribe();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = Timestamp::now();
    let mut talk = Talk {
        home: Arc::clone(&home),
        subscriptions: BTreeMap::new(),
        last_id: 0,
        coalesces: false,
    };
    loop {
        let messages = tokio::select! {
            () = stop.cancelled() => break,
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => talk.heard(&text, Timestamp::now()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => Vec::new(),
            },
            change = changes.recv() => match change {
                Ok(change) => talk.tell(&[change], Timestamp::now()),
                // who reads too slowly is cut off
                Err(RecvError::Lagged(_) | RecvError::Closed) => break,
            },
            _ = ticks.tick() => {
                let now = Timestamp::now();
                if !home.listens(now) {
                    break;
                }
                let mut messages = talk.tell(&home.changed(seen, now), now);
                if home.presence(seen) != Presence::Running && home.presence(now) == Presence::Running {
                    messages.extend(talk.event("homeassistant_started", &json!({}), now));
                }
                seen = now;
                messages
            }
        };
        if !send(&mut socket, messages, talk.coalesces).await {
            return;
        }
    }
    // the connection ends anyway
    drop(socket.send(Message::Close(None)).await);
}

/// Sends messages; whether the other side still listens.
async fn send(socket: &mut WebSocket, messages: Vec<Value>, together: bool) -> bool {
    let texts: Vec<String> = if together && messages.len() > 1 {
        vec![Value::Array(messages).to_string()]
    } else {
        messages.iter().map(Value::to_string).collect()
    };
    for text in texts {
        let sent = timeout(PATIENCE, socket.send(Message::Text(text.into()))).await;
        if !matches!(sent, Ok(Ok(()))) {
            return false;
        }
    }
    true
}

async fn authenticate(home: &HomeAssistant, socket: &mut WebSocket) -> bool {
    let wanted = json!({"type": "auth_required", "ha_version": VERSION});
    if !send(socket, vec![wanted], false).await {
        return false;
    }
    let Ok(Some(Ok(Message::Text(text)))) = timeout(PATIENCE, socket.recv()).await else {
        return false;
    };
    let said: Value = serde_json::from_str(&text).unwrap_or_default();
    if said["type"] == "auth" && said["access_token"] == home.token.as_str() {
        let ok = json!({"type": "auth_ok", "ha_version": VERSION});
        return send(socket, vec![ok], false).await;
    }
    let message = if said["type"] == "auth" {
        "Invalid access token or password"
    } else {
        "Auth message incorrectly formatted: expected type auth"
    };
    send(
        socket,
        vec![json!({"type": "auth_invalid", "message": message})],
        false,
    )
    .await;
    let close = CloseFrame {
        code: 1000,
        reason: "".into(),
    };
    // refused already
    drop(socket.send(Message::Close(Some(close))).await);
    false
}

fn result(id: u64, result: Value) -> Value {
    let mut told = json!({"id": id, "type": "result", "success": true});
    told["result"] = result;
    told
}

fn refusal(id: u64, code: &str, message: &str) -> Value {
    json!({"id": id, "type": "result", "success": false, "error": {"code": code, "message": message}})
}

impl Talk {
    /// What a message from the client is answered with.
    fn heard(&mut self, text: &str, now: Timestamp) -> Vec<Value> {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            return vec![refusal(0, "invalid_format", "Message is not valid JSON.")];
        };
        match message {
            Value::Array(messages) => messages
                .iter()
                .take(MOST)
                .flat_map(|message| self.command(message, now))
                .collect(),
            message => self.command(&message, now),
        }
    }

    fn command(&mut self, message: &Value, now: Timestamp) -> Vec<Value> {
        let (Some(id), Some(kind)) = (message["id"].as_u64(), message["type"].as_str()) else {
            return vec![refusal(
                0,
                "invalid_format",
                "Message incorrectly formatted.",
            )];
        };
        if id <= self.last_id {
            return vec![refusal(
                id,
                "id_reuse",
                "Identifier values have to increase.",
            )];
        }
        self.last_id = id;
        match kind {
            "ping" => vec![json!({"id": id, "type": "pong"})],
            "get_states" => vec![result(id, Value::Array(self.home.states(now)))],
            "get_config" => vec![result(id, self.home.config(now))],
            "supported_features" => {
                self.coalesces = message["features"]["coalesce_messages"].as_i64() == Some(1);
                vec![result(id, Value::Null)]
            }
            "subscribe_events" | "subscribe_entities" if self.subscriptions.len() >= MOST => {
                vec![refusal(
                    id,
                    "home_assistant_error",
                    "Too many subscriptions",
                )]
            }
            "subscribe_events" => {
                let wanted = message["event_type"].as_str().map(ToOwned::to_owned);
                self.subscriptions.insert(id, Subscription::Events(wanted));
                vec![result(id, Value::Null)]
            }
            "subscribe_entities" => {
                let ids = message["entity_ids"].as_array().map(|ids| {
                    let ids = ids.iter().filter_map(Value::as_str);
                    ids.map(ToOwned::to_owned).collect::<Vec<_>>()
                });
                let mut first = Map::new();
                for state in self.home.states(now) {
                    if let Some(entity) = state["entity_id"].as_str()
                        && ids
                            .as_ref()
                            .is_none_or(|ids| ids.iter().any(|id| id == entity))
                    {
                        first.insert(entity.to_owned(), short(&state));
                    }
                }
                self.subscriptions.insert(id, Subscription::Entities(ids));
                vec![
                    result(id, Value::Null),
                    json!({"id": id, "type": "event", "event": {"a": first}}),
                ]
            }
            "unsubscribe_events" => {
                let which = message["subscription"].as_u64().unwrap_or(0);
                match self.subscriptions.remove(&which) {
                    Some(_) => vec![result(id, Value::Null)],
                    None => vec![refusal(id, "not_found", "Subscription not found.")],
                }
            }
            "call_service" => {
                let text = |name: &str| message[name].as_str().unwrap_or("");
                let mut data = message["service_data"].clone();
                if let (Some(target), true) = (
                    message["target"].get("entity_id"),
                    data.is_null() || data.is_object(),
                ) {
                    data["entity_id"] = target.clone();
                }
                match self.home.serve(text("domain"), text("service"), &data, now) {
                    Some(_) => vec![result(
                        id,
                        json!({"context": context(text("domain"), now), "response": null}),
                    )],
                    None => vec![refusal(id, "not_found", "Service not found.")],
                }
            }
            "config/entity_registry/list" => {
                let entities = self.home.entities.iter();
                let list: Vec<_> = entities
                    .map(|entity| json!({"entity_id": entity.id, "platform": "mqtt", "device_id": null, "disabled_by": null, "hidden_by": null, "name": null, "original_name": entity.name}))
                    .collect();
                vec![result(id, Value::Array(list))]
            }
            "config/device_registry/list" => vec![result(id, json!([]))],
            _ => vec![refusal(id, "unknown_command", "Unknown command.")],
        }
    }

    /// An event for whoever subscribed to its type.
    fn event(&self, kind: &str, data: &Value, now: Timestamp) -> Vec<Value> {
        self.subscriptions
            .iter()
            .filter(|(_, subscription)| match subscription {
                Subscription::Events(wanted) => wanted.as_deref().is_none_or(|w| w == kind),
                Subscription::Entities(_) => false,
            })
            .map(|(id, _)| {
                json!({
                    "type": "event",
                    "event": {
                        "event_type": kind,
                        "data": data,
                        "origin": "LOCAL",
                        "time_fired": written(now),
                        "context": context(kind, now),
                    },
                    "id": id
                })
            })
            .collect()
    }

    /// States that changed, for every subscription.
    fn tell(&self, changes: &[Changed], now: Timestamp) -> Vec<Value> {
        let mut messages = Vec::new();
        for change in changes {
            let data = json!({
                "entity_id": change.new["entity_id"],
                "old_state": change.old,
                "new_state": change.new,
            });
            messages.extend(self.event("state_changed", &data, now));
            let Some(entity) = change.new["entity_id"].as_str() else {
                continue;
            };
            for (id, subscription) in &self.subscriptions {
                let Subscription::Entities(ids) = subscription else {
                    continue;
                };
                if ids
                    .as_ref()
                    .is_some_and(|ids| !ids.iter().any(|id| id == entity))
                {
                    continue;
                }
                let mut event = Map::new();
                let (key, told) = if change.old.is_null() {
                    ("a", short(&change.new))
                } else {
                    ("c", json!({"+": difference(&change.old, &change.new)}))
                };
                event.insert(key.to_owned(), json!({entity: told}));
                messages.push(json!({"id": id, "type": "event", "event": event}));
            }
        }
        messages
    }
}

/// Seconds since the epoch of a time in a state.
fn seconds(state: &Value, name: &str) -> Value {
    let at = state[name]
        .as_str()
        .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    at.map_or(Value::Null, |at| {
        json!(real(at.timestamp_millis()) / 1000.0)
    })
}

/// A state in the short form.
fn short(state: &Value) -> Value {
    let mut told = json!({
        "s": state["state"],
        "a": state["attributes"],
        "c": state["context"]["id"],
        "lc": seconds(state, "last_changed"),
    });
    if state["last_updated"] != state["last_changed"] {
        told["lu"] = seconds(state, "last_updated");
    }
    told
}

/// What of the short form is new.
fn difference(old: &Value, new: &Value) -> Value {
    let (old, mut told) = (short(old), short(new));
    if let Some(told) = told.as_object_mut() {
        if told.get("s") == old.get("s") {
            told.remove("s");
            told.remove("lc");
        }
        if let (Some(Value::Object(attributes)), Some(before)) = (told.get_mut("a"), old.get("a")) {
            attributes.retain(|key, value| before.get(key) != Some(value));
            if attributes.is_empty() {
                told.remove("a");
            }
        }
    }
    told
}
