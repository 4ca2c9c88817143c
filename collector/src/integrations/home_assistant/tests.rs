//! Against a fake over real sockets; `recorded` against what a real one answered.

mod fake;
pub(in crate::integrations) mod recorded;

use std::time::Duration;

use schemas::{EventType, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::{
    batch::Observation,
    testing::{self, context},
};
use fake::{Fake, TOKEN, changed, gone, state};

fn open(fake: &Fake, more: &str) -> HomeAssistant {
    open_with(fake, TOKEN, more)
}

fn open_with(fake: &Fake, token: &str, more: &str) -> HomeAssistant {
    let params = format!("url = \"{}\"\ntoken = \"{token}\"\n{more}", fake.url());
    HomeAssistant::open(toml::from_str(&params).unwrap(), &context("home")).unwrap()
}

/// Events as `type key field=value …`, sorted; of entities only.
fn shown(batch: Batch) -> Vec<String> {
    let (events, dropped) = testing::checked(batch, METRICS);
    assert_eq!(dropped, 0);
    let mut shown: Vec<_> = events
        .iter()
        .filter(|event| event.entity.entity_type.as_str() != "home_assistant")
        .map(line)
        .collect();
    shown.sort();
    shown
}

fn line(event: &Observation) -> String {
    let fields = event.fields.iter();
    let fields: Vec<_> = fields
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let at = match event.event_type {
        EventType::Change => format!(" @{}", event.time),
        EventType::Sample | EventType::Source => String::new(),
    };
    format!(
        "{} {} {}{at}",
        event.event_type.as_str(),
        event.entity.id,
        fields.join(" ")
    )
}

async fn polled(ha: &mut HomeAssistant) -> Vec<String> {
    let mut batch = testing::batch();
    ha.poll(&mut batch).await.unwrap();
    shown(batch)
}

async fn failure(ha: &mut HomeAssistant) -> PollError {
    ha.poll(&mut testing::batch()).await.unwrap_err()
}

/// Listens until a number of events came.
async fn heard(ha: &mut HomeAssistant, events: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < events {
        let mut batch = Batch::live();
        let listening = ha.listen(&mut batch);
        let heard = tokio::time::timeout(Duration::from_secs(5), listening).await;
        assert_eq!(heard.unwrap(), Heard::Events);
        all.extend(shown(batch));
    }
    all
}

/// Listens until the connection is lost.
async fn lose(ha: &mut HomeAssistant) {
    let mut batch = Batch::live();
    let listening = ha.listen(&mut batch);
    let heard = tokio::time::timeout(Duration::from_secs(5), listening).await;
    assert_eq!(heard.unwrap(), Heard::PollNow);
}

fn watts(id: &str, value: &str, second: u32) -> Value {
    state(id, value, &json!({"unit_of_measurement": "W"}), second)
}

#[tokio::test]
async fn all_states_are_told_first_and_changes_at_once_with_their_own_time() {
    let fake = Fake::start().await;
    fake.set(|s| {
        s.states = vec![
            watts("sensor.power", "100", 60),
            state("light.hall", "on", &json!({"friendly_name": "Hall"}), 61),
            state("person.anna", "home", &json!({}), 62),
            json!("garbled"),
            watts("sensor.gone", "unavailable", 63),
        ];
    });
    let mut ha = open(&fake, "");
    assert_eq!(
        polled(&mut ha).await,
        [
            "sample light.hall availability=available state=on",
            "sample sensor.gone availability=unavailable",
            "sample sensor.power availability=available power_watts=100",
        ]
    );
    assert_eq!(
        fake.asked(),
        [
            "/api/websocket",
            "supported_features",
            "get_config",
            "subscribe_events",
            "get_states"
        ],
    );
    fake.push(&changed(&watts("sensor.power", "120.5", 3600)));
    assert_eq!(
        heard(&mut ha, 1).await,
        [
            "change sensor.power availability=available power_watts=120.5 @2026-11-23T01:00:00.250Z",
            // the sample of now was the newest
            "sample sensor.power availability=available power_watts=120.5"
        ]
    );
    // what changes nothing that is told, and what may not be told
    fake.push(&changed(&watts("sensor.power", "120.50", 3601)));
    fake.push(&changed(&state(
        "person.anna",
        "not_home",
        &json!({}),
        3602,
    )));
    fake.push(&gone("sensor.gone"));
    let told = heard(&mut ha, 1).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("change sensor.gone availability=removed"),
        "{told:?}"
    );
}

#[tokio::test]
async fn several_messages_come_in_one() {
    let fake = Fake::start().await;
    fake.set(|s| s.states = vec![watts("sensor.a", "1", 0), watts("sensor.b", "1", 0)]);
    let mut ha = open(&fake, "");
    polled(&mut ha).await;
    fake.push(&json!([
        changed(&watts("sensor.a", "2", 10)),
        {"type": "event", "event": 7},
        changed(&watts("sensor.b", "3", 11)),
        changed(&watts("sensor.a", "4", 12)),
    ]));
    let told = heard(&mut ha, 6).await;
    let changes: Vec<_> = told
        .iter()
        .filter(|line| line.starts_with("change"))
        .collect();
    assert_eq!(
        changes,
        [
            "change sensor.a availability=available power_watts=2 @2026-11-23T00:00:10.250Z",
            "change sensor.a availability=available power_watts=4 @2026-11-23T00:00:12.250Z",
            "change sensor.b availability=available power_watts=3 @2026-11-23T00:00:11.250Z",
        ]
    );
}

#[tokio::test]
async fn of_a_thousand_messages_none_is_lost() {
    let fake = Fake::start().await;
    let mut ha = open(&fake, "");
    polled(&mut ha).await;
    for n in 0..1000 {
        fake.push(&changed(&watts(&format!("sensor.s{n}"), "1", n)));
    }
    assert_eq!(heard(&mut ha, 1000).await.len(), 1000);
}

#[tokio::test]
async fn nothing_falls_between_the_subscription_and_the_states() {
    let fake = Fake::start().await;
    fake.set(|s| {
        // one that the states hold already, one that they do not know, one that is gone before them
        s.states = vec![watts("sensor.a", "2", 10), watts("sensor.b", "1", 5)];
        s.before_states = vec![
            changed(&watts("sensor.a", "2", 10)),
            changed(&watts("sensor.b", "9", 11)),
            changed(&watts("sensor.c", "3", 12)),
        ];
    });
    let mut ha = open(&fake, "");
    assert_eq!(
        polled(&mut ha).await,
        [
            "sample sensor.a availability=available power_watts=2",
            "sample sensor.b availability=available power_watts=9",
            "sample sensor.c availability=available power_watts=3",
        ]
    );
}

#[tokio::test]
async fn a_connection_that_ends_is_a_failure_and_the_next_tells_what_moved_meanwhile() {
    let fake = Fake::start().await;
    fake.set(|s| {
        s.states = vec![
            watts("sensor.a", "1", 0),
            watts("sensor.b", "1", 0),
            watts("sensor.late", "1", 0),
        ];
    });
    let mut ha = open(&fake, "");
    polled(&mut ha).await;
    fake.close();
    lose(&mut ha).await;
    let lost = failure(&mut ha).await;
    assert_eq!(lost.class, FailureClass::Unreachable, "{lost}");
    assert!(lost.message.contains("closed the connection"), "{lost}");

    // it starts again: not everything is there yet
    let later = Timestamp::now().plus_millis(60_000);
    let mut moved = watts("sensor.a", "7", 0);
    moved["last_changed"] = json!(later.to_string());
    moved["last_updated"] = json!(later.plus_millis(5).to_string());
    fake.set(|s| {
        s.config["state"] = json!("STARTING");
        s.states = vec![
            moved,
            watts("sensor.b", "1", 30),
            watts("sensor.new", "5", 31),
        ];
    });
    assert_eq!(
        polled(&mut ha).await,
        [
            format!("change sensor.a availability=available power_watts=7 @{later}"),
            "change sensor.new availability=available power_watts=5 @2026-11-23T00:00:31.250Z"
                .to_owned(),
        ]
    );
    // as long as it starts it may come back, afterwards it is gone
    assert!(polled(&mut ha).await.is_empty());
    fake.set(|s| s.config["state"] = json!("RUNNING"));
    let told = polled(&mut ha).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("change sensor.late availability=removed"),
        "{told:?}"
    );
    fake.asked();
    polled(&mut ha).await;
    assert_eq!(fake.asked(), ["ping"]);
}

#[tokio::test]
async fn it_tells_of_itself_what_it_is_and_how_many_entities_it_has() {
    let fake = Fake::start().await;
    fake.set(|s| {
        s.config["state"] = json!("STARTING");
        s.states = vec![
            watts("sensor.a", "1", 0),
            watts("sensor.b", "unavailable", 0),
        ];
    });
    let mut ha = open(&fake, "");
    let mut lines = Vec::new();
    for _ in 0..2 {
        let mut batch = testing::batch();
        ha.poll(&mut batch).await.unwrap();
        let (events, _) = testing::checked(batch, METRICS);
        let itself = events.iter().filter(|e| e.entity.id.as_str() == "home");
        lines.extend(itself.map(|event| {
            assert_eq!(&*event.entity.labels["version"], "2024.3.3");
            assert_eq!(&*event.entity.labels["name"], "Home");
            line(event).split(" @").next().unwrap().to_owned()
        }));
        fake.set(|s| s.config["state"] = json!("RUNNING"));
    }
    let counts = "entities_count=2 entities_unavailable_count=1 push=true";
    assert_eq!(
        lines,
        [
            format!("sample home {counts} state=starting"),
            "change home state=running".to_owned(),
            format!("sample home {counts} state=running"),
        ]
    );
}

#[tokio::test]
async fn one_that_stops_is_not_taken_for_one_that_runs() {
    let fake = Fake::start().await;
    fake.set(|s| s.config["state"] = json!("STOPPING"));
    let e = failure(&mut open(&fake, "")).await;
    assert_eq!(e.class, FailureClass::Unreachable, "{e}");
    assert!(e.message.contains("is stopping"), "{e}");
}

#[tokio::test]
async fn a_refused_token_is_not_tried_another_way_and_not_shown() {
    let fake = Fake::start().await;
    let mut ha = open_with(&fake, "wrong-token", "");
    let e = failure(&mut ha).await;
    assert_eq!(e.class, FailureClass::BadCredentials, "{e}");
    assert!(!e.message.contains("wrong-token"), "{e}");
    assert_eq!(fake.asked(), ["/api/websocket"]);
}

#[tokio::test]
async fn a_connection_in_the_middle_of_a_question_is_given_up() {
    let fake = Fake::start().await;
    let mut ha = open(&fake, "");
    polled(&mut ha).await;
    fake.set(|s| s.silent = vec!["ping"]);
    let mut batch = testing::batch();
    let poll = tokio::time::timeout(Duration::from_millis(200), ha.poll(&mut batch));
    assert!(poll.await.is_err());
    fake.asked();
    polled(&mut ha).await;
    assert_eq!(
        fake.asked().first().map(String::as_str),
        Some("/api/websocket")
    );
}

#[tokio::test]
async fn without_a_websocket_polls_read_all_states() {
    for status in [200, 400, 404, 426, 502] {
        let fake = Fake::start().await;
        fake.set(|s| {
            s.no_websocket = Some(status);
            s.states = vec![watts("sensor.a", "1", 0), watts("sensor.b", "1", 0)];
        });
        let mut ha = open(&fake, "");
        assert_eq!(polled(&mut ha).await.len(), 2, "{status}");
        assert_eq!(
            fake.asked(),
            ["/api/websocket", "/api/config", "/api/states"]
        );
        fake.set(|s| s.states = vec![watts("sensor.a", "2", 30)]);
        let told = polled(&mut ha).await;
        assert_eq!(fake.asked(), ["/api/config", "/api/states"]);
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(
            told[0],
            "change sensor.a availability=available power_watts=2 @2026-11-23T00:00:30.250Z"
        );
        assert!(
            told[1].starts_with("change sensor.b availability=removed"),
            "{told:?}"
        );
        // it does not listen to what nobody says
        let mut batch = Batch::live();
        let listening = tokio::time::timeout(Duration::from_millis(50), ha.listen(&mut batch));
        assert!(listening.await.is_err());
        // the WebSocket opens later
        ha.websocket_at = Some(Instant::now());
        fake.set(|s| s.no_websocket = None);
        polled(&mut ha).await;
        assert!(ha.connection.is_some(), "{status}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_in_its_class() {
    type Change = fn(&mut fake::State);
    let refused = |code: &str| json!({"type": "result", "success": false, "error": {"code": code, "message": "No."}});
    let cases: &[(&str, Change, FailureClass, &str)] = &[
        (
            "banned",
            |s| s.no_websocket = Some(403),
            FailureClass::NoPermission,
            "ip_bans.yaml",
        ),
        (
            "too many",
            |s| s.no_websocket = Some(429),
            FailureClass::RateLimited,
            "429",
        ),
        (
            "a proxy that is not known",
            |s| {
                s.no_websocket = Some(400);
                s.rest = Some((400, "400: Bad Request".to_owned()));
            },
            FailureClass::BadAnswer,
            "trusted_proxies",
        ),
        (
            "nothing of it",
            |s| {
                s.no_websocket = Some(404);
                s.rest = Some((404, "not here".to_owned()));
            },
            FailureClass::BadAnswer,
            "check url",
        ),
        (
            "another site",
            |s| {
                s.no_websocket = Some(200);
                s.rest = Some((200, "<html>".to_owned()));
            },
            FailureClass::BadAnswer,
            "check url",
        ),
        (
            "a list for a configuration",
            |s| s.config = json!([]),
            FailureClass::BadAnswer,
            "version",
        ),
        (
            "no list of states",
            |s| {
                s.instead = vec![(
                    "get_states",
                    json!({"type": "result", "success": true, "result": {}}),
                )];
            },
            FailureClass::BadAnswer,
            "no list",
        ),
    ];
    for (what, change, class, words) in cases {
        let fake = Fake::start().await;
        fake.set(change);
        let e = failure(&mut open(&fake, "")).await;
        assert_eq!(e.class, *class, "{what}: {e}");
        assert!(
            e.message.contains(words) && !e.message.contains('\n'),
            "{what}: {e}"
        );
        assert!(!e.message.contains(TOKEN), "{what}: {e}");
    }
    for (code, class) in [
        ("unauthorized", FailureClass::NoPermission),
        ("unknown_error", FailureClass::BadAnswer),
    ] {
        let fake = Fake::start().await;
        fake.set(|s| s.instead = vec![("subscribe_events", refused(code))]);
        let e = failure(&mut open(&fake, "")).await;
        assert_eq!(e.class, class, "{code}: {e}");
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable_by_one_try() {
    let fake = Fake::start().await;
    let mut ha = open(&fake, "");
    drop(fake);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let e = failure(&mut ha).await;
    assert_eq!(e.class, FailureClass::Unreachable, "{e}");
}

#[tokio::test]
async fn a_message_over_the_bound_ends_the_connection() {
    let fake = Fake::start().await;
    let mut ha = open(&fake, "");
    polled(&mut ha).await;
    fake.push(&json!("x".repeat(17 * 1024 * 1024)));
    lose(&mut ha).await;
    let e = failure(&mut ha).await;
    assert_eq!(e.class, FailureClass::BadAnswer, "{e}");
    assert!(e.message.contains("larger than"), "{e}");
}

#[tokio::test]
async fn every_entity_is_told_again_now_and_then() {
    let fake = Fake::start().await;
    fake.set(|s| s.states = vec![watts("sensor.a", "1", 0)]);
    let mut ha = open(&fake, "");
    polled(&mut ha).await;
    assert!(polled(&mut ha).await.is_empty());
    ha.told_all = Instant::now().checked_sub(TELL_ALL);
    assert_eq!(
        polled(&mut ha).await,
        ["sample sensor.a availability=available power_watts=1"]
    );
    assert!(polled(&mut ha).await.is_empty());
}

#[tokio::test]
async fn entities_are_chosen() {
    let fake = Fake::start().await;
    fake.set(|s| {
        s.states = vec![
            watts("sensor.a", "1", 0),
            watts("sensor.a_rssi", "1", 0),
            state("person.anna", "home", &json!({}), 0),
            state("light.hall", "on", &json!({}), 0),
        ];
    });
    let more = "include = [\"sensor.*\", \"person.*\"]\nexclude = [\"*_rssi\"]\nwhereabouts = true";
    assert_eq!(
        polled(&mut open(&fake, more)).await,
        [
            "sample person.anna availability=available state=home",
            "sample sensor.a availability=available power_watts=1",
        ]
    );
}

#[test]
fn what_cannot_work_is_told_with_its_key() {
    let refused = |text: &str| {
        HomeAssistant::open(toml::from_str(text).unwrap(), &context("home"))
            .err()
            .unwrap()
            .key
    };
    assert_eq!(refused("url = \"http://x\""), "token");
    assert_eq!(refused("token = \"x\""), "url");
    let long = "x".repeat(300);
    assert_eq!(
        refused(&format!(
            "url = \"http://x\"\ntoken = \"x\"\ninclude = [\"{long}\"]"
        )),
        "include"
    );
    assert_eq!(
        refused(&format!(
            "url = \"http://x\"\ntoken = \"x\"\nexclude = [\"{long}\"]"
        )),
        "exclude"
    );
}
