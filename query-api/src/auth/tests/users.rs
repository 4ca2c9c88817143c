use super::*;

async fn patch(server: &Server, token: &str, name: &str, body: Value) -> Response {
    server
        .request(Method::PATCH, &format!("/auth/users/{name}"))
        .json(&body)
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_admin_makes_changes_and_removes_users() {
    let server = Server::start().await;
    server.user("root", Role::Admin).await;
    let (_, root) = server.session("root").await;
    let create = async |name: &str, password: &str| {
        let body = json!({"username": name, "password": password, "role": "viewer"});
        server
            .post("/auth/users", &body)
            .bearer_auth(&root)
            .send()
            .await
            .unwrap()
    };
    let made = create("Ann", PASSWORD).await;
    assert_eq!(made.status(), 201);
    let made = body(made).await;
    assert_eq!(
        (&made["username"], &made["enabled"]),
        (&json!("ann"), &json!(true))
    );
    assert!(is(
        &refusal(create("ann", PASSWORD).await).await,
        409,
        "user_exists"
    ));
    assert!(is(
        &refusal(create("bob", "bob").await).await,
        400,
        "weak_password"
    ));
    assert!(is(
        &refusal(create("b/b", PASSWORD).await).await,
        400,
        "bad_username"
    ));

    let list = server
        .get("/auth/users")
        .bearer_auth(&root)
        .send()
        .await
        .unwrap();
    let list = list.text().await.unwrap();
    assert!(
        list.contains("\"ann\"") && !list.contains("argon2"),
        "{list}"
    );

    let gone = server
        .request(Method::DELETE, "/auth/users/ann")
        .bearer_auth(&root);
    assert_eq!(gone.send().await.unwrap().status(), 204);
    let gone = server
        .request(Method::DELETE, "/auth/users/ann")
        .bearer_auth(&root);
    assert!(is(
        &refusal(gone.send().await.unwrap()).await,
        404,
        "not_found"
    ));
    assert!(is(
        &refusal(patch(&server, &root, "ann", json!({})).await).await,
        404,
        "not_found"
    ));
    let actions: Vec<_> = server.control.audit(10).await.unwrap();
    let actions: Vec<_> = actions
        .iter()
        .map(|e| (&*e.actor, &*e.action, &*e.target))
        .collect();
    assert_eq!(
        actions,
        [
            ("root", "user.delete", "ann"),
            ("root", "user.create", "ann")
        ]
    );
}

#[tokio::test]
async fn the_last_admin_stays() {
    let server = Server::start().await;
    server.user("root", Role::Admin).await;
    let (_, root) = server.session("root").await;
    for change in [json!({"role": "viewer"}), json!({"enabled": false})] {
        let answer = patch(&server, &root, "root", change).await;
        assert!(is(&refusal(answer).await, 409, "last_admin"));
    }
    let gone = server
        .request(Method::DELETE, "/auth/users/root")
        .bearer_auth(&root);
    assert!(is(
        &refusal(gone.send().await.unwrap()).await,
        409,
        "last_admin"
    ));
    assert!(server.lets_in(&root).await);
}

#[tokio::test]
async fn a_change_by_the_admin_ends_the_users_sessions_at_once() {
    let server = Server::start().await;
    server.user("root", Role::Admin).await;
    server.user("ann", Role::Viewer).await;
    let (_, root) = server.session("root").await;
    for change in [
        json!({"role": "operator"}),
        json!({"password": "nine black swans"}),
        json!({"enabled": false}),
    ] {
        let (session, token) = server.session("ann").await;
        let caller = Caller::of_session(session);
        assert!(server.lets_in(&token).await);
        assert!(server.auth.still_valid(&caller).await);
        let mut changes = server.auth.changes();
        changes.mark_unchanged();
        assert_eq!(
            patch(&server, &root, "ann", change.clone()).await.status(),
            200
        );
        assert!(!server.lets_in(&token).await, "{change}");
        assert!(!server.auth.still_valid(&caller).await, "{change}");
        assert!(changes.has_changed().unwrap());
    }
    assert!(server.lets_in(&root).await, "nobody else is concerned");
}

#[tokio::test]
async fn one_changes_ones_own_password_and_nothing_else() {
    let server = Server::start().await;
    server.user("root", Role::Admin).await;
    server.user("ann", Role::Operator).await;
    let login = server.login("ann", PASSWORD).await;
    let (refresh, login) = (cookie(&login), body(login).await);
    let token = login["access_token"].as_str().unwrap();
    let (_, elsewhere) = server.session("ann").await;
    let new = "nine black swans";
    for (change, status, code) in [
        (json!({"password": new}), 400, "current_password_missing"),
        (
            json!({"password": new, "current_password": "a wrong one"}),
            403,
            "bad_credentials",
        ),
        (
            json!({"password": "short", "current_password": PASSWORD}),
            400,
            "weak_password",
        ),
        (json!({"role": "admin"}), 403, "forbidden"),
        (json!({"enabled": true}), 403, "forbidden"),
    ] {
        let refused = refusal(patch(&server, token, "ann", change).await).await;
        assert!(is(&refused, status, code), "{refused:?} instead of {code}");
    }
    let other = patch(&server, token, "root", json!({"password": new})).await;
    assert!(is(&refusal(other).await, 403, "forbidden"));
    assert!(server.lets_in(&elsewhere).await);

    let change = json!({"password": new, "current_password": PASSWORD});
    assert_eq!(patch(&server, token, "ANN", change).await.status(), 200);
    assert!(!server.lets_in(&elsewhere).await, "other sessions end");
    assert!(!server.lets_in(token).await, "access tokens end");
    assert_eq!(
        server.refresh(&refresh).await.status(),
        200,
        "this session goes on"
    );
    assert_eq!(server.login("ann", PASSWORD).await.status(), 401);
    assert_eq!(server.login("ann", new).await.status(), 200);
}

#[tokio::test]
async fn what_another_process_changes_counts_at_the_next_request() {
    let server = Server::start().await;
    server.user("root", Role::Admin).await;
    server.user("ann", Role::Viewer).await;
    let (session, token) = server.session("ann").await;
    let other = Embedded::open(server.database()).await.unwrap();
    assert!(server.lets_in(&token).await);
    other
        .end_sessions(&Username::new("ann").unwrap())
        .await
        .unwrap();
    assert!(!server.lets_in(&token).await);
    assert!(!server.auth.still_valid(&Caller::of_session(session)).await);
}

#[tokio::test]
async fn preferences_are_ones_own() {
    let server = Server::start().await;
    server.user("ann", Role::Viewer).await;
    server.user("bob", Role::Viewer).await;
    let (_, ann) = server.session("ann").await;
    let (_, bob) = server.session("bob").await;
    let put = async |token: &str, preferences: Value| {
        let request = server.request(Method::PUT, "/api/v1/preferences");
        let request = request.json(&json!({"preferences": preferences}));
        request.bearer_auth(token).send().await.unwrap()
    };
    let get = async |token: &str| {
        let request = server.get("/api/v1/preferences").bearer_auth(token);
        body(request.send().await.unwrap()).await["preferences"].clone()
    };
    assert_eq!(put(&ann, json!({"theme": "dark"})).await.status(), 204);
    assert_eq!(get(&ann).await, json!({"theme": "dark"}));
    assert_eq!(get(&bob).await, json!({}));
    let large = put(&ann, json!({"theme": "x".repeat(5000)})).await;
    assert!(is(&refusal(large).await, 400, "bad_length"));
    let many: serde_json::Map<_, _> = (0..65).map(|n| (n.to_string(), json!(""))).collect();
    assert!(is(
        &refusal(put(&ann, Value::Object(many)).await).await,
        409,
        "too_many"
    ));
    assert_eq!(get(&ann).await, json!({"theme": "dark"}));
}
