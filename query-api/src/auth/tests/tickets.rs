use super::*;

async fn ticket(server: &Server, token: &str) -> String {
    let answer = server
        .request(Method::POST, "/auth/ticket")
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let answer = body(answer).await;
    assert_eq!(answer["expires_in"], json!(30));
    answer["ticket"].as_str().unwrap().to_owned()
}

async fn opens(server: &Server, path: &str) -> bool {
    let answer = server.get(path).send().await.unwrap();
    match answer.status() {
        StatusCode::OK => {
            assert_eq!(answer.text().await.unwrap(), "ann");
            true
        }
        StatusCode::UNAUTHORIZED => false,
        other => panic!("neither in nor out: {other}"),
    }
}

#[tokio::test]
async fn a_ticket_opens_one_websocket() {
    let server = Server::start().await;
    server.user("ann", Role::Viewer).await;
    let (_, token) = server.session("ann").await;
    let path = format!("/realtime?ticket={}", ticket(&server, &token).await);
    let tries = futures::future::join_all((0..5).map(|_| opens(&server, &path))).await;
    assert_eq!(
        tries.iter().filter(|opened| **opened).count(),
        1,
        "{tries:?}"
    );
    assert!(!opens(&server, &path).await);
    assert!(!opens(&server, "/realtime?ticket=").await);
    assert!(!opens(&server, "/realtime").await);
}

#[tokio::test]
async fn a_ticket_is_good_for_one_stream_and_its_reconnects_while_the_session_lives() {
    let server = Server::start().await;
    server.user("ann", Role::Viewer).await;
    let (session, token) = server.session("ann").await;
    let ticket = ticket(&server, &token).await;
    let path = format!("/api/v1/live?source=nas1&ticket={ticket}");
    assert!(opens(&server, &path).await);
    assert!(opens(&server, &path).await, "a reconnect");
    assert!(
        !opens(
            &server,
            &format!("/api/v1/live?source=nas2&ticket={ticket}")
        )
        .await
    );
    assert!(!opens(&server, &format!("/realtime?ticket={ticket}")).await);
    server.control.end_session(&session.id).await.unwrap();
    assert!(!opens(&server, &path).await);
}

#[tokio::test]
async fn a_ticket_opens_nothing_else() {
    let server = Server::start().await;
    server.user("ann", Role::Admin).await;
    let (_, token) = server.session("ann").await;
    let ticket = ticket(&server, &token).await;
    for path in ["/api/v1/preferences", "/auth/users", "/api/v1/nothing"] {
        let answer = server
            .get(&format!("{path}?ticket={ticket}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    assert!(!server.lets_in(&ticket).await, "nor as a token");
    assert!(
        opens(&server, &format!("/realtime?ticket={ticket}")).await,
        "and is still unused"
    );
    assert!(
        !opens(&server, &format!("/realtime?ticket={token}")).await,
        "a token is no ticket"
    );
}

#[tokio::test]
async fn a_ticket_that_comes_late_opens_nothing() {
    let server = Server::with(AuthOptions {
        ticket_ttl: Duration::ZERO,
        ..AuthOptions::default()
    })
    .await;
    server.user("ann", Role::Viewer).await;
    let (_, token) = server.session("ann").await;
    let answer = server
        .request(Method::POST, "/auth/ticket")
        .bearer_auth(&token);
    let answer = body(answer.send().await.unwrap()).await;
    let ticket = answer["ticket"].as_str().unwrap();
    assert!(!opens(&server, &format!("/realtime?ticket={ticket}")).await);
    assert!(!opens(&server, &format!("/api/v1/live?ticket={ticket}")).await);
}
