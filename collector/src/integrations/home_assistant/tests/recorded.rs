//! Against answers recorded from a real Home Assistant, where they are at hand: each file stands once where it was recorded,
//! or, if it is of a resource that is not read, in the place of the states, where nothing may be made of it.

use std::path::Path;

use super::*;
use crate::testing::recordings::{self, Became};

/// What one poll comes to; of the home itself its state says nothing of an entity.
async fn of_poll(ha: &mut HomeAssistant) -> Became {
    let mut batch = recordings::batch();
    match ha.poll(&mut batch).await {
        Ok(()) => {
            let (told, dropped) = testing::checked(batch, METRICS);
            assert_eq!(dropped, 0);
            Became::of(told, &["home_assistant_entity"])
        }
        Err(e) => e.into(),
    }
}

/// What is told of messages of the session, one after the other.
async fn of_session(fake: &Fake, ha: &mut HomeAssistant, session: &Value) -> Became {
    fake.set(|s| {
        s.states = vec![
            watts("input_number.sim_power", "1234.5", 0),
            state("sensor.recorded_text", "12,5 MB", &json!({}), 0),
        ];
    });
    of_poll(ha).await;
    let mut told = Vec::new();
    for message in session.as_array().unwrap() {
        let Some(message) = message.get("recv") else {
            continue;
        };
        fake.push(message);
        let mut batch = Batch::live();
        let listening = ha.listen(&mut batch);
        if message["type"] == "event" {
            let heard = tokio::time::timeout(Duration::from_secs(5), listening).await;
            assert_eq!(heard.unwrap(), Heard::Events);
        } else {
            // nobody waits for it
            drop(tokio::time::timeout(Duration::from_millis(20), listening).await);
        }
        let (events, _) = testing::checked(batch, METRICS);
        let changes = events.into_iter();
        told.extend(changes.filter(|e| e.event_type == EventType::Change));
    }
    Became::of(told, &["home_assistant_entity"])
}

/// What the integration makes of one recording.
pub(crate) async fn read(dir: &Path, name: &str) -> Became {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let fake = Fake::start().await;
    let mut ha = open(&fake, "");
    let body = recorded.get("body").unwrap_or(&recorded).clone();
    if name.starts_with("ws_session") {
        return of_session(&fake, &mut ha, &recorded).await;
    }
    if name.starts_with("api_config") {
        fake.set(|s| s.config = body);
        of_poll(&mut ha).await;
        let state = ha.state.unwrap();
        return Became::Understood(format!(
            "{} of version {}, {state}",
            ha.config.name, ha.config.version
        ));
    }
    // over REST, where it was recorded
    fake.set(|s| s.no_websocket = Some(404));
    if recorded["status"] == 401 {
        fake.set(|s| s.rest = Some((401, body.as_str().unwrap().to_owned())));
        return of_poll(&mut ha).await;
    }
    let states = match &body {
        Value::Array(states) => states.clone(),
        Value::Object(_) if body.get("entity_id").is_some() => vec![body],
        _ => {
            fake.set(|s| s.rest = Some((200, body.to_string())));
            return of_poll(&mut ha).await;
        }
    };
    fake.set(|s| s.states = states);
    let over_rest = of_poll(&mut ha).await;
    // and over the WebSocket, which has to tell the same
    fake.set(|s| s.no_websocket = None);
    let over_websocket = of_poll(&mut open(&fake, "")).await;
    let shown = |became: &Became| {
        let Became::Told(told) = became else {
            panic!("{name}: {became}")
        };
        let mut lines: Vec<_> = told.iter().map(line).collect();
        lines.sort();
        lines
    };
    assert_eq!(shown(&over_websocket), shown(&over_rest), "{name}");
    over_rest
}
