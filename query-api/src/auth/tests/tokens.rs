use super::*;

async fn make(server: &Server, session: &str, body: Value) -> Response {
    server
        .post("/auth/tokens", &body)
        .bearer_auth(session)
        .send()
        .await
        .unwrap()
}

async fn made(server: &Server, session: &str, name: &str, role: &str) -> (String, String) {
    let answer = make(server, session, json!({"name": name, "role": role})).await;
    assert_eq!(answer.status(), 201);
    let answer = body(answer).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&answer["token"]), text(&answer["info"]["id"]))
}

async fn listed(server: &Server, session: &str) -> Vec<String> {
    let answer = server
        .get("/auth/tokens")
        .bearer_auth(session)
        .send()
        .await
        .unwrap();
    let text = answer.text().await.unwrap();
    assert!(!text.contains("hlt_"), "no secret is shown again: {text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let tokens = answer["tokens"].as_array().unwrap();
    tokens
        .iter()
        .map(|token| token["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn revoke(server: &Server, session: &str, id: &str) -> u16 {
    let request = server.request(Method::DELETE, &format!("/auth/tokens/{id}"));
    request
        .bearer_auth(session)
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test]
async fn a_token_does_what_it_was_made_for_until_it_is_revoked() {
    let server = Server::start().await;
    server.user("root", Role::Admin).await;
    server.user("ann", Role::Operator).await;
    let (_, session) = server.session("ann").await;
    let (token, id) = made(&server, &session, "telegraf", "operator").await;
    assert!(token.starts_with(&format!("hlt_{id}_")), "{token}");
    assert!(server.lets_in(&token).await);
    let influx = server
        .get("/api/v1/preferences")
        .header("authorization", format!("Token {token}"));
    assert_eq!(influx.send().await.unwrap().status(), 200);
    let used = server
        .control
        .api_tokens(None)
        .await
        .unwrap()
        .remove(0)
        .last_used;
    assert!(used.is_some(), "its use is noted");

    let mut other = token.clone();
    other.replace_range(30..31, if &token[30..31] == "A" { "B" } else { "A" });
    assert!(!server.lets_in(&other).await, "one character off");
    assert_eq!(revoke(&server, &session, &id).await, 204);
    assert!(!server.lets_in(&token).await);
    assert_eq!(revoke(&server, &session, &id).await, 404);
}

#[tokio::test]
async fn nobody_makes_a_token_that_may_more() {
    let server = Server::start().await;
    server.user("ann", Role::Viewer).await;
    let (_, session) = server.session("ann").await;
    for role in ["operator", "admin"] {
        let answer = make(&server, &session, json!({"name": "x", "role": role})).await;
        assert!(is(&refusal(answer).await, 403, "forbidden"), "{role}");
    }
    for (bad, code) in [
        (json!({"name": " ", "role": "viewer"}), "bad_length"),
        (
            json!({"name": "x", "role": "viewer", "expires_in": "soon"}),
            "bad_expires_in",
        ),
        (json!({"name": "x", "role": "root"}), "bad_request"),
    ] {
        let refused = refusal(make(&server, &session, bad).await).await;
        assert!(is(&refused, 400, code), "{refused:?}");
    }
    let (token, _) = made(&server, &session, "reader", "viewer").await;
    let answer = make(&server, &token, json!({"name": "child", "role": "viewer"})).await;
    assert!(is(&refusal(answer).await, 403, "session_required"));
}

#[tokio::test]
async fn tokens_are_seen_and_revoked_by_their_owner_and_by_admins() {
    let server = Server::start().await;
    server.user("root", Role::Admin).await;
    server.user("ann", Role::Viewer).await;
    server.user("bob", Role::Operator).await;
    let (_, root) = server.session("root").await;
    let (_, ann) = server.session("ann").await;
    let (_, bob) = server.session("bob").await;
    let (token, id) = made(&server, &ann, "of ann", "viewer").await;
    made(&server, &bob, "of bob", "viewer").await;
    assert_eq!(listed(&server, &ann).await, ["of ann"]);
    assert_eq!(listed(&server, &bob).await, ["of bob"]);
    assert_eq!(listed(&server, &root).await.len(), 2);
    assert_eq!(
        revoke(&server, &bob, &id).await,
        404,
        "another user's looks like none"
    );
    assert!(server.lets_in(&token).await);
    assert_eq!(revoke(&server, &root, &id).await, 204);
    assert!(!server.lets_in(&token).await);
}

#[tokio::test]
async fn a_token_follows_its_user_and_its_time() {
    let server = Server::start().await;
    server.user("root", Role::Admin).await;
    server.user("ann", Role::Operator).await;
    let (_, root) = server.session("root").await;
    let (_, ann) = server.session("ann").await;
    let (token, _) = made(&server, &ann, "agent", "operator").await;
    let short = make(
        &server,
        &ann,
        json!({"name": "s", "role": "viewer", "expires_in": "400ms"}),
    )
    .await;
    let short = body(short).await["token"].as_str().unwrap().to_owned();
    let change = async |body: Value| {
        let request = server.request(Method::PATCH, "/auth/users/ann").json(&body);
        let answer = request.bearer_auth(&root).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let before = server.auth.authenticate(&headers, None).await.unwrap();
    assert_eq!(before.role, Role::Operator);
    change(json!({"role": "viewer"})).await;
    let after = server.auth.authenticate(&headers, None).await.unwrap();
    assert_eq!(after.role, Role::Viewer, "less than it was made for");
    assert!(
        !server.auth.still_valid(&before).await,
        "streams of the former role end"
    );
    assert!(server.auth.still_valid(&after).await);
    change(json!({"enabled": false})).await;
    assert!(!server.lets_in(&token).await);
    change(json!({"enabled": true})).await;
    assert!(server.lets_in(&token).await);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!server.lets_in(&short).await);
}
