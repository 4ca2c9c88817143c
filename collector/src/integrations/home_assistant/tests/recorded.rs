//! Against answers recorded from a real Home Assistant, where they are at hand: each file stands once where it was recorded,
//! or, if it is of a resource that is not read, in the place of the states, where nothing may be made of it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What each file comes to: how many entities have each field, or the class of the failure.
const FILES: &[(&str, &str)] = &[
    ("api_config__2024.3.3.json", "2024.3.3 Homelab running"),
    ("api_root__2024.3.3.json", "bad_answer"),
    (
        "api_states__2024.3.3.json",
        "availability 98, battery_ratio 5, brightness_ratio 5, energy_watt_hours 2, humidity_ratio 6, position_ratio 2, \
         power_watts 3, state 76, target_humidity_ratio 4, target_temperature_celsius 4, temperature_celsius 7, value 11",
    ),
    ("auth_flow__2024.3.3.json", ""),
    ("events_list__2024.3.3.json", ""),
    (
        "service_call__2024.3.3.json",
        "availability 2, power_watts 2",
    ),
    (
        "state_one__2024.3.3.json",
        "availability 1, battery_ratio 1, temperature_celsius 1",
    ),
    ("state_set_unavailable__2024.3.3.json", "availability 1"),
    ("state_set_unknown__2024.3.3.json", "availability 1"),
    ("template__2024.3.3.json", "bad_answer"),
    ("unauth_bad__2024.3.3.json", "bad_credentials"),
    ("unauth_none__2024.3.3.json", "bad_credentials"),
    (
        "ws_session__2024.3.3.json",
        "input_number.sim_power power_watts=777 @2026-11-23T00:00:12.877Z, sensor.sim_power power_watts=777 \
         @2026-11-23T00:00:12.877Z, sensor.recorded_text removed",
    ),
];

/// How many entities a poll told with each field.
fn counted(batch: Batch) -> String {
    let (events, _) = testing::checked(batch, METRICS);
    let mut counts = BTreeMap::<String, usize>::new();
    for event in events.iter().filter(|e| e.entity.id.as_str() != "home") {
        assert_eq!(event.event_type, EventType::Sample);
        for (field, _) in event.fields.iter() {
            *counts.entry(field.to_string()).or_default() += 1;
        }
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(field, n)| format!("{field} {n}"))
        .collect();
    counts.join(", ")
}

async fn of_poll(ha: &mut HomeAssistant) -> String {
    let mut batch = testing::batch();
    match ha.poll(&mut batch).await {
        Ok(()) => counted(batch),
        Err(e) => e.class.as_str().to_owned(),
    }
}

/// What is told of messages of the session, one after the other.
async fn of_session(fake: &Fake, ha: &mut HomeAssistant, session: &Value) -> String {
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
            assert_eq!(
                tokio::time::timeout(Duration::from_secs(5), listening)
                    .await
                    .unwrap(),
                Heard::Events
            );
        } else {
            // nobody waits for it
            drop(tokio::time::timeout(Duration::from_millis(20), listening).await);
        }
        let (events, _) = testing::checked(batch, METRICS);
        for event in events.iter().filter(|e| e.event_type == EventType::Change) {
            let id = &event.entity.id;
            told.push(match event.fields.get("power_watts") {
                Some(watts) => format!("{id} power_watts={watts} @{}", event.time),
                None => format!("{id} {}", event.fields.get("availability").unwrap()),
            });
        }
    }
    told.join(", ")
}

async fn outcome(file: &str, recorded: &Value) -> String {
    let fake = Fake::start().await;
    let mut ha = open(&fake, "");
    let body = recorded.get("body").unwrap_or(recorded).clone();
    if file.starts_with("ws_session") {
        return of_session(&fake, &mut ha, recorded).await;
    }
    if file.starts_with("api_config") {
        fake.set(|s| s.config = body);
        of_poll(&mut ha).await;
        return format!(
            "{} {} {}",
            ha.config.version,
            ha.config.name,
            ha.state.unwrap()
        );
    }
    // over REST, where it was recorded
    fake.set(|s| s.no_websocket = Some(404));
    if recorded["status"] == 401 {
        fake.set(|s| s.rest = Some((401, body.as_str().unwrap().to_owned())));
        return of_poll(&mut ha).await;
    }
    let over_rest = match &body {
        Value::Array(states) => {
            fake.set(|s| s.states.clone_from(states));
            of_poll(&mut ha).await
        }
        Value::Object(_) if body.get("entity_id").is_some() => {
            fake.set(|s| s.states = vec![body.clone()]);
            of_poll(&mut ha).await
        }
        _ => {
            fake.set(|s| s.rest = Some((200, body.to_string())));
            return of_poll(&mut ha).await;
        }
    };
    // and over the WebSocket, which has to tell the same
    fake.set(|s| s.no_websocket = None);
    assert_eq!(of_poll(&mut open(&fake, "")).await, over_rest, "{file}");
    over_rest
}

#[tokio::test]
async fn every_recorded_answer_is_read() {
    let Some(dir) = testing::recordings("homeassistant") else {
        return;
    };
    let files: BTreeSet<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    let known: BTreeSet<_> = FILES.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(files, known);
    for (file, wanted) in FILES {
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        let outcome = outcome(file, &serde_json::from_str(&text).unwrap()).await;
        println!("{file}: {outcome}");
        assert_eq!(outcome, *wanted, "{file}");
    }
    println!("{} files", FILES.len());
}
