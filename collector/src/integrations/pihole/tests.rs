mod fake;
pub(in crate::integrations) mod recorded;

use fake::{APP_PASSWORD, Answer, Fake, Kind, TOKEN, error};
use schemas::{EventType, FieldValue};
use serde_json::json;

use super::*;
use crate::{batch::Observation, testing};

fn options(url: &str, rest: &str) -> Params {
    toml::from_str(&format!("url = \"{url}\"\n{rest}")).unwrap()
}

fn open(url: &str, password: &str, rest: &str) -> Pihole {
    let params = options(url, &format!("password = \"{password}\"\n{rest}"));
    let timeout = Duration::from_millis(400);
    Pihole::open_within(params, &testing::context("dns"), timeout).unwrap()
}

/// What one poll tells; every field is one that the catalogue knows, with its type.
async fn poll(pihole: &mut Pihole) -> Vec<Observation> {
    let mut batch = testing::batch();
    pihole.poll(&mut batch).await.unwrap();
    checked(batch)
}

fn checked(batch: Batch) -> Vec<Observation> {
    testing::checked(batch, METRICS).0
}

/// The failure of one poll; it says where, on one line, and no secret.
async fn failure(pihole: &mut Pihole) -> PollError {
    let e = pihole.poll(&mut testing::batch()).await.unwrap_err();
    assert!(e.message.contains("127.0.0.1"), "{e}");
    for secret in [APP_PASSWORD, TOKEN, "sid+/"] {
        assert!(!e.message.contains(secret), "{e}");
    }
    assert!(!e.message.contains('\n'), "{e}");
    e
}

fn of<'a>(events: &'a [Observation], entity_type: &str, id: &str) -> &'a Observation {
    events
        .iter()
        .find(|e| {
            e.event_type == EventType::Sample
                && e.entity.entity_type.as_str() == entity_type
                && e.entity.id.as_str() == id
        })
        .unwrap_or_else(|| panic!("no {entity_type} {id}: {events:?}"))
}

fn count_of(events: &[Observation], entity_type: &str) -> usize {
    events
        .iter()
        .filter(|e| e.entity.entity_type.as_str() == entity_type)
        .count()
}

fn label<'a>(event: &'a Observation, name: &str) -> &'a str {
    event.entity.labels.get(name).map_or("", |value| value)
}

#[tokio::test]
async fn a_v6_is_found_and_read_with_one_session() {
    let fake = Fake::start(Kind::V6).await;
    // as a browser shows the address
    let mut pihole = open(&format!("{}/admin/", fake.url()), APP_PASSWORD, "");
    let told = poll(&mut pihole).await;
    let itself = of(&told, "pihole", "dns");
    for (field, value) in [
        ("queries_count", FieldValue::I64(100)),
        ("blocked_count", FieldValue::I64(20)),
        ("blocked_ratio", FieldValue::F64(0.2)),
        ("forwarded_count", FieldValue::I64(50)),
        ("cached_count", FieldValue::I64(30)),
        ("queries_per_second", FieldValue::F64(0.5)),
        ("unique_domains_count", FieldValue::I64(30)),
        ("clients_active_count", FieldValue::I64(4)),
        ("clients_known_count", FieldValue::I64(6)),
        ("gravity_domains_count", FieldValue::I64(123_456)),
        ("messages_count", FieldValue::I64(2)),
        ("blocking", FieldValue::text("enabled").unwrap()),
    ] {
        assert_eq!(itself.fields.get(field), Some(&value), "{field}");
    }
    assert!(itself.fields.get("gravity_age_seconds").is_some());
    assert_eq!(itself.fields.get("blocking_timer_seconds"), None);
    assert_eq!(label(itself, "version"), "v6.2");
    assert_eq!(label(itself, "ftl_version"), "v6.4");
    let upstream = of(&told, "dns_upstream", "192.0.2.1#53");
    assert_eq!(label(upstream, "name"), "dns.example");
    for (field, value) in [
        ("queries_count", FieldValue::I64(50)),
        ("queries_ratio", FieldValue::F64(0.5)),
        ("response_seconds", FieldValue::F64(0.012_346)),
    ] {
        assert_eq!(upstream.fields.get(field), Some(&value), "{field}");
    }
    assert_eq!(told.len(), 2, "neither domains nor clients: {told:?}");
    for _ in 0..3 {
        poll(&mut pihole).await;
    }
    assert_eq!(fake.logins(), 1);
    assert_eq!(fake.asked("GET /api/stats/summary"), 4);
    assert_eq!(
        fake.asked("GET /api/info/version"),
        1,
        "slow things are read seldom"
    );
    assert_eq!(fake.asked("GET /api/stats/top_"), 0);
    assert_eq!(fake.asked("GET /api/auth"), 1, "it is found out once");
}

#[tokio::test]
async fn a_session_that_ended_is_made_anew_once() {
    let fake = Fake::start(Kind::V6).await;
    let mut pihole = open(&fake.url(), APP_PASSWORD, "");
    poll(&mut pihole).await;
    fake.set(|state| state.sids.clear());
    assert_eq!(poll(&mut pihole).await.len(), 2, "the poll itself is whole");
    assert_eq!(fake.logins(), 2);
    poll(&mut pihole).await;
    assert_eq!(fake.logins(), 2);
}

#[tokio::test]
async fn a_session_that_may_read_nothing_is_not_made_again_and_again() {
    let fake = Fake::start(Kind::V6).await;
    let unauthorized = Answer::json(401, &error("unauthorized", "Unauthorized"));
    fake.instead("GET /api/stats/summary", unauthorized);
    let mut pihole = open(&fake.url(), APP_PASSWORD, "");
    let e = failure(&mut pihole).await;
    assert_eq!(e.class, FailureClass::NoPermission, "{e}");
    assert_eq!(e.retry_after, Some(USELESS));
    assert_eq!(fake.logins(), 1);
    given_back(&fake).await;
}

const USELESS: Duration = Duration::from_mins(15);

/// Waits until no session is left.
async fn given_back(fake: &Fake) {
    for _ in 0..100 {
        if fake.sids().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("sessions are left: {:?}", fake.sids());
}

#[tokio::test]
async fn the_session_is_given_back_at_the_end() {
    let fake = Fake::start(Kind::V6).await;
    let mut pihole = open(&fake.url(), APP_PASSWORD, "");
    poll(&mut pihole).await;
    assert_eq!(fake.sids().len(), 1);
    drop(pihole);
    given_back(&fake).await;
    assert_eq!(fake.asked("DELETE /api/auth"), 1);
}

#[tokio::test]
async fn refused_logins_have_their_classes() {
    for (status, body, class, words) in [
        (
            401,
            json!({"session": {"valid": false, "sid": null, "message": "password incorrect"}}),
            FailureClass::BadCredentials,
            "password incorrect",
        ),
        (
            400,
            error("bad_request", "No 2FA token found in JSON payload"),
            FailureClass::BadCredentials,
            "app password",
        ),
        (
            401,
            error("unauthorized", "Invalid 2FA token"),
            FailureClass::BadCredentials,
            "Invalid 2FA token",
        ),
        (
            429,
            error("api_seats_exceeded", "API seats exceeded"),
            FailureClass::RateLimited,
            "max_sessions",
        ),
        (
            429,
            error("rate_limiting", "Rate-limiting login attempts"),
            FailureClass::RateLimited,
            "fewer logins",
        ),
        (403, json!({}), FailureClass::NoPermission, "webserver.acl"),
        (500, json!({}), FailureClass::BadAnswer, "500"),
        (
            200,
            json!({"session": {"valid": true, "sid": "a\r\nb"}}),
            FailureClass::BadAnswer,
            "session id",
        ),
        (
            // who repeats the password does not get it into the log
            401,
            error("unauthorized", &format!("{APP_PASSWORD} is wrong")),
            FailureClass::BadCredentials,
            "… is wrong",
        ),
    ] {
        let fake = Fake::start(Kind::V6).await;
        fake.instead("POST /api/auth", Answer::json(status, &body));
        let mut pihole = open(&fake.url(), APP_PASSWORD, "");
        let e = failure(&mut pihole).await;
        assert_eq!(e.class, class, "{body}: {e}");
        assert!(e.message.contains(words), "{body}: {e}");
        let seats = words == "max_sessions";
        assert_eq!(
            e.retry_after,
            seats.then_some(Duration::from_mins(5)),
            "{e}"
        );
        assert_eq!(fake.logins(), 1, "{body}");
        assert_eq!(fake.asked("GET /api/stats"), 0);
    }
}

#[tokio::test]
async fn a_pihole_without_a_password_needs_no_login() {
    let fake = Fake::start(Kind::V6).await;
    fake.set(|state| state.open = true);
    for password in ["", APP_PASSWORD] {
        let mut pihole = open(&fake.url(), password, "");
        assert_eq!(poll(&mut pihole).await.len(), 2);
        assert_eq!(poll(&mut pihole).await.len(), 2);
    }
    assert_eq!(fake.logins(), 1, "only where a password is set");
    fake.set(|state| state.open = false);
    let mut pihole = open(&fake.url(), "", "");
    let e = failure(&mut pihole).await;
    assert_eq!(e.class, FailureClass::BadCredentials);
    assert!(e.message.contains("create an app password"), "{e}");
}

#[tokio::test]
async fn blocking_that_moves_is_a_change() {
    for (kind, password) in [(Kind::V6, APP_PASSWORD), (Kind::V5, TOKEN)] {
        let fake = Fake::start(kind).await;
        let mut pihole = open(&fake.url(), password, "");
        let changes = |told: &[Observation]| {
            told.iter()
                .filter(|e| e.event_type == EventType::Change)
                .map(|e| e.fields.get("blocking").unwrap().to_string())
                .collect::<Vec<_>>()
        };
        assert!(
            changes(&poll(&mut pihole).await).is_empty(),
            "at first it only is"
        );
        fake.set(|state| state.blocking = "disabled");
        let told = poll(&mut pihole).await;
        assert_eq!(changes(&told), ["disabled"]);
        let itself = of(&told, "pihole", "dns");
        let timer = itself.fields.get("blocking_timer_seconds");
        let expected = FieldValue::F64(60.0);
        assert_eq!(timer, (kind == Kind::V6).then_some(&expected));
        assert!(changes(&poll(&mut pihole).await).is_empty());
        fake.set(|state| state.blocking = "no word of Pi-hole's");
        assert!(changes(&poll(&mut pihole).await).is_empty());
        fake.set(|state| state.blocking = "enabled");
        assert_eq!(changes(&poll(&mut pihole).await), ["enabled"]);
    }
}

#[tokio::test]
async fn domains_and_clients_are_told_where_they_are_wanted() {
    let fake = Fake::start(Kind::V6).await;
    let mut pihole = open(
        &fake.url(),
        APP_PASSWORD,
        "top_domains = 5\ntop_clients = 3",
    );
    let told = poll(&mut pihole).await;
    assert_eq!(count_of(&told, "dns_domain"), 5, "of 40 that came");
    let domain = of(&told, "dns_domain", "d0.example");
    assert_eq!(
        domain.fields.get("permitted_count"),
        Some(&FieldValue::I64(40))
    );
    assert_eq!(
        domain.fields.get("blocked_count"),
        Some(&FieldValue::I64(40))
    );
    let client = of(&told, "dns_client", "192.0.2.50");
    assert_eq!(label(client, "name"), "tv.lan");
    assert_eq!(
        client.fields.get("queries_count"),
        Some(&FieldValue::I64(9))
    );
    assert_eq!(
        fake.asked("GET /api/stats/top_domains?count=5&blocked=true"),
        1
    );
    assert_eq!(
        count_of(&poll(&mut pihole).await, "dns_domain"),
        0,
        "seldom"
    );

    let fake = Fake::start(Kind::V5).await;
    let mut pihole = open(&fake.url(), TOKEN, "top_domains = 5\ntop_clients = 3");
    let told = poll(&mut pihole).await;
    let domain = of(&told, "dns_domain", "a.example");
    assert_eq!(
        domain.fields.get("permitted_count"),
        Some(&FieldValue::I64(5))
    );
    assert_eq!(domain.fields.get("blocked_count"), None);
    assert_eq!(
        label(of(&told, "dns_client", "192.0.2.50"), "name"),
        "tv.lan"
    );
}

#[tokio::test]
async fn a_v5_is_found_and_read() {
    let fake = Fake::start(Kind::V5).await;
    let mut pihole = open(&fake.url(), TOKEN, "");
    let told = poll(&mut pihole).await;
    let itself = of(&told, "pihole", "dns");
    assert_eq!(
        itself.fields.get("queries_count"),
        Some(&FieldValue::I64(100))
    );
    assert_eq!(
        itself.fields.get("blocked_ratio"),
        Some(&FieldValue::F64(0.2))
    );
    assert_eq!(itself.fields.get("cached_count"), None);
    assert_eq!(label(itself, "version"), "v5.18");
    let upstream = of(&told, "dns_upstream", "192.0.2.1#53");
    assert_eq!(
        upstream.fields.get("queries_ratio"),
        Some(&FieldValue::F64(0.5))
    );
    assert_eq!(told.len(), 2);
    poll(&mut pihole).await;
    assert_eq!(fake.asked("GET /admin/api.php?type&version"), 1);
    assert_eq!(fake.asked("GET /admin/api.php?versions"), 1);
}

#[tokio::test]
async fn a_v5_refuses_with_status_200() {
    let fake = Fake::start(Kind::V5).await;
    let wrong = "f".repeat(64);
    let e = failure(&mut open(&fake.url(), &wrong, "")).await;
    assert_eq!(e.class, FailureClass::BadCredentials, "{e}");
    assert!(!e.message.contains(&wrong), "{e}");
    let e = failure(&mut open(&fake.url(), "", "")).await;
    assert_eq!(e.class, FailureClass::BadCredentials, "{e}");
    // a password that is none of its tokens does not go into an address
    let e = failure(&mut open(&fake.url(), APP_PASSWORD, "")).await;
    assert_eq!(e.class, FailureClass::BadCredentials, "{e}");
    assert!(e.message.contains("API token"), "{e}");
    let requests = fake.state.lock().unwrap().requests.join("\n");
    assert!(!requests.contains("kM3pS8"), "{requests}");
    fake.set(|state| state.open = true);
    poll(&mut open(&fake.url(), "", "")).await;
}

#[tokio::test]
async fn a_token_that_is_repeated_is_not_shown() {
    let fake = Fake::start(Kind::V5).await;
    let mut pihole = open(&fake.url(), TOKEN, "");
    poll(&mut pihole).await;
    for page in [
        format!("no /admin/api.php?summaryRaw=&auth={TOKEN} here"),
        // what is shown of a page ends within the token
        format!("{}?auth={TOKEN}", "x".repeat(280)),
    ] {
        pihole.version = Some(Version::V5);
        fake.instead("GET /admin/api.php", Answer::Text(404, page));
        let e = failure(&mut pihole).await;
        assert!(!e.message.contains("01234567"), "{e}");
    }
}

#[tokio::test]
async fn what_goes_wrong_has_its_class() {
    let summary = "GET /api/stats/summary";
    for (request, answer, class) in [
        (summary, Answer::Silence, FailureClass::Timeout),
        (
            summary,
            Answer::Text(200, "<html>".to_owned()),
            FailureClass::BadAnswer,
        ),
        (
            summary,
            Answer::Text(200, "[".repeat(9999)),
            FailureClass::BadAnswer,
        ),
        (
            summary,
            Answer::Text(200, "{}".to_owned()),
            FailureClass::BadAnswer,
        ),
        (
            summary,
            Answer::Text(200, " ".repeat(2 * MOST_BODY)),
            FailureClass::BadAnswer,
        ),
        (
            summary,
            Answer::Text(503, String::new()),
            FailureClass::BadAnswer,
        ),
        (
            summary,
            Answer::Text(429, String::new()),
            FailureClass::RateLimited,
        ),
        (
            summary,
            Answer::Text(403, String::new()),
            FailureClass::NoPermission,
        ),
        (
            summary,
            Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"queries\":"),
            FailureClass::Unreachable,
        ),
        (
            summary,
            Answer::Raw(b"SSH-2.0-x\r\n"),
            FailureClass::Unreachable,
        ),
        ("POST /api/auth", Answer::Silence, FailureClass::Timeout),
        ("GET /api/auth", Answer::Silence, FailureClass::Timeout),
        (
            "GET /api/auth",
            Answer::Elsewhere("https://other.example/api/auth?x=1"),
            FailureClass::BadAnswer,
        ),
        (
            "GET /api/stats/upstreams",
            Answer::Silence,
            FailureClass::Timeout,
        ),
    ] {
        let fake = Fake::start(Kind::V6).await;
        fake.instead(request, answer);
        let mut pihole = open(&fake.url(), APP_PASSWORD, "");
        let e = failure(&mut pihole).await;
        assert_eq!(e.class, class, "{request}: {e}");
        // it recovers by itself
        fake.set(|state| state.instead.clear());
        assert_eq!(poll(&mut pihole).await.len(), 2, "{request}");
    }
}

#[tokio::test]
async fn nobody_and_somebody_else_are_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let e = failure(&mut open(&url, "", "")).await;
    assert_eq!(e.class, FailureClass::Unreachable, "{e}");
    let fake = Fake::start(Kind::V5).await;
    fake.instead("GET /admin/api.php", Answer::Text(404, String::new()));
    let e = failure(&mut open(&fake.url(), "", "")).await;
    assert_eq!(e.class, FailureClass::BadAnswer, "{e}");
    assert!(e.message.contains("neither v6"), "{e}");
}

#[tokio::test]
async fn an_upgrade_from_v5_to_v6_is_noticed() {
    let fake = Fake::start(Kind::V5).await;
    let mut pihole = open(&fake.url(), TOKEN, "");
    poll(&mut pihole).await;
    fake.set(|state| {
        state.kind = Kind::V6;
        state.open = true;
    });
    assert_eq!(failure(&mut pihole).await.class, FailureClass::BadAnswer);
    let told = poll(&mut pihole).await;
    assert_eq!(label(of(&told, "pihole", "dns"), "version"), "v6.2");
}

#[tokio::test]
async fn a_part_that_is_missing_does_not_lose_the_others() {
    let fake = Fake::start(Kind::V6).await;
    for path in [
        "dns/blocking",
        "info/version",
        "info/messages/count",
        "stats/upstreams",
    ] {
        let missing = Answer::json(404, &error("not_found", "Not found"));
        fake.instead(&format!("GET /api/{path}"), missing);
    }
    let told = poll(&mut open(&fake.url(), APP_PASSWORD, "")).await;
    let itself = of(&told, "pihole", "dns");
    assert_eq!(
        itself.fields.get("queries_count"),
        Some(&FieldValue::I64(100))
    );
    for absent in ["blocking", "messages_count"] {
        assert_eq!(itself.fields.get(absent), None);
    }
    assert_eq!(told.len(), 1);
}

#[test]
fn options_are_checked() {
    let open = |rest: &str| {
        let params = options("http://pi.hole", rest);
        Pihole::open(params, &testing::context("dns")).err()
    };
    assert_eq!(open("top_domains = 100"), None);
    assert_eq!(open("top_domains = 101").unwrap().key, "top_domains");
    assert_eq!(open("top_clients = 101").unwrap().key, "top_clients");
    let wrong = options("pi.hole", "");
    let e = Pihole::open(wrong, &testing::context("dns")).err().unwrap();
    assert_eq!(e.key, "url");
    let shown = format!("{:?}", options("http://pi.hole", "password = \"abc\""));
    assert!(!shown.contains("abc"), "{shown}");
    assert!(
        toml::from_str::<Params>("password = \"x\"").is_err(),
        "url is needed"
    );
}
