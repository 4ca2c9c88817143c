mod fake;
pub(in crate::integrations) mod recorded;
mod storage;

use fake::{Answer, Fake, PASSWORD};
use schemas::{EventType, FieldValue};

use super::*;
use crate::{batch::Observation, testing};

fn params(url: &str, rest: &str) -> Params {
    toml::from_str(&format!(
        "url = \"{url}\"\nusername = \"homelog\"\npassword = \"{PASSWORD}\"\n{rest}"
    ))
    .unwrap()
}

fn open(fake: &Fake) -> Qnap {
    let timeout = Duration::from_millis(400);
    Qnap::with_timeout(params(&fake.url(), ""), &testing::context("nas1"), timeout).unwrap()
}

/// What a batch holds; every field is one that the catalogue knows, with its type.
fn checked(batch: Batch) -> Vec<Observation> {
    let (events, dropped) = testing::checked(batch, METRICS);
    assert_eq!(dropped, 0);
    events
}

async fn poll(qnap: &mut Qnap) -> Vec<Observation> {
    let mut batch = testing::batch();
    qnap.poll(&mut batch).await.unwrap();
    checked(batch)
}

/// The failure of one poll; it says where, on one line, and no secret.
async fn failure(qnap: &mut Qnap) -> PollError {
    let e = qnap.poll(&mut testing::batch()).await.unwrap_err();
    assert!(e.message.contains("127.0.0.1"), "{e}");
    for secret in [PASSWORD, "cMOkNTUg", "sid1x"] {
        assert!(!e.message.contains(secret), "{e}");
    }
    assert!(!e.message.contains('\n'), "{e}");
    e
}

/// Listens until nothing more comes for a moment.
async fn listen(qnap: &mut Qnap) -> Vec<Observation> {
    let mut batch = Batch::live();
    let quiet = Duration::from_millis(200);
    while tokio::time::timeout(quiet, qnap.listen(&mut batch))
        .await
        .is_ok()
    {}
    checked(batch)
}

/// The samples as `type/id`.
fn keys(told: &[Observation]) -> Vec<String> {
    told.iter()
        .filter(|e| e.event_type == EventType::Sample)
        .map(|e| format!("{}/{}", e.entity.entity_type, e.entity.id))
        .collect()
}

fn of<'a>(told: &'a [Observation], key: &str) -> &'a Observation {
    told.iter()
        .find(|e| {
            e.event_type == EventType::Sample
                && format!("{}/{}", e.entity.entity_type, e.entity.id) == key
        })
        .unwrap_or_else(|| panic!("no {key}: {told:?}"))
}

fn changes(told: &[Observation], field: &str) -> Vec<String> {
    told.iter()
        .filter(|e| e.event_type == EventType::Change)
        .filter_map(|e| e.fields.get(field))
        .map(ToString::to_string)
        .collect()
}

fn shown(event: &Observation) -> String {
    event
        .fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn a_poll_tells_the_system_with_one_session() {
    let fake = Fake::start().await;
    let mut qnap = open(&fake);
    let told = poll(&mut qnap).await;
    assert_eq!(
        keys(&told),
        [
            "qnap/nas1",
            "qnap_fan/1",
            "qnap_interface/eth0",
            "qnap_interface/bond0"
        ]
    );
    assert_eq!(
        shown(of(&told, "qnap/nas1")),
        "cpu_ratio=0.125 health=good memory_total_bytes=1073741824 memory_used_bytes=805306368 memory_used_ratio=0.75 \
         system_temperature_celsius=38 uptime_seconds=61"
    );
    assert_eq!(shown(of(&told, "qnap_fan/1")), "speed_rpm=900 status=ok");
    let adapter = of(&told, "qnap_interface/eth0");
    assert_eq!(
        shown(adapter),
        "link_up=true rx_bytes_per_second=100 rx_packets_total=10 tx_bytes_per_second=200"
    );
    let labels: Vec<_> = adapter.entity.labels.values().map(|l| &**l).collect();
    assert_eq!(labels, ["00:08:9b:00:00:01", "LAN 1"]);
    let labels = &of(&told, "qnap/nas1").entity.labels;
    assert_eq!(labels.get("model").map(|l| &**l), Some("TS-X"));
    for _ in 0..3 {
        poll(&mut qnap).await;
    }
    assert_eq!(fake.get(|state| state.logins), 1);
    assert_eq!(fake.asked("POST /cgi-bin/authLogin.cgi"), 1);
    assert_eq!(fake.asked("authLogin.cgi?"), 0, "no password in an address");
    assert_eq!(fake.asked("subfunc=sysinfo&hd=no"), 4);
}

#[tokio::test]
async fn a_session_that_ended_is_made_anew_once() {
    let fake = Fake::start().await;
    let mut qnap = open(&fake);
    poll(&mut qnap).await;
    fake.set(|state| state.sids.clear());
    assert_eq!(poll(&mut qnap).await.len(), 4, "the poll itself is whole");
    assert_eq!(fake.get(|state| state.logins), 2);
}

#[tokio::test]
async fn a_session_that_is_given_by_get_only_is_found() {
    let fake = Fake::start().await;
    fake.set(|state| state.by_get_only = true);
    assert_eq!(poll(&mut open(&fake)).await.len(), 4);
}

#[tokio::test]
async fn a_user_that_may_read_nothing_is_not_logged_in_again_and_again() {
    let fake = Fake::start().await;
    fake.instead("sysinfo", Answer::reply("<authPassed>0</authPassed>"));
    let mut qnap = open(&fake);
    let e = failure(&mut qnap).await;
    assert_eq!(e.class, FailureClass::NoPermission, "{e}");
    assert!(e.retry_after.unwrap() >= Duration::from_mins(15));
    assert_eq!(fake.get(|state| state.logins), 1);
    given_back(&fake).await;
    fake.instead(
        "login",
        Answer::reply("<authPassed>1</authPassed><authSid>sid1x</authSid><isAdmin>0</isAdmin>"),
    );
    let e = failure(&mut open(&fake)).await;
    assert!(e.message.contains("administrators"), "{e}");
}

/// Waits until no session is left.
async fn given_back(fake: &Fake) {
    for _ in 0..100 {
        if fake.get(|state| state.sids.is_empty()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("sessions are left");
}

#[tokio::test]
async fn the_session_is_given_back_at_the_end() {
    let fake = Fake::start().await;
    let mut qnap = open(&fake);
    poll(&mut qnap).await;
    assert_eq!(fake.get(|state| state.sids.len()), 1);
    drop(qnap);
    given_back(&fake).await;
}

#[tokio::test]
async fn refused_logins_have_their_classes() {
    let no = |more: &str| Answer::Reply(format!("<authPassed>0</authPassed>{more}"));
    for (answer, class, words) in [
        (
            no("<errorValue>-1</errorValue>"),
            FailureClass::BadCredentials,
            "does not accept user homelog",
        ),
        (
            no("<need_2sv>1</need_2sv><lost_phone>1</lost_phone>"),
            FailureClass::BadCredentials,
            "second factor",
        ),
        (
            no("<pw_status>1</pw_status>"),
            FailureClass::BadCredentials,
            "new password",
        ),
        (
            no("<is_booting>1</is_booting>"),
            FailureClass::Unreachable,
            "starting",
        ),
        (
            no("<ha_active_ip>192.0.2.9</ha_active_ip>"),
            FailureClass::Other,
            "peer",
        ),
        (
            Answer::reply("<authPassed>1</authPassed>"),
            FailureClass::BadAnswer,
            "no session",
        ),
        (
            Answer::reply(""),
            FailureClass::BadAnswer,
            "neither yes nor no",
        ),
        (
            Answer::Text(200, "<html><body>QTS</body></html>".to_owned()),
            FailureClass::BadAnswer,
            "none of a QNAP",
        ),
        (
            Answer::Text(403, "blocked".to_owned()),
            FailureClass::NoPermission,
            "IP Access Protection",
        ),
        (
            Answer::Text(
                500,
                format!("bad request: user=homelog&{PASSWORD}&pwd=cMOkNTUgd8"),
            ),
            FailureClass::BadAnswer,
            "500",
        ),
        (Answer::Silence, FailureClass::Timeout, "did not answer"),
    ] {
        let fake = Fake::start().await;
        fake.instead("login", answer);
        let mut qnap = open(&fake);
        let e = failure(&mut qnap).await;
        assert_eq!(e.class, class, "{words}: {e}");
        assert!(e.message.contains(words), "{words}: {e}");
        assert_eq!(
            e.retry_after,
            (words == "starting").then_some(Duration::from_secs(30))
        );
        assert_eq!(fake.get(|state| state.logins), 1, "{words}");
        assert_eq!(fake.asked("sysinfo"), 0);
        // it recovers by itself
        fake.set(|state| state.instead.clear());
        assert_eq!(poll(&mut qnap).await.len(), 4, "{words}");
    }
}

#[tokio::test]
async fn what_goes_wrong_has_its_class() {
    let text = |text: &str| Answer::Text(200, text.to_owned());
    for (call, answer, class) in [
        ("hd=no", Answer::Silence, FailureClass::Timeout),
        ("hd=no", text("<html>"), FailureClass::BadAnswer),
        ("hd=no", text(""), FailureClass::BadAnswer),
        ("hd=no", text(&"<a>".repeat(9999)), FailureClass::BadAnswer),
        (
            "hd=no",
            text(&" ".repeat(3_000_000)),
            FailureClass::BadAnswer,
        ),
        (
            "hd=no",
            text("<!DOCTYPE a [<!ENTITY b \"b\">]><QDocRoot>&b;</QDocRoot>"),
            FailureClass::BadAnswer,
        ),
        ("hd=no", text("<QDocRoot><func>"), FailureClass::BadAnswer),
        (
            "hd=no",
            Answer::reply("<authPassed>1</authPassed>"),
            FailureClass::BadAnswer,
        ),
        (
            "hd=no",
            Answer::Text(503, "no /cgi-bin/x?hd=no&sid=sid1x here".to_owned()),
            FailureClass::BadAnswer,
        ),
        (
            "hd=no",
            Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<QDocRoot>"),
            FailureClass::Unreachable,
        ),
        ("sysHealth", Answer::Silence, FailureClass::Timeout),
        ("bandwidth", Answer::Silence, FailureClass::Timeout),
        (
            "bandwidth",
            Answer::Text(429, String::new()),
            FailureClass::RateLimited,
        ),
    ] {
        let fake = Fake::start().await;
        fake.instead(call, answer);
        let mut qnap = open(&fake);
        let e = failure(&mut qnap).await;
        assert_eq!(e.class, class, "{call}: {e}");
        fake.set(|state| state.instead.clear());
        assert_eq!(poll(&mut qnap).await.len(), 4, "{call}");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut qnap = Qnap::open(params(&url, ""), &testing::context("nas1")).unwrap();
    assert_eq!(failure(&mut qnap).await.class, FailureClass::Unreachable);
}

#[tokio::test]
async fn a_part_that_is_missing_does_not_lose_the_others() {
    let fake = Fake::start().await;
    fake.instead("sysHealth", Answer::Text(404, String::new()));
    let told = poll(&mut open(&fake)).await;
    let itself = of(&told, "qnap/nas1");
    assert_eq!(itself.fields.get("health"), None);
    let adapter = of(&told, "qnap_interface/eth0");
    assert!(adapter.fields.get("rx_bytes_per_second").is_some());
    assert_eq!(
        itself.fields.get("cpu_ratio"),
        Some(&FieldValue::F64(0.125))
    );
    fake.set(|state| state.instead.clear());
    fake.instead("bandwidth", Answer::reply("<authPassed>1</authPassed>"));
    let told = poll(&mut open(&fake)).await;
    let adapter = of(&told, "qnap_interface/eth0");
    assert_eq!(shown(adapter), "link_up=true rx_packets_total=10");
    // what came before a failure is told
    fake.instead("sysHealth", Answer::Silence);
    let mut batch = testing::batch();
    open(&fake).poll(&mut batch).await.unwrap_err();
    assert_eq!(
        keys(&checked(batch)),
        ["qnap/nas1", "qnap_fan/1", "qnap_interface/eth0"]
    );
}

#[test]
fn options_are_checked() {
    let refused = |text: &str| {
        let params: Params = toml::from_str(text).unwrap();
        Qnap::open(params, &testing::context("nas1"))
            .err()
            .map(|e| e.key)
            .unwrap_or_default()
    };
    let whole = "url = \"http://nas1:8080/cgi-bin/\"\nusername = \"u\"\npassword = \"p\"\n";
    assert_eq!(refused(whole), "");
    assert_eq!(refused(&whole.replace("\"u\"", "\"\"")), "username");
    assert_eq!(refused(&whole.replace("\"p\"", "\"\"")), "password");
    assert_eq!(refused(&whole.replace("http://", "")), "url");
    for wrong in ["1s", "9999h", "-1h", "often"] {
        let text = format!("{whole}storage_interval = \"{wrong}\"");
        assert_eq!(refused(&text), "storage_interval", "{wrong}");
    }
    let shown = format!("{:?}", params("http://nas1", ""));
    assert!(!shown.contains(PASSWORD), "{shown}");
}
