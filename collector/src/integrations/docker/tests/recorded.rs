//! Against answers recorded from real engines, where they are at hand.

use std::path::Path;

use bollard::models::EventMessage;
use serde_json::Value;

use super::*;
use crate::{
    integrations::docker::notice::Notice,
    testing::recordings::{self, Became},
};

/// The container that a recording without a list is of.
const ID: &str = "aaaaaaaaaaaaaaaa";

/// What the integration makes of one recording, in the place of the answer that it is.
pub(crate) async fn read(dir: &Path, name: &str) -> Became {
    let fake = Fake::start();
    let whole = whole(dir, name);
    let body = whole.get("body").unwrap_or(&whole).clone();
    let what = name.trim_start_matches("telegraf_memory_stats__");
    let mut docker = open(&fake.url());
    if what.starts_with("containers_") || what.starts_with("list") {
        fake.set(|state| {
            for row in body.as_array().unwrap() {
                let id = row["Id"].as_str().unwrap().to_owned();
                state.inspected.insert(id, json!({}));
            }
        });
        fake.instead("/containers/json", Answer::Json(body));
    } else if what.starts_with("err_") {
        let status = u16::try_from(whole["status"].as_u64().unwrap()).unwrap();
        // the fake keeps its answers for as long as it likes
        let body = Box::leak(body.to_string().into_boxed_str());
        fake.instead("/containers/json", Answer::Status(status, body));
    } else if what.starts_with("events_") || what.contains("EventMessage") {
        return told_of_events(&fake, &mut docker, &lines(dir, name)).await;
    } else if what.starts_with("images") {
        fake.instead("/images/json", Answer::Json(body));
    } else if what.starts_with("info") || what.contains("system_info") {
        fake.instead("/info", Answer::Json(body));
    } else if what.starts_with("version") {
        fake.instead("/version", Answer::Json(body));
    } else if what.starts_with("inspect_") {
        let state = body["State"]["Status"].as_str().unwrap().to_owned();
        let unhealthy = body["State"]["Health"].is_object();
        fake.set(|fake| {
            let mut row = container(ID, "it", "app:1", &state, 7);
            row["Status"] = json!(if unhealthy { "Up (unhealthy)" } else { "" });
            fake.containers = vec![row];
            fake.stats.insert(
                ID.to_owned(),
                json!({"read": "2026-11-24T00:00:00Z", "cpu_stats": {"cpu_usage": {}}}),
            );
            fake.inspected.insert(ID.to_owned(), body);
        });
    } else if is_stats(what) {
        fake.set(|state| {
            state.containers = vec![container(ID, "it", "app:1", "running", 7)];
            state.inspected.insert(ID.to_owned(), json!({}));
            state.stats.insert(ID.to_owned(), body);
        });
    } else {
        // nobody asks for it
        fake.instead("/containers/json", Answer::Json(body));
    }
    let mut batch = recordings::batch();
    if let Err(e) = docker.poll(&mut batch).await {
        return e.into();
    }
    let told = checked(batch);
    if what.starts_with("images") {
        Became::of(told, &["docker_image"])
    } else if what.starts_with("info") || what.contains("system_info") {
        Became::of(told, &["docker_engine"])
    } else if what.starts_with("version") {
        Became::Understood(format!("an engine {}", docker.version.unwrap()))
    } else if what.starts_with("inspect_") || is_stats(what) {
        let listed = ["state", "health"];
        Became::fields_of(told, &["container"], |field| !listed.contains(&field))
    } else {
        Became::of(told, &["container"])
    }
}

fn is_stats(what: &str) -> bool {
    what.starts_with("stats_") && !what.starts_with("stats_stream")
        || what.contains("ContainerStats")
        || what.starts_with("beszel_container")
}

/// Events of containers that no list has shown: they wait for the next poll, which tells them.
async fn told_of_events(fake: &Fake, docker: &mut Docker, lines: &[String]) -> Became {
    docker.poll(&mut recordings::batch()).await.unwrap();
    connect(docker, fake).await;
    for line in lines {
        fake.tell_raw(&format!("{}\n", line.trim_end())).await;
    }
    let (mut told, _) = listen(docker).await;
    let mut batch = recordings::batch();
    docker.poll(&mut batch).await.unwrap();
    told.extend(checked(batch));
    // how the containers are afterwards is no event
    told.retain(|event| event.event_type == EventType::Change);
    Became::of(told, &["container"])
}

fn whole(dir: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn body(dir: &Path, name: &str) -> Value {
    whole(dir, name)["body"].take()
}

#[tokio::test]
async fn a_recorded_engine_is_read_as_it_was() {
    let Some(dir) = testing::recordings("docker") else {
        return;
    };
    let fake = Fake::start();
    let containers = body(&dir, "containers_all__20.10_cgroup1.json");
    let list = containers.as_array().unwrap().clone();
    let stats = body(&dir, "stats_oneshot_web__20.10_cgroup1.json");
    fake.instead(
        "/info",
        Answer::Json(body(&dir, "info__20.10_cgroup1.json")),
    );
    fake.instead(
        "/version",
        Answer::Json(body(&dir, "version__20.10_cgroup1.json")),
    );
    fake.set(|state| {
        state.containers = list.clone();
        for entry in &list {
            if entry["State"] == "running" {
                state
                    .stats
                    .insert(entry["Id"].as_str().unwrap().to_owned(), stats.clone());
            }
        }
    });
    let mut docker = open(&fake.url());
    let told = poll(&mut docker).await;
    let entities: Vec<_> = told
        .iter()
        .filter(|e| e.entity.entity_type.as_str() == "container")
        .collect();
    assert_eq!(entities.len(), list.len());
    for entry in &list {
        let name = entry["Names"][0].as_str().unwrap().trim_start_matches('/');
        // none of them has all labels of a compose replica, so each goes by its name
        assert_eq!(
            text(of(&told, name), "state"),
            entry["State"].as_str().unwrap(),
            "{name}"
        );
    }
    let running = entities
        .iter()
        .find(|e| text(e, "state") == "running")
        .unwrap();
    let memory = &stats["memory_stats"];
    let used = memory["usage"].as_i64().unwrap()
        - memory["stats"]["total_inactive_file"].as_i64().unwrap();
    assert_eq!(
        running.fields.get("memory_used_bytes"),
        Some(&FieldValue::I64(used))
    );
    let engine = of(&told, "vm");
    assert_eq!(engine.fields.get("images_count"), Some(&FieldValue::I64(2)));
    assert_eq!(
        engine.fields.get("containers_running_count"),
        Some(&FieldValue::I64(3))
    );
}

/// The lines of a stream, however they were recorded: with the time of their coming, as one body, or as a list.
fn lines(dir: &Path, name: &str) -> Vec<String> {
    match whole(dir, name) {
        Value::Array(entries) => entries
            .iter()
            .filter(|entry| entry.get("te").is_none())
            .map(|entry| {
                entry["line"]
                    .as_str()
                    .map_or_else(|| entry.to_string(), str::to_owned)
            })
            .collect(),
        whole => match whole["body"].as_str() {
            Some(lines) => lines.lines().map(str::to_owned).collect(),
            None => vec![whole.to_string()],
        },
    }
}

#[test]
fn every_recorded_event_of_interest_is_understood() {
    let Some(dir) = testing::recordings("docker") else {
        return;
    };
    let mut found = std::collections::BTreeSet::new();
    for name in [
        "events_stream__20.10_cgroup1.json",
        "events_since__20.10_cgroup1.json",
        "events_health_restart__20.10_cgroup1.json",
    ] {
        for line in lines(&dir, name) {
            let line = line.as_str();
            let raw: Value = serde_json::from_str(line).unwrap();
            let message: EventMessage = serde_json::from_str(line).unwrap();
            let action = raw["Action"].as_str().unwrap();
            let verb = action.split(':').next().unwrap();
            let of_interest = raw["Type"] == "container"
                && [
                    "create",
                    "start",
                    "die",
                    "oom",
                    "health_status",
                    "pause",
                    "unpause",
                    "rename",
                    "destroy",
                ]
                .contains(&verb);
            let notice = (raw["Type"] == "container")
                .then(|| Notice::of(message))
                .flatten();
            assert_eq!(notice.is_some(), of_interest, "{line}");
            if let Some(notice) = notice {
                assert_eq!(notice.nanos, raw["timeNano"].as_i64().unwrap());
                if let notice::Action::Die { exit_code } = notice.action {
                    assert_eq!(
                        exit_code.map(|code| code.to_string()).as_deref(),
                        raw["Actor"]["Attributes"]["exitCode"].as_str()
                    );
                }
                found.insert(verb.to_owned());
            }
        }
    }
    for verb in ["create", "start", "die", "destroy", "health_status"] {
        assert!(found.contains(verb), "{found:?}");
    }
}
