//! The ready-made views and the updates of the same things, on the real binary.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{SinkExt, StreamExt};
use homelog_tests::lab::Lab;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

/// A Pi-hole that nobody answers for, and nothing else.
const CONFIG: &str =
    "[[source]]\nname = \"dns\"\nkind = \"pihole\"\nurl = \"http://127.0.0.1:9\"\n";
const PATIENCE: Duration = Duration::from_secs(20);

/// What each view shows of what is pushed: view, kind of the source, type, where it is in the view, and name of its update.
const THINGS: [(&str, &str, &str, &str, &str); 6] = [
    (
        "/api/nas/storage",
        "synology",
        "volume",
        "volumes",
        "nas-update",
    ),
    (
        "/api/nas/storage",
        "qnap",
        "qnap_disk",
        "disks",
        "nas-update",
    ),
    (
        "/api/docker/containers",
        "docker",
        "container",
        "containers",
        "container-update",
    ),
    (
        "/api/proxmox/nodes",
        "proxmox",
        "proxmox_node",
        "nodes",
        "proxmox-update",
    ),
    (
        "/api/pihole/summary",
        "pihole",
        "pihole",
        "piholes",
        "pihole-update",
    ),
    (
        "/api/home-assistant/states",
        "home_assistant",
        "home_assistant_entity",
        "states",
        "home-assistant-update",
    ),
];

#[tokio::test]
async fn views_and_updates_tell_of_the_newest_events() -> Result<()> {
    let mut lab = Lab::start(CONFIG).await?;
    let url = lab.url("/realtime").replace("http", "ws");
    let mut request = url.into_client_request()?;
    let bearer = format!("Bearer {}", lab.token()).parse()?;
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let wanted = json!({"op": "subscribe", "id": "a", "filter": {"event": "sample"}});
    socket.send(Message::text(wanted.to_string())).await?;
    let mut next = async || -> Result<Value> {
        loop {
            let message = tokio::time::timeout(PATIENCE, socket.next()).await?;
            if let Message::Text(text) = message.context("the WebSocket was closed")?? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
    };
    ensure!(next().await?["event"] == "subscribed");
    for (view, kind, entity_type, group, update) in THINGS {
        let source = format!("{kind}-pushed");
        let pushed = lab
            .post("/api/v1/events")
            .json(&json!({
                "source": source,
                "kind": kind,
                "entity": {"type": entity_type, "id": "x", "labels": {"name": "The thing"}},
                "fields": {"status": "online", "used_bytes": 0},
            }))
            .send()
            .await?
            .error_for_status()?
            .json::<Value>()
            .await?;
        let told = next().await?;
        ensure!(told["event"] == update, "{update}: {told}");
        ensure!(told["position"] == pushed["position"], "{pushed}: {told}");
        let item = wait_for(
            &lab,
            &format!("{view}?source={source}"),
            &format!("/{group}/0"),
        )
        .await?;
        ensure!(
            item["name"] == "The thing" && item["type"] == entity_type,
            "{item}"
        );
        ensure!(
            item["source_state"] == "pushed" && item["last_seen"].is_i64(),
            "{item}"
        );
        let fields = json!({"status": "online", "used_bytes": 0});
        ensure!(
            item["fields"] == fields,
            "what is not known is absent: {item}"
        );
        let then = lab.json(&format!("{view}?at=-1h")).await?;
        ensure!(then[group] == json!([]), "{then}");
    }
    ensure!(lab.stop().await?.success());
    Ok(())
}

#[tokio::test]
async fn a_view_tells_which_of_its_sources_are_down_and_why() -> Result<()> {
    let mut lab = Lab::start(CONFIG).await?;
    let source = wait_for(&lab, "/api/pihole/summary", "/sources/0").await?;
    ensure!(
        source["name"] == "dns" && source["state"] == "down",
        "{source}"
    );
    ensure!(source["class"] == "unreachable", "{source}");
    let reason = source["reason"].as_str().context("a reason")?;
    ensure!(reason.contains("127.0.0.1:9"), "{reason}");
    for other in ["/api/nas/storage", "/api/docker/containers"] {
        let view = lab.json(other).await?;
        ensure!(view["sources"] == json!([]), "{other}: {view}");
    }
    let health = lab.json("/health").await?;
    ensure!(
        health["services"]["pihole"]["status"] == "unhealthy",
        "{health}"
    );
    ensure!(lab.stop().await?.success());
    Ok(())
}

/// A part of an answer, once it is there.
async fn wait_for(lab: &Lab, path: &str, pointer: &str) -> Result<Value> {
    let found = async {
        loop {
            let answer = lab.json(path).await?;
            if let Some(part) = answer.pointer(pointer) {
                return anyhow::Ok(part.clone());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .with_context(|| format!("{path} has no {pointer} in time"))?
}
