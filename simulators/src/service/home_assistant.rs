//! Home Assistant: `/api` over REST and as a WebSocket that tells what changes.

mod config;
mod socket;
mod states;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::extract::ws::WebSocket;
use futures::{FutureExt, future::BoxFuture};
use hyper::Method;
use schemas::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::Service;
use crate::{
    call::Call,
    fault::FaultKind,
    reply::Reply,
    world::{
        World, chance,
        night::Presence,
        rooms::{self, Entity},
    },
};

/// Its version.
const VERSION: &str = "2024.3.3";
/// Most states that are set from outside.
const MOST: usize = 500;

/// A state that somebody set.
#[derive(Clone)]
struct Set {
    value: String,
    attributes: Value,
    changed: Timestamp,
    updated: Timestamp,
}

/// What a WebSocket is told at once: the entity's state before and after.
#[derive(Clone)]
struct Changed {
    old: Value,
    new: Value,
}

/// Home Assistant.
pub(crate) struct HomeAssistant {
    world: World,
    token: String,
    entities: Vec<Entity>,
    set: Mutex<HashMap<String, Set>>,
    changes: broadcast::Sender<Changed>,
}

/// The long-lived access token: it looks like a JSON Web Token.
pub(crate) fn token(seed: u64) -> String {
    ["header", "claims", "signature"]
        .map(|part| chance::digits(seed, &format!("home/{part}"), 40))
        .join(".")
}

fn unauthorized() -> Reply {
    Reply::text(401, "401: Unauthorized")
}

impl HomeAssistant {
    /// The one of this home.
    pub(crate) fn new(world: World) -> Self {
        Self {
            token: token(world.seed()),
            entities: rooms::entities(),
            set: Mutex::new(HashMap::new()),
            changes: broadcast::Sender::new(256),
            world,
        }
    }

    fn presence(&self, now: Timestamp) -> Presence {
        self.world.night(now).home_assistant()
    }

    fn get(&self, path: &[&str], now: Timestamp) -> Reply {
        match path {
            [] => Reply::json(200, &json!({"message": "API running."})),
            ["config"] => Reply::json(200, &self.config(now)),
            ["states"] => Reply::json(200, &Value::Array(self.states(now))),
            ["states", id] => match self.state(id, now) {
                Some(state) => Reply::json(200, &state),
                None => Reply::json(404, &json!({"message": "Entity not found."})),
            },
            ["events"] => Reply::json(
                200,
                &json!([{"event": "state_changed", "listener_count": self.changes.receiver_count()}]),
            ),
            ["services"] => Reply::json(
                200,
                &json!([
                    {"domain": "input_number", "services": {"set_value": {"name": "Set", "fields": {}}}},
                    {"domain": "light", "services": {"turn_on": {}, "turn_off": {}, "toggle": {}}},
                    {"domain": "switch", "services": {"turn_on": {}, "turn_off": {}, "toggle": {}}},
                ]),
            ),
            _ => Reply::text(404, "404: Not Found"),
        }
    }

    fn post(&self, call: &Call, path: &[&str], now: Timestamp) -> Reply {
        match path {
            ["states", id] => {
                let Some(body) = call.json() else {
                    return Reply::json(400, &json!({"message": "Invalid JSON specified."}));
                };
                let Some(value) = body.get("state").map(text_of) else {
                    return Reply::json(400, &json!({"message": "No state specified."}));
                };
                let attributes = body.get("attributes").cloned().unwrap_or_else(|| json!({}));
                let new = self.state(id, now).is_none();
                match self.put(id, value, Some(attributes), now) {
                    Some(state) => Reply::json(if new { 201 } else { 200 }, &state),
                    None => Reply::json(400, &json!({"message": "Invalid entity ID or state."})),
                }
            }
            ["services", domain, service] => {
                let body = call.json().unwrap_or_else(|| json!({}));
                match self.serve(domain, service, &body, now) {
                    Some(changed) => Reply::json(200, &Value::Array(changed)),
                    None => Reply::text(400, "400: Bad Request"),
                }
            }
            ["template"] => Reply::text(200, "unknown"),
            _ => Reply::text(404, "404: Not Found"),
        }
    }

    /// Calls a service: the states that changed; absent if there is no such service.
    fn serve(
        &self,
        domain: &str,
        service: &str,
        data: &Value,
        now: Timestamp,
    ) -> Option<Vec<Value>> {
        let id = data.get("entity_id").and_then(|id| match id {
            Value::String(id) => Some(id.as_str()),
            Value::Array(ids) => ids.first().and_then(Value::as_str),
            _ => None,
        });
        let before = id.and_then(|id| self.state(id, now));
        let value = match (domain, service) {
            ("input_number", "set_value") => {
                let value = data.get("value")?.as_f64()?;
                format!("{value:?}")
            }
            ("light" | "switch", "turn_on") => "on".to_owned(),
            ("light" | "switch", "turn_off") => "off".to_owned(),
            ("light" | "switch", "toggle") => {
                let on = before.as_ref().is_some_and(|state| state["state"] == "on");
                (if on { "off" } else { "on" }).to_owned()
            }
            _ => return None,
        };
        let Some((id, before)) = id
            .zip(before)
            .filter(|(id, _)| id.starts_with(&format!("{domain}.")))
        else {
            return Some(Vec::new());
        };
        if before["state"] == value.as_str() {
            return Some(Vec::new());
        }
        Some(self.put(id, value, None, now).into_iter().collect())
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Service for HomeAssistant {
    fn answer(&self, call: &Call, now: Timestamp) -> Reply {
        let Some(path) = call.path.strip_prefix("/api") else {
            return Reply::page(
                200,
                "text/html",
                "<html><title>Home Assistant</title></html>",
            );
        };
        if path == "/websocket" {
            return Reply::text(400, "400: Bad Request");
        }
        if call.bearer() != Some(&self.token) {
            return unauthorized();
        }
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        match call.method {
            Method::GET => self.get(&parts, now),
            Method::POST => self.post(call, &parts, now),
            _ => Reply::text(405, "405: Method Not Allowed"),
        }
        .header("x-content-type-options", "nosniff")
        .header("server", "")
    }

    fn listens(&self, now: Timestamp) -> bool {
        self.presence(now) != Presence::Gone
    }

    fn talks(&self, call: &Call) -> bool {
        call.path == "/api/websocket" && call.header("upgrade").is_some()
    }

    fn talk(self: Arc<Self>, socket: WebSocket, stop: CancellationToken) -> BoxFuture<'static, ()> {
        socket::talk(self, socket, stop).boxed()
    }

    /// Its tokens do not end.
    fn knows(&self, fault: FaultKind) -> bool {
        !matches!(fault, FaultKind::RateLimit | FaultKind::ExpiredSession)
    }

    fn expire(&self, _call: &Call) -> Option<Reply> {
        None
    }

    fn blocked(&self, _call: &Call) -> Reply {
        Reply::text(403, "403: Forbidden")
    }

    fn fails(&self) -> Reply {
        Reply::text(
            500,
            "500 Internal Server Error\n\nServer got itself in trouble",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-05-06T{time}Z"), Timestamp::from_millis(0)).unwrap()
    }

    fn home() -> HomeAssistant {
        HomeAssistant::new(World::new(1, 0))
    }

    fn authorized(home: &HomeAssistant, call: Call) -> Call {
        call.with("authorization", &format!("Bearer {}", home.token))
    }

    #[test]
    fn who_has_no_token_is_told_in_text() {
        let home = home();
        for call in [
            Call::get("/api/states"),
            Call::get("/api/states").with("authorization", "Bearer wrong"),
        ] {
            let reply = home.answer(&call, at("12:00:00"));
            assert_eq!(
                (reply.status, reply.said()),
                (401, "401: Unauthorized".to_owned())
            );
        }
    }

    #[test]
    fn states_are_text_and_can_be_set() {
        let home = home();
        let ask = |target: &str, time| {
            let call = authorized(&home, Call::get(target));
            home.answer(&call, at(time)).value()
        };
        let states = ask("/api/states", "12:00:00");
        let states = states.as_array().unwrap();
        assert!(states.len() > 15 && states.iter().all(|s| s["state"].is_string()));
        assert_eq!(
            ask("/api/states/sensor.nothere", "12:00:00")["message"],
            "Entity not found."
        );
        let set = Call::sends(
            "/api/states/sensor.mine",
            &json!({"state": 12.5, "attributes": {"unit_of_measurement": "W"}}),
        );
        let made = home.answer(&authorized(&home, set), at("12:00:00"));
        assert_eq!(
            (made.status, made.value()["state"].clone()),
            (201, json!("12.5"))
        );
        assert_eq!(ask("/api/states/sensor.mine", "12:00:05")["state"], "12.5");
        let call = Call::sends(
            "/api/services/input_number/set_value",
            &json!({"entity_id": "input_number.sim_power", "value": 777}),
        );
        let changed = home
            .answer(&authorized(&home, call), at("12:00:01"))
            .value();
        assert_eq!(changed[0]["state"], "777.0");
        assert_eq!(changed[0]["attributes"]["unit_of_measurement"], "W");
    }

    #[test]
    fn at_night_it_is_gone_and_then_its_devices_are() {
        let home = home();
        assert!(home.listens(at("03:21:59")) && !home.listens(at("03:22:00")));
        let call = authorized(&home, Call::get("/api/states/sensor.house_power"));
        let starting = home.answer(&call, at("03:39:00")).value();
        assert_eq!(starting["state"], "unavailable");
        let config = authorized(&home, Call::get("/api/config"));
        assert_eq!(
            home.answer(&config, at("03:39:00")).value()["state"],
            "STARTING"
        );
        let recovered = home.answer(&call, at("03:40:00")).value();
        assert!(recovered["state"].as_str().unwrap().parse::<f64>().is_ok());
    }
}
