use futures::{SinkExt, StreamExt};
use reqwest::StatusCode;
use schemas::api::ServerMessage;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::lab::{Lab, PATIENCE, sample};

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(lab: &Lab) -> Self {
        let mut request = format!("ws://{}/realtime", lab.address)
            .into_client_request()
            .unwrap();
        let bearer = format!("Bearer {}", lab.token).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        Self(connect_async(request).await.unwrap().0)
    }

    async fn say(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// The next text; none when the other side said goodbye.
    async fn next(&mut self) -> Option<ServerMessage> {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap() {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return None,
            }
        }
    }

    async fn ask(&mut self, message: Value) -> ServerMessage {
        self.say(message).await;
        self.next().await.unwrap()
    }
}

#[tokio::test]
async fn a_subscription_gets_what_it_asked_for() {
    let lab = Lab::start().await;
    let mut socket = Socket::open(&lab).await;
    let all = socket.ask(json!({"op": "subscribe", "id": "all"})).await;
    assert_eq!(
        (all.event.as_str(), all.id.as_deref()),
        ("subscribed", Some("all"))
    );
    let some = socket
        .ask(json!({"op": "subscribe", "id": "y", "filter": {"entity": "probe/thing/y", "event": "sample"}}))
        .await;
    assert_eq!(some.position, all.position);
    let answer = lab
        .push(&[sample("probe", "x", 1.0), sample("probe", "y", 2.0)])
        .await;
    let mut got = Vec::new();
    for _ in 0..3 {
        let message = socket.next().await.unwrap();
        assert_eq!(message.event, "thing-update");
        let data = message.data.unwrap();
        assert_eq!(Some(&data.position), message.position.as_ref());
        got.push((message.id.unwrap(), data.entity.id, data.position));
    }
    got.sort();
    let names: Vec<_> = got
        .iter()
        .map(|(s, e, _)| (s.as_str(), e.as_str()))
        .collect();
    assert_eq!(names, [("all", "x"), ("all", "y"), ("y", "y")]);
    assert_eq!(got[1].2, answer.position);
    let gone = socket.ask(json!({"op": "unsubscribe", "id": "all"})).await;
    assert_eq!(
        (gone.event.as_str(), gone.position),
        ("unsubscribed", Some(answer.position))
    );
    lab.push(&[sample("probe", "x", 3.0)]).await;
    assert_eq!(socket.ask(json!({"op": "ping"})).await.event, "pong");
}

#[tokio::test]
async fn updates_are_named_after_what_people_call_their_source() {
    let lab = Lab::start().await;
    let mut socket = Socket::open(&lab).await;
    socket.ask(json!({"op": "subscribe", "id": "all"})).await;
    for (kind, entity_type, name) in [
        ("synology", "volume", "nas-update"),
        ("qnap", "disk", "nas-update"),
        ("docker", "container", "container-update"),
        ("docker", "docker_engine", "docker_engine-update"),
        ("proxmox", "proxmox_guest", "proxmox-update"),
        ("pihole", "dns_upstream", "pihole-update"),
        ("home_assistant", "sensor", "home-assistant-update"),
        ("host", "disk", "disk-update"),
        ("push", "container", "container-update"),
        ("synology", "source", "source-update"),
    ] {
        lab.push(&[json!({
            "source": format!("{kind}1"),
            "kind": kind,
            "entity": {"type": entity_type, "id": "x"},
            "fields": {"state": "on"},
        })])
        .await;
        let message = socket.next().await.unwrap();
        assert_eq!(message.event, name, "{kind} {entity_type}");
        assert_eq!(message.data.unwrap().kind, kind);
    }
}

#[tokio::test]
async fn a_subscription_goes_on_from_a_position() {
    let lab = Lab::start().await;
    let first = lab.push(&[sample("probe", "x", 1.0)]).await;
    lab.push(
        &(2..600)
            .map(|i| sample("probe", "x", f64::from(i)))
            .collect::<Vec<_>>(),
    )
    .await;
    let mut socket = Socket::open(&lab).await;
    let subscribed = socket
        .ask(json!({"op": "subscribe", "id": "a", "from": first.position}))
        .await;
    assert_eq!(subscribed.position, Some(first.position));
    for seq in 2..600 {
        let message = socket.next().await.unwrap();
        assert_eq!(message.data.unwrap().seq, seq);
    }
}

#[tokio::test]
async fn mistakes_are_told_and_the_connection_lives_on() {
    let lab = Lab::start().await;
    let mut socket = Socket::open(&lab).await;
    for (message, code) in [
        (json!({"op": "dance"}), "unknown_op"),
        (json!({"op": "subscribe"}), "invalid_id"),
        (
            json!({"op": "subscribe", "id": "x".repeat(65)}),
            "invalid_id",
        ),
        (
            json!({"op": "subscribe", "id": "a", "filter": {"sources": "x"}}),
            "invalid_message",
        ),
        (
            json!({"op": "subscribe", "id": "a", "filter": {"entity": "x"}}),
            "invalid_parameter",
        ),
        (
            json!({"op": "unsubscribe", "id": "a"}),
            "unknown_subscription",
        ),
        (json!([]), "invalid_message"),
    ] {
        let answer = socket.ask(message.clone()).await;
        assert_eq!(
            (answer.event.as_str(), answer.code.as_deref()),
            ("error", Some(code)),
            "{message}"
        );
        assert!(answer.message.is_some());
    }
    for i in 0..32 {
        let answer = socket
            .ask(json!({"op": "subscribe", "id": format!("s{i}")}))
            .await;
        assert_eq!(answer.event, "subscribed");
    }
    let answer = socket
        .ask(json!({"op": "subscribe", "id": "one more"}))
        .await;
    assert_eq!(answer.code.as_deref(), Some("too_many_subscriptions"));
    let answer = socket.ask(json!({"op": "subscribe", "id": "s0"})).await;
    assert_eq!(
        answer.event, "subscribed",
        "one of the same name is replaced"
    );
}

#[tokio::test]
async fn a_position_that_is_gone_becomes_a_gap() {
    let lab = Lab::start().await;
    let pushed = lab.push(&[sample("probe", "x", 1.0)]).await;
    let mut socket = Socket::open(&lab).await;
    let subscribed = socket
        .ask(json!({"op": "subscribe", "id": "a", "from": "1.zzzz"}))
        .await;
    assert_eq!(subscribed.event, "subscribed");
    let gap = socket.next().await.unwrap();
    assert_eq!((gap.event.as_str(), gap.id.as_deref()), ("gap", Some("a")));
    assert_eq!(gap.oldest.as_deref(), Some("1.0"));
    assert_eq!(gap.newest.as_ref(), Some(&pushed.position));
    assert_eq!(gap.position, Some(pushed.position));
    lab.push(&[sample("probe", "x", 2.0)]).await;
    assert_eq!(socket.next().await.unwrap().data.unwrap().seq, 2);
}

#[tokio::test]
async fn it_is_closed_to_strangers_and_to_messages_that_are_too_long() {
    let lab = Lab::start().await;
    let refused = connect_async(format!("ws://{}/realtime", lab.address)).await;
    let Err(Error::Http(answer)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED.as_u16());
    let ticket: Value = lab
        .post("/auth/ticket")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let url = format!(
        "ws://{}/realtime?ticket={}",
        lab.address,
        ticket["ticket"].as_str().unwrap()
    );
    assert!(connect_async(&url).await.is_ok());
    assert!(connect_async(&url).await.is_err(), "a ticket is good once");
    let (status, error) = lab.error("/realtime").await;
    assert_eq!(
        (status, error.code.as_str()),
        (StatusCode::BAD_REQUEST, "websocket_required")
    );
    let mut socket = Socket::open(&lab).await;
    socket
        .say(json!({"op": "ping", "id": "x".repeat(70_000)}))
        .await;
    assert!(socket.next().await.is_none());
}

#[tokio::test]
async fn it_ends_when_its_user_logs_out() {
    let lab = Lab::start().await;
    let mut socket = Socket::open(&lab).await;
    assert_eq!(socket.ask(json!({"op": "ping"})).await.event, "pong");
    lab.post("/auth/logout").send().await.unwrap();
    assert!(socket.next().await.is_none());
}
