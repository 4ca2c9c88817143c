//! The ready-made views.

use reqwest::StatusCode;
use schemas::{
    Timestamp,
    api::{
        DockerContainers, HomeAssistantStates, NasStorage, PiholeSummary, ProxmoxNodes,
        SourceState, ViewItem,
    },
};
use serde_json::{Value, json};

use crate::{health::report, lab::Lab};

fn reading(source: &str, kind: &str, entity_type: &str, id: &str, fields: &Value) -> Value {
    json!({
        "source": source,
        "kind": kind,
        "entity": {"type": entity_type, "id": id, "labels": {"name": format!("the {id}")}},
        "fields": fields,
    })
}

/// A lab in which two NAS have a volume and a disk each, beside what is none.
async fn lab_with_nas() -> Lab {
    let lab = Lab::start().await;
    let full = json!({"status": "normal", "used_bytes": 9_007_199_254_740_993_i64});
    let answer = lab
        .push(&[
            reading("nas1", "synology", "volume", "volume_1", &full),
            reading(
                "nas1",
                "synology",
                "disk",
                "S1",
                &json!({"temperature_celsius": 31.5}),
            ),
            reading(
                "nas1",
                "synology",
                "pool",
                "p",
                &json!({"status": "degraded"}),
            ),
            reading(
                "nas1",
                "synology",
                "nas",
                "nas1",
                &json!({"uptime_seconds": 5}),
            ),
            reading(
                "nas2",
                "qnap",
                "qnap_volume",
                "1",
                &json!({"status": "ready"}),
            ),
            reading(
                "nas2",
                "qnap",
                "qnap_share",
                "media",
                &json!({"used_bytes": 1}),
            ),
            reading("nas2", "qnap", "qnap", "nas2", &json!({"health": "good"})),
            reading("server", "host", "disk", "/", &json!({"used_ratio": 0.5})),
        ])
        .await;
    lab.ingested(&answer.position).await;
    report(&lab, "nas1", "synology", false, 0).await;
    report(&lab, "nas2", "qnap", true, 0).await;
    lab
}

fn ids(items: &[ViewItem]) -> Vec<&str> {
    items.iter().map(|item| item.id.as_str()).collect()
}

#[tokio::test]
async fn a_view_has_what_its_kinds_of_sources_see_and_how_each_does() {
    let lab = lab_with_nas().await;
    let before = Timestamp::now().as_millis();
    let nas: NasStorage = lab.json("/api/nas/storage").await;
    assert_eq!(ids(&nas.volumes), ["volume_1", "1"]);
    assert_eq!(
        ids(&nas.disks),
        ["S1"],
        "a disk of a host is no disk of a NAS"
    );
    assert_eq!(ids(&nas.pools), ["p"]);
    assert_eq!(ids(&nas.systems), ["nas1", "nas2"]);
    assert_eq!(ids(&nas.shares), ["media"]);
    assert_eq!(
        nas.volumes[1].entity_type, "qnap_volume",
        "a type keeps its name"
    );
    let [one, two] = nas.volumes.as_slice() else {
        panic!("{nas:?}")
    };
    assert_eq!(one.name, "the volume_1");
    assert_eq!(one.source_state, SourceState::Down);
    assert_eq!(two.source_state, SourceState::Up);
    assert!(
        one.last_seen
            .is_some_and(|seen| seen <= before && seen > before - 60_000)
    );
    assert_eq!(
        serde_json::to_value(&one.fields).unwrap(),
        json!({"status": "normal", "used_bytes": "9007199254740993"}),
        "what was not read is absent, and what no float holds is a text"
    );
    let sources: Vec<_> = nas
        .sources
        .iter()
        .map(|s| (s.name.as_str(), s.state, s.class.as_deref(), s.entities))
        .collect();
    assert_eq!(
        sources,
        [
            ("nas1", SourceState::Down, Some("unreachable"), 4),
            ("nas2", SourceState::Up, None, 3)
        ]
    );
    let one: NasStorage = lab.json("/api/nas/storage?source=nas2").await;
    assert_eq!(ids(&one.volumes), ["1"]);
    assert_eq!(one.sources.len(), 1);
    let entities: Value = lab.json("/api/v1/entities").await;
    assert_eq!(entities["position"], nas.position, "both tell of one state");
}

#[tokio::test]
async fn what_is_of_a_removed_source_is_told_to_who_names_it() {
    let lab = lab_with_nas().await;
    let gone = json!({"up": false, "state": "removed"});
    let answer = lab
        .push(&[reading("nas2", "qnap", "source", "nas2", &gone)])
        .await;
    lab.ingested(&answer.position).await;
    let nas: NasStorage = lab.json("/api/nas/storage").await;
    assert_eq!(ids(&nas.volumes), ["volume_1"]);
    assert_eq!(nas.sources.len(), 1);
    let nas: NasStorage = lab.json("/api/nas/storage?source=nas2").await;
    assert_eq!(ids(&nas.volumes), ["1"]);
    assert_eq!(nas.volumes[0].source_state, SourceState::Removed);
}

#[tokio::test]
async fn a_view_of_then_is_as_it_was() {
    let lab = Lab::start().await;
    let now = Timestamp::now().as_millis();
    let mut events = Vec::new();
    for (age, state) in [(7_200_000, "running"), (60_000, "exited")] {
        let mut event = reading(
            "server",
            "docker",
            "container",
            "web",
            &json!({"state": state}),
        );
        event["time"] = (now - age).into();
        events.push(event);
    }
    let answer = lab.push(&events).await;
    lab.ingested(&answer.position).await;
    let state = |view: &DockerContainers| serde_json::to_value(&view.containers[0].fields).unwrap();
    let view: DockerContainers = lab.json("/api/docker/containers").await;
    assert_eq!(state(&view), json!({"state": "exited"}));
    assert_eq!(view.containers[0].source_state, SourceState::Pushed);
    let view: DockerContainers = lab.json("/api/docker/containers?at=-1h").await;
    assert_eq!(state(&view), json!({"state": "running"}));
    assert_eq!(view.containers[0].last_seen, Some(now - 7_200_000));
    let view: DockerContainers = lab.json("/api/docker/containers?at=-3h").await;
    assert!(view.containers.is_empty() && view.sources.is_empty());
}

#[tokio::test]
async fn each_view_sorts_what_it_has() {
    let lab = Lab::start().await;
    let one = json!({"status": "online"});
    let answer = lab
        .push(&[
            reading("pve", "proxmox", "proxmox_node", "pve1", &one),
            reading("pve", "proxmox", "proxmox_guest", "101", &one),
            reading("pve", "proxmox", "proxmox_storage", "local", &one),
            reading("pve", "proxmox", "proxmox_cluster", "home", &one),
            reading("pve", "proxmox", "proxmox_task", "UPID:1", &one),
            reading(
                "dns",
                "pihole",
                "pihole",
                "dns",
                &json!({"queries_count": 0}),
            ),
            reading(
                "dns",
                "pihole",
                "dns_upstream",
                "1.1.1.1",
                &json!({"queries_count": 7}),
            ),
            reading(
                "ha",
                "home_assistant",
                "home_assistant_entity",
                "sensor.attic",
                &json!({"temperature_celsius": 19.5}),
            ),
            reading(
                "ha",
                "home_assistant",
                "home_assistant",
                "ha",
                &json!({"state": "running"}),
            ),
            reading(
                "ha",
                "home_assistant",
                "light",
                "light.hall",
                &json!({"state": "on"}),
            ),
            reading(
                "dockerd",
                "docker",
                "docker_engine",
                "dockerd",
                &json!({"images_count": 3}),
            ),
        ])
        .await;
    lab.ingested(&answer.position).await;
    let proxmox: ProxmoxNodes = lab.json("/api/proxmox/nodes").await;
    assert_eq!(ids(&proxmox.nodes), ["pve1"]);
    assert_eq!(ids(&proxmox.guests), ["101"]);
    assert_eq!(ids(&proxmox.storages), ["local"]);
    assert_eq!(ids(&proxmox.clusters), ["home"]);
    assert!(proxmox.disks.is_empty() && proxmox.pools.is_empty());
    let pihole: PiholeSummary = lab.json("/api/pihole/summary").await;
    assert_eq!(ids(&pihole.piholes), ["dns"]);
    assert_eq!(ids(&pihole.upstreams), ["1.1.1.1"]);
    let counts = serde_json::to_value(&pihole.piholes[0].fields).unwrap();
    assert_eq!(
        counts,
        json!({"queries_count": 0}),
        "a zero that was read is one"
    );
    let home: HomeAssistantStates = lab.json("/api/home-assistant/states").await;
    assert_eq!(ids(&home.instances), ["ha"]);
    assert_eq!(ids(&home.states), ["sensor.attic", "light.hall"]);
    let docker: DockerContainers = lab.json("/api/docker/containers").await;
    assert_eq!(ids(&docker.engines), ["dockerd"]);
    assert!(docker.containers.is_empty());
}

#[tokio::test]
async fn a_view_takes_only_what_it_knows_and_only_who_may_read() {
    let lab = Lab::start().await;
    for path in [
        "/api/nas/storage",
        "/api/docker/containers",
        "/api/proxmox/nodes",
        "/api/pihole/summary",
        "/api/home-assistant/states",
    ] {
        let stranger = lab.http.get(lab.url(path)).send().await.unwrap();
        assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED, "{path}");
        for (query, code) in [
            ("type=disk", "unknown_parameter"),
            ("at=yesterday", "invalid_time"),
            ("source=a%20b", "invalid_parameter"),
        ] {
            let (status, error) = lab.error(&format!("{path}?{query}")).await;
            assert_eq!(
                (status, error.code.as_str()),
                (StatusCode::BAD_REQUEST, code),
                "{path}?{query}"
            );
        }
    }
    let lab = Lab::start_rebuilding().await;
    let (status, error) = lab.error("/api/nas/storage").await;
    assert_eq!(
        (status, error.code.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "rebuilding")
    );
}
