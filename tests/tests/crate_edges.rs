//! Data flows one way, and so do the edges between the rooms: what ARCHITECTURE.md calls invariants is held here against
//! what cargo knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use homelog_tests::workspace;
use serde_json::Value;

/// Which rooms a room may depend on (outside of its tests).
const ALLOWED: &[(&str, &[&str])] = &[
    ("schemas", &[]),
    ("supervision", &[]),
    ("http-client", &[]),
    ("event-log", &["schemas", "http-client", "supervision"]),
    ("shipper", &["schemas", "event-log", "supervision"]),
    ("time-series", &["schemas", "http-client", "supervision"]),
    ("control", &["schemas", "supervision"]),
    (
        "collector",
        &["schemas", "http-client", "event-log", "supervision"],
    ),
    (
        "ingest",
        &["schemas", "event-log", "time-series", "supervision"],
    ),
    (
        "query-api",
        &[
            "schemas",
            "event-log",
            "time-series",
            "control",
            "supervision",
        ],
    ),
    ("simulators", &["schemas", "supervision"]),
    (
        "homelog",
        &[
            "schemas",
            "event-log",
            "time-series",
            "control",
            "collector",
            "http-client",
            "ingest",
            "query-api",
            "shipper",
            "simulators",
            "supervision",
        ],
    ),
];

/// Who alone may depend on a library, so that no type of it crosses a border.
const HOLDERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["event-log", "time-series", "control"]),
    ("pco", &["time-series"]),
    ("rdkafka", &["event-log"]),
    ("influxdb2", &["time-series"]),
    ("tokio-postgres", &["control"]),
    ("deadpool-postgres", &["control"]),
    ("tokio-postgres-rustls", &["control"]),
    ("bollard", &["collector"]),
    ("quick-xml", &["collector"]),
    ("sysinfo", &["collector", "homelog"]),
    ("argon2", &["control", "query-api"]),
    ("axum", &["query-api", "simulators"]),
    ("reqwest", &["http-client", "time-series"]),
    ("tokio-tungstenite", &["http-client"]),
];

/// Packages that are no room of the product: they may depend on any.
const OUTSIDE: &[&str] = &[
    "homelog-tests",
    "benches",
    "homelog-benches",
    "test-servers",
];

/// The dependencies of each package of the workspace, without those of its tests.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--no-deps",
            "--offline",
            "--locked",
        ])
        .current_dir(workspace())
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let list = |value: &Value, key: &str| -> Vec<Value> {
        value[key]
            .as_array()
            .expect("a list in the metadata")
            .clone()
    };
    let text = |value: &Value| value.as_str().expect("a name in the metadata").to_owned();
    list(&metadata, "packages")
        .iter()
        .map(|package| {
            let needed = list(package, "dependencies")
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .collect();
            (text(&package["name"]), needed)
        })
        .collect()
}

#[test]
fn every_room_depends_only_on_rooms_before_it() {
    let edges = edges();
    let rooms: BTreeSet<_> = ALLOWED.iter().map(|(room, _)| *room).collect();
    let mut broken = Vec::new();
    for (package, needed) in &edges {
        if OUTSIDE.contains(&package.as_str()) {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(room, _)| room == package) else {
            broken.push(format!(
                "`{package}` is a new room: say here what it may depend on"
            ));
            continue;
        };
        for other in needed {
            let ours = rooms.contains(other.as_str()) || OUTSIDE.contains(&other.as_str());
            if ours && !allowed.contains(&other.as_str()) {
                broken.push(format!("`{package}` depends on `{other}`"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    for room in rooms {
        assert!(edges.contains_key(room), "`{room}` is not in the workspace");
    }
}

#[test]
fn a_library_stays_behind_its_port() {
    let mut broken = Vec::new();
    for (package, needed) in edges() {
        for (library, holders) in HOLDERS {
            let outside = OUTSIDE.contains(&package.as_str());
            if needed.contains(*library) && !outside && !holders.contains(&package.as_str()) {
                broken.push(format!("`{package}` depends on `{library}`"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
