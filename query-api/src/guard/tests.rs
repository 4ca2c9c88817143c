use std::net::SocketAddr;

use axum::{Router, body::Body, extract::ConnectInfo, routing::any};
use tower::ServiceExt as _;

use super::*;

async fn answer(peer: [u8; 4], head: &[(&str, &str)], method: &str, path: &str) -> Response {
    let directory = tempfile::tempdir().unwrap();
    let control = control::Embedded::open(directory.path().join("control.db"))
        .await
        .unwrap();
    let options = AuthOptions {
        hosts: vec!["status.example.org".to_owned()],
        ..AuthOptions::default()
    };
    let auth = Auth::open(Arc::new(control), options).await.unwrap();
    let router = Router::new()
        .fallback(any(
            |client: Client| async move { client.address.to_string() },
        ))
        .layer(axum::middleware::from_fn_with_state(auth, layer));
    let mut request = axum::http::Request::builder().method(method).uri(path);
    for (name, value) in head {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    request
        .extensions_mut()
        .insert(ConnectInfo(SocketAddr::from((peer, 1234))));
    router.oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 100_000)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

const HOME: [u8; 4] = [192, 168, 1, 7];

#[tokio::test]
async fn a_foreign_name_gets_the_line_to_add_as_json_or_page() {
    let json = answer(HOME, &[("host", "evil.example:3001")], "GET", "/").await;
    assert_eq!(json.status(), StatusCode::MISDIRECTED_REQUEST);
    let json = text(json).await;
    assert!(
        json.contains("unknown_host") && json.contains(r#"\"evil.example\"]"#),
        "{json}"
    );

    let head = [("host", "evil.example"), ("accept", "text/html,*/*")];
    let page = answer(HOME, &head, "GET", "/").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = text(page).await;
    let line = "<pre>hosts = [&quot;status.example.org&quot;, &quot;evil.example&quot;]</pre>";
    assert!(page.contains(line), "{page}");

    for host in [
        vec![],
        vec![("host", "a b")],
        vec![("host", "a.lan"), ("host", "b.lan")],
    ] {
        assert_eq!(
            answer(HOME, &host, "GET", "/").await.status(),
            StatusCode::BAD_REQUEST
        );
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_for_browsers() {
    for host in ["nas.lan", "evil.example"] {
        let response = answer(HOME, &[("host", host)], "GET", "/").await;
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
    }
}

#[tokio::test]
async fn only_our_own_pages_change_things_or_open_websockets() {
    let host = ("host", "nas.lan:3001");
    let foreign = ("origin", "http://evil.example");
    let own = ("origin", "http://nas.lan:3001");
    let socket = ("upgrade", "websocket");
    for (head, method, good) in [
        (vec![host, foreign], "GET", true),
        (vec![host, foreign], "POST", false),
        (vec![host, own], "POST", true),
        (vec![host], "DELETE", true),
        (vec![host, ("sec-fetch-site", "cross-site")], "PUT", false),
        (vec![host, foreign, socket], "GET", false),
        (vec![host, own, socket], "GET", true),
        (vec![host, socket], "GET", true),
    ] {
        let status = answer(HOME, &head, method, "/realtime").await.status();
        assert_eq!(
            status == StatusCode::OK,
            good,
            "{head:?} {method}: {status}"
        );
    }
}

#[tokio::test]
async fn passwords_do_not_cross_the_internet_in_clear_text() {
    let host = [("host", "status.example.org")];
    let refused = answer([8, 8, 8, 8], &host, "POST", "/auth/login").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(text(refused).await.contains("trusted_proxies"));
    assert_eq!(
        answer([8, 8, 8, 8], &host, "GET", "/health").await.status(),
        StatusCode::OK
    );
    assert_eq!(
        answer(HOME, &host, "POST", "/auth/login").await.status(),
        StatusCode::OK
    );
}
