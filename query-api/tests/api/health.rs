use reqwest::StatusCode;
use schemas::{
    Draft, Entity, EventType, FieldValue, Fields, SourceName, Timestamp,
    name::{AgentName, EntityId, EntityType, SourceKind},
};
use serde_json::{Value, json};

use crate::lab::Lab;

/// What a collector says of a source of its own.
pub(crate) async fn report(lab: &Lab, source: &str, kind: &str, up: bool, age_ms: i64) {
    let mut fields = Fields::new();
    fields
        .set("up", up)
        .set("interval_seconds", FieldValue::F64(5.0))
        .set_text("reason", if up { "" } else { "no route to 10.0.0.9" })
        .set_text("class", if up { "" } else { "unreachable" })
        .set_text("fix", if up { "" } else { "check the address" });
    tell(lab, source, kind, age_ms, fields).await;
}

async fn tell(lab: &Lab, source: &str, kind: &str, age_ms: i64, fields: Fields) {
    let draft = Draft {
        source: SourceName::new(source).unwrap(),
        kind: SourceKind::new(kind).unwrap(),
        agent: Some(AgentName::new("server").unwrap()),
        event_type: EventType::Source,
        time: Timestamp::now().plus_millis(-age_ms),
        entity: Entity::new(
            EntityType::new("source").unwrap(),
            EntityId::new(source).unwrap(),
        ),
        fields,
        identity: None,
    };
    let appended = event_log::EventLog::append(&*lab.log, vec![draft], event_log::Urgency::Soon)
        .await
        .unwrap();
    lab.ingested(&appended.position.to_string()).await;
}

#[tokio::test]
async fn health_tells_of_sources_and_gives_reasons_only_to_who_is_known() {
    let lab = Lab::start().await;
    report(&lab, "server.host", "host", true, 0).await;
    report(&lab, "nas1", "synology", false, 0).await;
    report(&lab, "nas2", "qnap", true, 0).await;
    report(&lab, "late", "docker", true, 10 * 60_000).await;
    report(&lab, "forgotten", "docker", false, 48 * 3_600_000).await;
    let stranger = lab.http.get(lab.url("/health")).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::OK);
    let stranger: Value = stranger.json().await.unwrap();
    assert_eq!(stranger["status"], "degraded");
    let services = stranger["services"].as_object().unwrap();
    let of = |name: &str| services[name]["status"].as_str().unwrap();
    for (name, status) in [
        ("server.host", "healthy"),
        ("host", "healthy"),
        ("nas1", "unhealthy"),
        ("nas2", "healthy"),
        ("nas", "unhealthy"),
        ("late", "degraded"),
        ("docker", "degraded"),
        ("database", "healthy"),
        ("event_log", "healthy"),
    ] {
        assert_eq!(of(name), status, "{name}");
    }
    assert!(!services.contains_key("forgotten"));
    for service in services.values() {
        let keys: Vec<_> = service.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["status"], "{stranger}");
    }
    let known: Value = lab.json("/health").await;
    assert_eq!(
        known["services"]["nas1"],
        json!({
            "status": "unhealthy",
            "reason": "no route to 10.0.0.9",
            "class": "unreachable",
            "fix": "check the address",
        })
    );
    assert_eq!(
        known["services"]["nas"],
        json!({
            "status": "unhealthy",
            "reason": "nas1: no route to 10.0.0.9",
            "class": "unreachable",
            "fix": "check the address",
        })
    );
    assert_eq!(
        known["services"]["nas2"],
        json!({"status": "healthy"}),
        "what is up has no class"
    );
    let sources: Value = lab.json("/api/v1/sources").await;
    let nas1 = &sources["sources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["name"] == "nas1")
        .unwrap();
    assert_eq!(nas1["state"], "down");
    assert_eq!(nas1["class"], "unreachable");
    assert_eq!(nas1["fix"], "check the address");
    assert_eq!(nas1["agent"], "server");
    assert_eq!(nas1["interval_seconds"], 5.0);
}

#[tokio::test]
async fn what_a_source_that_works_found_to_be_down_degrades() {
    let lab = Lab::start().await;
    let found = |finding: &str| {
        let mut fields = Fields::new();
        fields
            .set("up", true)
            .set_text("reason", "")
            .set_text("class", "")
            .set_text("finding", finding);
        fields
    };
    let why = "http://wiki/: it answers 503, expected is 200-299";
    tell(&lab, "web", "http_check", 1000, found(why)).await;
    let health: Value = lab.json("/health").await;
    assert_eq!(health["status"], "degraded");
    let degraded = json!({
        "status": "degraded",
        "reason": format!("it works, and finds what it watches down: {why}"),
    });
    assert_eq!(health["services"]["web"], degraded);
    let stranger = lab.http.get(lab.url("/health")).send().await.unwrap();
    let stranger: Value = stranger.json().await.unwrap();
    assert_eq!(stranger["services"]["web"], json!({"status": "degraded"}));
    let sources: Value = lab.json("/api/v1/sources").await;
    assert_eq!(sources["sources"][0]["state"], "up");
    assert_eq!(sources["sources"][0]["finding"], why);

    tell(&lab, "web", "http_check", 0, found("")).await;
    // an answer is good for a second
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let health: Value = lab.json("/health").await;
    assert_eq!(health["services"]["web"], json!({"status": "healthy"}));
    let sources: Value = lab.json("/api/v1/sources").await;
    assert_eq!(sources["sources"][0]["finding"], Value::Null);
}

#[tokio::test]
async fn a_source_is_down_since_it_was_first_said_to_be() {
    let lab = Lab::start().await;
    for (up, age) in [
        (false, 90_000),
        (true, 60_000),
        (false, 30_000),
        (false, 1_000),
    ] {
        report(&lab, "nas1", "synology", up, age).await;
    }
    let sources: Value = lab.json("/api/v1/sources").await;
    let since = sources["sources"][0]["since"].as_i64().unwrap();
    let age = Timestamp::now().as_millis() - since;
    assert!((30_000..60_000).contains(&age), "{age} ms");
}

#[tokio::test]
async fn a_log_that_is_closed_is_unhealthy() {
    let lab = Lab::start().await;
    event_log::EventLog::close(&*lab.log).await.unwrap();
    let answer = lab.http.get(lab.url("/health")).send().await.unwrap();
    let status = answer.status();
    let health: Value = answer.json().await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{health}");
    assert_eq!(health["status"], "unhealthy");
    let live = lab.http.get(lab.url("/health/live")).send().await.unwrap();
    assert_eq!(live.status(), StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_for_near_networks_else_for_tokens() {
    let lab = Lab::start().await;
    lab.json::<Value>("/api/v1/entities").await;
    let near = lab.http.get(lab.url("/metrics")).send().await.unwrap();
    assert_eq!(near.status(), StatusCode::OK);
    let text = near.text().await.unwrap();
    for expected in [
        "homelog_http_requests_total{route=\"/api/v1/entities\",method=\"GET\",status=\"200\"} 1",
        "homelog_http_request_duration_seconds_bucket{",
        "homelog_ingest_events_total",
        "# EOF",
    ] {
        assert!(text.contains(expected), "`{expected}` is missing in {text}");
    }
    let proxied = |request: reqwest::RequestBuilder| request.header("x-forwarded-for", "10.9.9.9");
    let far = proxied(lab.http.get(lab.url("/metrics")))
        .send()
        .await
        .unwrap();
    assert_eq!(far.status(), StatusCode::UNAUTHORIZED);
    let known = proxied(lab.get("/metrics")).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_agents_token_reads_neither_metrics_nor_reasons() {
    let lab = Lab::start().await;
    report(&lab, "nas1", "synology", false, 1000).await;
    let nas = lab.agent("nas").await;
    let metrics = lab
        .http
        .get(lab.url("/metrics"))
        .bearer_auth(&nas)
        .header("x-forwarded-for", "10.9.9.9")
        .send()
        .await
        .unwrap();
    assert_eq!(metrics.status(), StatusCode::UNAUTHORIZED);
    let known: Value = lab.json("/health").await;
    for detail in ["reason", "class", "fix"] {
        assert!(known["services"]["nas1"][detail].is_string(), "{known}");
    }
    let health = lab.http.get(lab.url("/health")).bearer_auth(&nas);
    let health: Value = health.send().await.unwrap().json().await.unwrap();
    for detail in ["reason", "class", "fix"] {
        assert!(health["services"]["nas1"][detail].is_null(), "{health}");
    }
}
