//! Every recording, and what is read from it.

use bollard::models::{ContainerStatsResponse, SystemVersion};
use schemas::Fields;

use super::*;
use crate::integrations::docker::{
    transport::explain,
    wire::{ImageRow, Info, Inspected, Row},
};

/// What is told of one recording: the beginning of its name, and what is read.
const EXPECTED: &[(&str, &str)] = &[
    ("beszel_container", "no reading"),
    ("beszel_system_info", "engine ? with 4 cores"),
    (
        "containers_all",
        "created created, dies exited, hostnet running, oomer exited, paused paused, spinner running, web running unhealthy",
    ),
    ("containers_filter_project", "web running unhealthy"),
    (
        "containers_running",
        "hostnet running, paused paused, spinner running, web running unhealthy",
    ),
    ("err_404_path", "BadAnswer: page not found"),
    (
        "err_bad_version",
        "BadAnswer: client version 9.99 is too new.",
    ),
    ("err_no_container", "BadAnswer: No such container: nope"),
    (
        "err_stats_no_container",
        "BadAnswer: No such container: nope",
    ),
    ("events_health_restart", "17 of interest"),
    ("events_since", "25 of interest"),
    ("events_stream", "24 of interest"),
    ("images", "acme/app:1.0 with 8296923 bytes"),
    ("info", "engine vm with 2 cores"),
    (
        "inspect_dies",
        "exit 3, oom false, restarts 0, policy no, failed probes -",
    ),
    (
        "inspect_flappy_health",
        "exit 0, oom false, restarts 0, policy no, failed probes 9",
    ),
    (
        "inspect_paused",
        "exit 0, oom false, restarts 0, policy no, failed probes -",
    ),
    (
        "inspect_web",
        "exit 0, oom false, restarts 0, policy no, failed probes 4",
    ),
    // its makers' documentation writes a number as text there, which engines do not
    (
        "moby_api1.55_doc_example_ContainerStatsResponse",
        "BadAnswer",
    ),
    ("moby_api1.55_doc_example_EventMessage", "1 of interest"),
    ("networks", "not asked for"),
    ("ping", "not asked for"),
    ("stats_once_bridge_net", "memory 3080192"),
    ("stats_once_dies", "no reading"),
    ("stats_once_spinner", "memory 1556480"),
    ("stats_once_web", "memory 111783936"),
    ("stats_oneshot_web", "memory 111726592"),
    ("stats_stream_spinner", "not asked for"),
    ("telegraf_memory_stats__disk", "not asked for"),
    ("telegraf_memory_stats__info", "engine absol with 4 cores"),
    (
        "telegraf_memory_stats__inspect",
        "exit 0, oom false, restarts 0, policy ?, failed probes 1",
    ),
    ("telegraf_memory_stats__list", "redis running"),
    ("telegraf_memory_stats__stats", "memory 1111"),
    ("top_web", "not asked for"),
    ("version", "Engine 20.10.24+dfsg1"),
    ("volumes", "not asked for"),
];

/// Reads what a recording holds as what answered the request that its name tells.
fn read(dir: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    let mut whole: Value = serde_json::from_str(&text).unwrap();
    let body = match whole.get_mut("body") {
        Some(body) => body.take(),
        None => whole.clone(),
    };
    let kind = name.trim_start_matches("telegraf_memory_stats__");
    if kind.starts_with("err_") {
        let error = Error::DockerResponseServerError {
            status_code: u16::try_from(whole["status"].as_u64().unwrap()).unwrap(),
            message: body["message"].as_str().unwrap().to_owned(),
        };
        let address = Address::parse("tcp://engine", false).unwrap();
        let failed = explain(&error, &address);
        let said = failed.message.split(": ").skip(1).collect::<Vec<_>>();
        return format!("{:?}: {}", failed.class, said.join(": "));
    }
    if kind.starts_with("containers_") || kind.starts_with("list") {
        let rows: Vec<Row> = serde_json::from_value(body).unwrap();
        let mut told: Vec<_> = rows
            .into_iter()
            .filter_map(Listed::of)
            .map(|l| {
                let health = l.health.map(|health| format!(" {health}"));
                format!("{} {}{}", l.who.name, l.state, health.unwrap_or_default())
            })
            .collect();
        told.sort();
        return told.join(", ");
    }
    if kind.starts_with("events_") || kind.contains("EventMessage") {
        let all = if kind.contains("EventMessage") {
            vec![text]
        } else {
            lines(dir, name)
        };
        let notices = all
            .iter()
            .filter_map(|line| Notice::of(serde_json::from_str(line).unwrap()));
        return format!("{} of interest", notices.count());
    }
    if kind.starts_with("images") {
        let rows: Vec<ImageRow> = serde_json::from_value(body).unwrap();
        let told = rows.into_iter().map(|row| {
            let tags = row.repo_tags.unwrap_or_default().join(" ");
            format!("{tags} with {} bytes", row.size.unwrap())
        });
        return told.collect::<Vec<_>>().join(", ");
    }
    if kind.starts_with("info") || kind.contains("system_info") {
        let info: Info = serde_json::from_value(body).unwrap();
        let name = info.name.unwrap_or("?".to_owned());
        return format!("engine {name} with {} cores", info.cpus.unwrap());
    }
    if kind.starts_with("inspect_") {
        let inspected: Inspected = serde_json::from_value(body).unwrap();
        let state = inspected.state.unwrap_or_default();
        let host = inspected.host_config.unwrap_or_default();
        let failed = state.health.and_then(|health| health.failing_streak);
        return format!(
            "exit {}, oom {}, restarts {}, policy {}, failed probes {}",
            state.exit_code.unwrap(),
            state.oom_killed.unwrap(),
            inspected.restart_count.unwrap(),
            host.restart_policy
                .and_then(|p| p.in_words())
                .unwrap_or("?".to_owned()),
            failed.map_or("-".to_owned(), |n| n.to_string()),
        );
    }
    if kind.starts_with("version") {
        let version: SystemVersion = serde_json::from_value(body).unwrap();
        return format!("Engine {}", version.version.unwrap());
    }
    if kind.starts_with("stats_o")
        || kind.starts_with("stats_1")
        || kind.contains("ContainerStats")
        || kind == "beszel_container.json"
    {
        let Ok(stats) = serde_json::from_value::<ContainerStatsResponse>(body) else {
            return "BadAnswer".to_owned();
        };
        let Some(reading) = Reading::of(&stats) else {
            return "no reading".to_owned();
        };
        let mut fields = Fields::new();
        reading.tell(None, &mut fields);
        let used = fields.get("memory_used_bytes").and_then(FieldValue::as_f64);
        return used.map_or("no memory".to_owned(), |used| format!("memory {used}"));
    }
    "not asked for".to_owned()
}

#[test]
fn every_recording_is_read_as_expected() {
    let Some(dir) = testing::recordings("docker") else {
        return;
    };
    let mut names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut wrong = Vec::new();
    for name in &names {
        let told = read(&dir, name);
        println!("{name}: {told}");
        let expected = EXPECTED
            .iter()
            .filter(|(begin, _)| name.starts_with(begin))
            .max_by_key(|(begin, _)| begin.len());
        let (_, expected) = expected.unwrap_or_else(|| panic!("nothing is expected of {name}"));
        if !told.starts_with(expected) {
            wrong.push(format!("{name}: {told}, expected {expected}"));
        }
    }
    println!("{} recordings of engines", names.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(names.len(), EXPECTED.len());
}
