use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

use super::*;

type Bend = fn(&mut Header, &mut Value);

/// A token of our key whose head and claims a test may bend.
async fn forged(
    server: &Server,
    session: &Session,
    bend: impl FnOnce(&mut Header, &mut Value),
) -> String {
    let key = server
        .control
        .signing_keys(Timestamp::now())
        .await
        .unwrap()
        .remove(0);
    let now = Timestamp::now().as_millis() / 1000;
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(key.id.clone());
    let mut claims = json!({
        "iss": "homelog", "aud": "homelog-api", "sub": session.user.as_str(),
        "sid": session.id.as_str(), "epoch": session.epoch,
        "iat": now, "nbf": now, "exp": now + 60,
    });
    bend(&mut header, &mut claims);
    encode(&header, &claims, &EncodingKey::from_secret(key.secret())).unwrap()
}

fn set(claims: &mut Value, name: &str, value: Value) {
    claims[name] = value;
}

fn unset(claims: &mut Value, name: &str) {
    claims.as_object_mut().unwrap().remove(name).unwrap();
}

#[tokio::test]
async fn only_a_token_that_is_right_in_every_part_is_good() {
    let server = Server::start().await;
    server.user("ann", Role::Admin).await;
    let (session, real) = server.session("ann").await;
    assert!(server.lets_in(&real).await);
    assert!(
        server
            .lets_in(&forged(&server, &session, |_, _| ()).await)
            .await
    );

    let bends: [(&str, Bend); 17] = [
        ("expired", |_, c| set(c, "exp", json!(1_700_000_000))),
        ("not yet good", |_, c| {
            set(c, "nbf", json!(4_000_000_000_u64));
        }),
        ("without end", |_, c| unset(c, "exp")),
        ("without begin", |_, c| unset(c, "nbf")),
        ("another issuer", |_, c| set(c, "iss", json!("evil"))),
        ("another audience", |_, c| set(c, "aud", json!("evil"))),
        ("without audience", |_, c| unset(c, "aud")),
        ("another user", |_, c| set(c, "sub", json!("root"))),
        ("another session", |_, c| {
            set(c, "sid", json!("0000000000000000"));
        }),
        ("an earlier epoch", |_, c| set(c, "epoch", json!(0))),
        ("another kind", |h, _| h.typ = Some("JWT".to_owned())),
        ("no kind", |h, _| h.typ = None),
        ("an unknown key", |h, _| h.kid = Some("other".to_owned())),
        ("no key", |h, _| h.kid = None),
        ("another algorithm", |h, _| h.alg = Algorithm::HS512),
        ("a critical extension", |h, _| {
            h.crit = Some(vec!["x".to_owned()]);
        }),
        ("no number", |_, c| set(c, "exp", json!("never"))),
    ];
    for (what, bend) in bends {
        let token = forged(&server, &session, bend).await;
        assert!(!server.lets_in(&token).await, "{what} must be refused");
    }
}

#[tokio::test]
async fn what_was_not_signed_by_us_is_refused() {
    let server = Server::start().await;
    server.user("ann", Role::Admin).await;
    let (session, real) = server.session("ann").await;
    let mut parts = real.split('.');
    let (head, claims, signature) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );

    let key = server
        .control
        .signing_keys(Timestamp::now())
        .await
        .unwrap()
        .remove(0);
    let none = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        json!({"alg": "none", "typ": "at+jwt", "kid": key.id}).to_string(),
    );
    let stranger = Server::start().await;
    stranger.user("ann", Role::Admin).await;
    let (_, foreign) = stranger.session("ann").await;
    let empty = {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(key.id.clone());
        let now = Timestamp::now().as_millis() / 1000;
        let claims = json!({"iss": "homelog", "aud": "homelog-api", "sub": "ann", "sid": session.id.as_str(),
            "epoch": session.epoch, "iat": now, "nbf": now, "exp": now + 60});
        encode(&header, &claims, &EncodingKey::from_secret(b"")).unwrap()
    };
    for (what, token) in [
        ("no algorithm", format!("{none}.{claims}.")),
        (
            "no algorithm but a signature",
            format!("{none}.{claims}.{signature}"),
        ),
        ("no signature", format!("{head}.{claims}.")),
        (
            "half of one",
            format!("{head}.{claims}.{}", &signature[..20]),
        ),
        (
            "other claims",
            format!("{head}.{}.{signature}", claims.replace('e', "f")),
        ),
        ("another server's", foreign),
        ("an empty key's", empty),
        ("nothing", ".".to_owned()),
        ("very much", "a".repeat(4000)),
    ] {
        assert!(!server.lets_in(&token).await, "{what} must be refused");
    }
    assert!(server.lets_in(&real).await);
}

#[tokio::test]
async fn the_head_must_be_one_bearer() {
    let server = Server::start().await;
    server.user("ann", Role::Admin).await;
    let (_, token) = server.session("ann").await;
    for value in ["", "Bearer", "Basic YTpi", &token, "Bearer  "] {
        let answer = server
            .get("/api/v1/preferences")
            .header("authorization", value);
        assert_eq!(answer.send().await.unwrap().status(), 401, "{value}");
    }
    let twice = server
        .get("/api/v1/preferences")
        .header("authorization", format!("Bearer {token}"))
        .header("authorization", "Bearer x");
    assert_eq!(twice.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_key_that_another_process_made_is_found_and_the_old_one_retires() {
    let server = Server::start().await;
    server.user("ann", Role::Admin).await;
    let (_, old) = server.session("ann").await;
    let other = Embedded::open(server.database()).await.unwrap();
    let now = Timestamp::now();
    other
        .rotate_signing_key(now, now.plus_millis(2500))
        .await
        .unwrap();
    let elsewhere = Auth::open(Arc::new(other), AuthOptions::default())
        .await
        .unwrap();
    let (session, _) = server.session("ann").await;
    let new = elsewhere.access_token(&session, now).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(server.lets_in(&new).await, "the new key is looked for");
    assert!(server.lets_in(&old).await, "the old one is still good");
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert!(!server.lets_in(&old).await, "until it retires");
    assert!(server.lets_in(&new).await);
}
