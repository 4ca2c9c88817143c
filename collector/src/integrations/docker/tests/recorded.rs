//! Against answers recorded from real engines, where they are at hand.

mod every;

use std::path::Path;

use bollard::models::EventMessage;
use serde_json::Value;

use super::*;
use crate::integrations::docker::{notice::Notice, stats::Reading};

fn body(dir: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    let mut recorded: Value = serde_json::from_str(&text).unwrap();
    recorded["body"].take()
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

#[test]
fn recorded_readings_follow_the_formulas() {
    let Some(dir) = testing::recordings("docker") else {
        return;
    };
    for (name, is_reading) in [
        ("stats_oneshot_web__20.10_cgroup1.json", true),
        ("stats_once_web__20.10_cgroup1.json", true),
        ("stats_once_bridge_net__20.10_cgroup1.json", true),
        ("stats_once_spinner__20.10_cgroup1.json", true),
        ("stats_once_dies__20.10_cgroup1.json", false),
    ] {
        let read = serde_json::from_value(body(&dir, name)).unwrap();
        assert_eq!(Reading::of(&read).is_some(), is_reading, "{name}");
    }
}

/// The lines of a stream, however they were recorded: with the time of their coming, as one body, or as a list.
fn lines(dir: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    match serde_json::from_str(&text).unwrap() {
        Value::Array(entries) => entries
            .iter()
            .filter(|entry| entry.get("te").is_none())
            .map(|entry| {
                entry["line"]
                    .as_str()
                    .map_or_else(|| entry.to_string(), str::to_owned)
            })
            .collect(),
        whole => whole["body"]
            .as_str()
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect(),
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
