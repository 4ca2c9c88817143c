use secrecy::ExposeSecret as _;

use super::*;

fn request(token: &str, name: &str, password: &str) -> Value {
    json!({"token": token, "username": name, "password": password})
}

#[tokio::test]
async fn the_link_makes_the_first_admin_once() {
    let server = Server::start().await;
    let state = body(server.get("/auth/setup").send().await.unwrap()).await;
    assert_eq!(state, json!({"needed": true}));
    let earlier = server.auth.offer_setup().await.unwrap().unwrap();
    let offered = server.auth.offer_setup().await.unwrap().unwrap();
    let token = offered.expose_secret();
    for (sent, status, code) in [
        (request(token, "ann", "password123"), 400, "weak_password"),
        (request(token, "ann", "short"), 400, "weak_password"),
        (request(token, "a nn", PASSWORD), 400, "bad_username"),
        (
            request(earlier.expose_secret(), "ann", PASSWORD),
            403,
            "bad_setup_token",
        ),
        (request("", "ann", PASSWORD), 403, "bad_setup_token"),
        (json!({"token": token}), 400, "bad_request"),
    ] {
        let answer = server.post("/auth/setup", &sent).send().await.unwrap();
        let refused = refusal(answer).await;
        assert!(is(&refused, status, code), "{refused:?} instead of {code}");
    }
    let made = server
        .post("/auth/setup", &request(token, "Ann", PASSWORD))
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 200);
    let refresh = cookie(&made);
    let made = body(made).await;
    assert_eq!(
        (&made["username"], &made["role"]),
        (&json!("ann"), &json!("admin"))
    );
    assert!(server.lets_in(made["access_token"].as_str().unwrap()).await);
    assert_eq!(server.refresh(&refresh).await.status(), 200);

    let done = body(server.get("/auth/setup").send().await.unwrap()).await;
    assert_eq!(done, json!({"needed": false}));
    let again = server.post("/auth/setup", &request(token, "eve", PASSWORD));
    let refused = refusal(again.send().await.unwrap()).await;
    assert!(is(&refused, 409, "setup_done"), "{refused:?}");
    assert!(server.auth.offer_setup().await.unwrap().is_none());
}

#[tokio::test]
async fn a_password_from_the_environment_makes_the_admin_once() {
    let server = Server::start().await;
    let make = |password: &'static str| {
        let (control, passwords) = (Arc::clone(&server.control), server.auth.passwords.clone());
        async move {
            let password = SecretString::from(password);
            control::ensure_admin(&*control, &passwords, password, Timestamp::now()).await
        }
    };
    assert!(make("tooshort").await.is_err());
    assert!(make(PASSWORD).await.unwrap());
    assert!(!make("another password").await.unwrap());
    assert_eq!(server.login("admin", PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn links_cannot_be_guessed_for_long() {
    let server = Server::start().await;
    server.auth.offer_setup().await.unwrap().unwrap();
    let mut last = 0;
    for _ in 0..8 {
        let guess = request("guess", "eve", PASSWORD);
        last = server
            .post("/auth/setup", &guess)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16();
    }
    assert_eq!(last, 429);
}
