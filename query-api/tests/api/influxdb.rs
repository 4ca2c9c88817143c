//! The line-protocol door, as InfluxDB's clients see it.

use std::io::Write;

use reqwest::{RequestBuilder, StatusCode};
use schemas::{
    Timestamp,
    api::{EventsAnswer, Role},
};
use serde_json::{Value, json};

use crate::lab::Lab;

const V2: &str = "/influxdb/api/v2/write?org=home&bucket=lab";
const V1: &str = "/influxdb/write?db=lab";

/// Makes an API token as an operator's.
async fn token(lab: &Lab, name: &str, role: Role) -> String {
    let answer = lab
        .post("/auth/tokens")
        .json(&json!({"name": name, "role": role.as_str()}))
        .send()
        .await
        .unwrap();
    let made: Value = answer.json().await.unwrap();
    made["token"].as_str().unwrap().to_owned()
}

fn write(lab: &Lab, path: &str, token: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    lab.http
        .post(lab.url(path))
        .header("authorization", format!("Token {token}"))
        .body(body)
}

async fn told(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let version = &answer.headers()["x-influxdb-version"];
    assert_eq!(version, "v2.7.12");
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn events(lab: &Lab) -> Vec<String> {
    let page: EventsAnswer = lab.json("/api/v1/events").await;
    let told = page.events.iter().map(|event| {
        let fields: Vec<_> = event
            .fields
            .iter()
            .map(|(name, value)| format!("{name}={}", value.0))
            .collect();
        format!("{} {}", event.entity.key, fields.join(","))
    });
    told.collect()
}

#[tokio::test]
async fn lines_of_both_versions_are_events_when_they_are_acknowledged() {
    let lab = Lab::start().await;
    let token = token(&lab, "Telegraf on nas", Role::Operator).await;
    let body = "cpu,host=nas,cpu=cpu0 usage_idle=97.5,n=3i 1795406000\nmem,source=nas1,id=a free=1i\n\n# no line\n";
    let (status, _) = told(write(&lab, &format!("{V2}&precision=s"), &token, body)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(
        events(&lab).await,
        [
            "Telegraf-on-nas/cpu/cpu%3Dcpu0%2Chost%3Dnas n=3,usage_idle=97.5",
            "nas1/mem/a free=1"
        ]
    );
    let page: EventsAnswer = lab.json("/api/v1/events").await;
    assert_eq!(
        page.events[0].time,
        Timestamp::from_millis(1_795_406_000_000).to_string()
    );
    assert_eq!(page.events[0].kind, "push");
    assert_eq!(page.events[0].entity.labels["host"], "nas");

    for (precision, time) in [
        ("", "1795406000000000000"),
        ("n", "1795406000000000000"),
        ("u", "1795406000000000"),
        ("ms", "1795406000000"),
        ("s", "1795406000"),
        ("m", "29923433"),
        ("h", "498723"),
    ] {
        let path = format!("{V1}&precision={precision}");
        let (status, answer) = told(write(
            &lab,
            &path,
            &token,
            format!("t{precision} v=1 {time}"),
        ))
        .await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{precision}: {answer}");
    }
    let page: EventsAnswer = lab.json("/api/v1/events").await;
    for event in &page.events[2..] {
        assert!(event.time.starts_with("2026-11-23T0"), "{event:?}");
    }
    assert_eq!(page.events.len(), 9);
}

#[tokio::test]
async fn gzip_is_understood_and_bounded() {
    let lab = Lab::start().await;
    let token = token(&lab, "t", Role::Operator).await;
    let zip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let send = |path: &'static str, body: Vec<u8>| {
        told(write(&lab, path, &token, body).header("content-encoding", "gzip"))
    };
    assert_eq!(send(V2, zip(b"m v=1")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(V1, zip(b"m v=2")).await.0, StatusCode::NO_CONTENT);
    let bomb = zip(&vec![b' '; 17 * 1024 * 1024]);
    let (status, answer) = send(V2, bomb.clone()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer["code"], "request too large");
    let (status, answer) = send(V1, bomb).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        answer["error"].as_str().unwrap().contains("16 MiB"),
        "{answer}"
    );
    let (status, answer) = send(V2, b"m v=1".to_vec()).await;
    assert_eq!(
        (status, &answer["code"]),
        (StatusCode::BAD_REQUEST, &json!("invalid"))
    );
    let many = "m v=1\n".repeat(10_001);
    let (status, _) = told(write(&lab, V2, &token, many)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(events(&lab).await.len(), 2);
}

/// What a real InfluxDB 2.7.12 answers to the same requests.
#[tokio::test]
async fn version_2_refuses_as_influxdb_does() {
    let lab = Lab::start_claiming(&["this.host"]).await;
    let token = token(&lab, "t", Role::Operator).await;
    assert_eq!(
        told(write(&lab, V2, &token, "m,a=b v=1 1795406000000000000"))
            .await
            .0,
        204
    );
    assert_eq!(told(write(&lab, V2, &token, "")).await.0, 204);
    let conflict = "failure writing points to database: partial write: field type conflict: input field \"v\" on measurement \"m\" is type string, already exists as type float dropped=1";
    for (path, body, status, code, message) in [
        (
            V2,
            "m,a=b v=1\nbad line here\nm2 x\nm,a=c v=2",
            400,
            "invalid",
            "unable to parse 'bad line here': invalid field format\nunable to parse 'm2 x': invalid field format",
        ),
        (
            V2,
            "m v=1 12a",
            400,
            "invalid",
            "unable to parse 'm v=1 12a': bad timestamp",
        ),
        (
            V2,
            "m,a= v=1",
            400,
            "invalid",
            "unable to parse 'm,a= v=1': missing tag value",
        ),
        (
            V2,
            "m,a=1,a=2 v=1",
            400,
            "invalid",
            "unable to parse 'm,a=1,a=2 v=1': duplicate tags",
        ),
        (
            V2,
            "m v=NaN",
            400,
            "invalid",
            "unable to parse 'm v=NaN': invalid number",
        ),
        (
            V2,
            "m,a=b v=\"x\"\nm,a=b w=1",
            422,
            "unprocessable entity",
            conflict,
        ),
        (
            "/influxdb/api/v2/write?org=home&bucket=lab&precision=h",
            "m v=1",
            400,
            "invalid",
            "invalid precision; valid precision units are ns, us, ms, and s",
        ),
        (
            "/influxdb/api/v2/write?org=home",
            "m v=1",
            404,
            "not found",
            "bucket not found",
        ),
        (
            "/influxdb/api/v2/write?bucket=lab",
            "m v=1",
            400,
            "invalid",
            "Please provide either orgID or org",
        ),
    ] {
        let answer = write(&lab, path, &token, body).send().await.unwrap();
        assert_eq!(answer.headers()["x-platform-error-code"], code, "{body}");
        assert_eq!(answer.status(), status, "{body}");
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told, json!({"code": code, "message": message}), "{body}");
    }
    let (status, told) = told(write(&lab, V2, &token, "m,source=this.host v=1")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("`this.host` is collected"),
        "{told}"
    );
    assert_eq!(events(&lab).await, ["t/m/a%3Db v=1", "t/m/a%3Db w=1"]);
}

#[tokio::test]
async fn version_1_refuses_as_influxdb_does() {
    let lab = Lab::start().await;
    let token = token(&lab, "t", Role::Operator).await;
    assert_eq!(told(write(&lab, V1, &token, "m,a=b v=1")).await.0, 204);
    for (path, body, message) in [
        (
            V1,
            "m,a=c v=1\nbad line here",
            "partial write: unable to parse 'bad line here': invalid field format dropped=0",
        ),
        (
            V1,
            "bad line here",
            "unable to parse 'bad line here': invalid field format",
        ),
        (
            V1,
            "m v=\"x\"\nm,a=d v=1",
            "partial write: field type conflict: input field \"v\" on measurement \"m\" is type string, already exists as type float dropped=1",
        ),
        ("/influxdb/write", "m v=1", "database is required"),
        (
            "/influxdb/write?db=lab&precision=d",
            "m v=1",
            "invalid precision \"d\" (use n, u, ms, s, m or h)",
        ),
    ] {
        let answer = write(&lab, path, &token, body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.headers()["x-influxdb-error"], message);
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told, json!({"error": message}), "{body}");
    }
    assert_eq!(
        events(&lab).await,
        ["t/m/a%3Db v=1", "t/m/a%3Dc v=1", "t/m/a%3Dd v=1"]
    );
}

#[tokio::test]
async fn a_token_is_taken_where_clients_put_it_and_nothing_else_is() {
    let lab = Lab::start().await;
    let good = token(&lab, "t", Role::Operator).await;
    let reader = token(&lab, "r", Role::Viewer).await;
    let agent = lab.agent("nas1").await;
    let send = |path: String, header: Option<String>| {
        let mut request = lab.http.post(lab.url(&path)).body("m v=1");
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        told(request)
    };
    for (path, header, status) in [
        (V2.to_owned(), Some(format!("Token {good}")), 204),
        (V2.to_owned(), Some(format!("Bearer {good}")), 204),
        (V1.to_owned(), Some(format!("Token {good}")), 204),
        (V1.to_owned(), Some(format!("Token ann:{good}")), 204),
        (format!("{V1}&u=ann&p={good}"), None, 204),
        (V2.to_owned(), None, 401),
        (V2.to_owned(), Some(format!("Token {good}x")), 401),
        (format!("{V2}&u=ann&p={good}"), None, 401),
        (V1.to_owned(), None, 401),
        (format!("{V1}&u=ann&p=wrong"), None, 401),
        (V2.to_owned(), Some(format!("Token {reader}")), 403),
        (V1.to_owned(), Some(format!("Token {agent}")), 403),
    ] {
        let (told, answer) = send(path.clone(), header).await;
        assert_eq!(told, status, "{path}: {answer}");
        if status == 401 && path.starts_with(V2) {
            assert_eq!(answer["code"], "unauthorized");
            assert!(answer["message"].is_string());
        } else if status >= 400 && path.starts_with(V1) {
            assert!(answer["error"].is_string(), "{answer}");
        }
    }
    let basic = lab
        .http
        .post(lab.url(V1))
        .basic_auth("ann", Some(&good))
        .body("m v=1");
    assert_eq!(told(basic).await.0, 204);
    let refused = lab.http.post(lab.url(V1)).send().await.unwrap();
    assert_eq!(
        refused.headers()["www-authenticate"],
        "Basic realm=\"InfluxDB\""
    );
    let (status, answer) = told(lab.http.get(lab.url(V1))).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer, json!({"error": "this path takes POST"}));
    assert_eq!(events(&lab).await.len(), 6);
}

#[tokio::test]
async fn ping_and_health_are_open() {
    let lab = Lab::start().await;
    for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
        let request = lab.http.request(method, lab.url("/influxdb/ping"));
        assert_eq!(told(request).await.0, StatusCode::NO_CONTENT);
    }
    let (status, health) = told(lab.http.get(lab.url("/influxdb/health"))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(health["status"], "pass");
    assert_eq!(health["name"], "influxdb");
    assert_eq!(health["version"], "v2.7.12");
    let query = lab.http.get(lab.url("/influxdb/query?q=SHOW+DATABASES"));
    let (status, answer) = told(query).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(answer["error"].is_string(), "{answer}");
    let elsewhere = lab.http.get(lab.url("/health/live")).send().await.unwrap();
    assert!(elsewhere.headers().get("x-influxdb-version").is_none());
}

/// On an address of its own the same doors stand at the root, and nothing else is there.
#[tokio::test]
async fn an_address_of_its_own_has_the_doors_at_its_root() {
    let lab = Lab::start().await;
    let token = token(&lab, "t", Role::Operator).await;
    let at = |path: &str| format!("http://{}{path}", lab.influxdb);
    for path in ["/api/v2/write?org=home&bucket=lab", "/write?db=lab"] {
        let request = lab
            .http
            .post(at(path))
            .header("authorization", format!("Token {token}"))
            .body("m v=1");
        assert_eq!(told(request).await.0, StatusCode::NO_CONTENT, "{path}");
    }
    assert_eq!(
        told(lab.http.get(at("/ping"))).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(told(lab.http.get(at("/health"))).await.1["status"], "pass");
    for path in [
        "/",
        "/api/v1/events",
        "/auth/login",
        "/metrics",
        "/influxdb/ping",
        "//x",
        "/../auth/users",
    ] {
        let answer = lab.http.get(at(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(events(&lab).await.len(), 2);
}
