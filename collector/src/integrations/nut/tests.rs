mod fake;
mod real;
pub(in crate::integrations) mod recorded;

use fake::{Answer, Fake};
use schemas::{EventType, FieldValue};

use super::*;
use crate::{batch::Observation, testing};

const ONLINE: &str = "ups.status: OL CHRG\nups.load: 13\nbattery.charge: 90\nbattery.runtime: 4020\n\
    input.voltage: 228.0\ndevice.model: CP900\n";
const ON_BATTERY: &str = "ups.status: OB DISCHRG\nups.load: 13\nbattery.charge: 80\n";

fn open_with(url: &str, rest: &str) -> Nut {
    let params = toml::from_str(&format!("url = \"{url}\"\n{rest}")).unwrap();
    Nut::with_patience(params, Duration::from_millis(400)).unwrap()
}

fn open(fake: &Fake) -> Nut {
    open_with(&fake.url(), "")
}

/// What a batch holds; every field is one that the catalogue knows, with its type.
fn checked(batch: Batch) -> Vec<Observation> {
    testing::checked(batch, METRICS).0
}

async fn poll(nut: &mut Nut) -> Vec<Observation> {
    let mut batch = testing::batch();
    nut.poll(&mut batch).await.unwrap();
    checked(batch)
}

/// The failure of one poll, which says where on one line, and what was told before it.
async fn failure(nut: &mut Nut) -> (PollError, Vec<Observation>) {
    let mut batch = testing::batch();
    let e = nut.poll(&mut batch).await.unwrap_err();
    assert!(e.message.contains("127.0.0.1"), "{e}");
    assert!(!e.message.contains('\n'), "{e}");
    (e, checked(batch))
}

fn sample<'a>(told: &'a [Observation], ups: &str) -> &'a Observation {
    told.iter()
        .find(|e| e.event_type == EventType::Sample && e.entity.id.as_str() == ups)
        .unwrap_or_else(|| panic!("no {ups}: {told:?}"))
}

fn shown(event: &Observation) -> String {
    event
        .fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn changes(told: &[Observation]) -> Vec<String> {
    told.iter()
        .filter(|e| e.event_type == EventType::Change)
        .map(|e| format!("{}: {}", e.entity.id, shown(e)))
        .collect()
}

#[tokio::test]
async fn all_ups_are_told_over_one_connection() {
    let fake = Fake::start().await;
    fake.ups("a", ONLINE);
    fake.ups("b", ON_BATTERY);
    let mut nut = open(&fake);
    let told = poll(&mut nut).await;
    assert_eq!(
        shown(sample(&told, "a")),
        "battery_charge_ratio=0.9 battery_runtime_seconds=4020 bypassed=false communication=ok input_volts=228 load_ratio=0.13 \
         low_battery=false on_battery=false overloaded=false replace_battery=false shutting_down=false status=OL CHRG"
    );
    let labels = &sample(&told, "a").entity.labels;
    assert_eq!(labels.get("model").map(|l| &**l), Some("CP900"));
    assert_eq!(
        sample(&told, "b").fields.get("on_battery"),
        Some(&FieldValue::Bool(true))
    );
    assert_eq!(told.len(), 2, "at first they only are");
    for _ in 0..3 {
        poll(&mut nut).await;
    }
    assert_eq!(fake.get(|state| state.connections), 1);
    let asked = fake.get(|state| state.questions.clone());
    assert!(asked.iter().all(|q| q.starts_with("LIST ")), "{asked:?}");
}

#[tokio::test]
async fn only_those_that_are_wanted_are_asked() {
    let fake = Fake::start().await;
    fake.ups("a", ONLINE);
    fake.ups("b", ON_BATTERY);
    let mut nut = open_with(&fake.url(), "ups = [\"b\"]");
    assert_eq!(poll(&mut nut).await.len(), 1);
    assert_eq!(
        fake.get(|state| state.questions.clone()),
        ["LIST UPS", "LIST VAR b"]
    );
    let mut nut = open_with(&fake.url(), "ups = [\"b\", \"c\"]");
    let (e, told) = failure(&mut nut).await;
    assert_eq!(e.class, FailureClass::BadAnswer, "{e}");
    assert!(e.message.contains("no UPS `c`, but a, b"), "{e}");
    assert!(told.is_empty());
}

#[tokio::test]
async fn what_moves_is_a_change() {
    let fake = Fake::start().await;
    fake.ups("a", ONLINE);
    let mut nut = open(&fake);
    poll(&mut nut).await;
    fake.ups("a", ON_BATTERY);
    assert_eq!(
        changes(&poll(&mut nut).await),
        ["a: old_status=OL CHRG status=OB DISCHRG"]
    );
    assert!(changes(&poll(&mut nut).await).is_empty());
    fake.set(|state| state.ups.clear());
    fake.ups("b", ONLINE);
    assert_eq!(
        changes(&poll(&mut nut).await),
        ["a: old_status=OB DISCHRG status=vanished"]
    );
}

#[tokio::test]
async fn one_that_is_silent_does_not_lose_the_others() {
    for (word, communication) in [
        ("DATA-STALE", "stale"),
        ("DRIVER-NOT-CONNECTED", "no driver"),
    ] {
        let fake = Fake::start().await;
        fake.ups("a", ONLINE);
        fake.ups("b", ONLINE);
        let mut nut = open(&fake);
        poll(&mut nut).await;
        fake.instead("LIST VAR a", Answer::Error(word));
        let told = poll(&mut nut).await;
        assert_eq!(
            changes(&told),
            [format!(
                "a: communication={communication} old_communication=ok"
            )]
        );
        assert_eq!(
            shown(sample(&told, "a")),
            format!("communication={communication}")
        );
        let labels = &sample(&told, "a").entity.labels;
        assert!(labels.contains_key("model"), "it keeps its labels");
        assert!(sample(&told, "b").fields.get("status").is_some());
        fake.instead("LIST VAR b", Answer::Error(word));
        let (e, told) = failure(&mut nut).await;
        assert_eq!(e.class, FailureClass::Unreachable, "{e}");
        assert!(e.message.contains(word), "{e}");
        assert_eq!(changes(&told).len(), 1, "{told:?}");
        fake.set(|state| state.instead.clear());
        assert_eq!(changes(&poll(&mut nut).await).len(), 2, "both are back");
        assert_eq!(fake.get(|state| state.connections), 1);
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_anew() {
    let fake = Fake::start().await;
    fake.ups("a", ONLINE);
    let mut nut = open(&fake);
    poll(&mut nut).await;
    fake.set(|state| state.closed_up_to = 1);
    assert_eq!(poll(&mut nut).await.len(), 1);
    assert_eq!(fake.get(|state| state.connections), 2);
}

#[tokio::test]
async fn an_answer_that_was_not_waited_for_is_not_taken_for_the_next_one() {
    let fake = Fake::start().await;
    fake.ups("a", ONLINE);
    let mut nut = open(&fake);
    poll(&mut nut).await;
    fake.instead("LIST VAR a", Answer::Silence);
    let mut batch = testing::batch();
    let soon = Duration::from_millis(50);
    let dropped = tokio::time::timeout(soon, nut.poll(&mut batch)).await;
    assert!(dropped.is_err());
    fake.set(|state| state.instead.clear());
    assert_eq!(poll(&mut nut).await.len(), 1);
    assert_eq!(fake.get(|state| state.connections), 2);
}

#[tokio::test]
async fn what_goes_wrong_has_its_class() {
    let raw = |text: &str| Answer::Raw(text.to_owned());
    let cut = |text: &str| Answer::Cut(text.to_owned());
    for (question, answer, class, words) in [
        (
            "LIST UPS",
            Answer::Error("ACCESS-DENIED"),
            FailureClass::NoPermission,
            "ACCESS-DENIED",
        ),
        (
            "LIST VAR a",
            Answer::Error("ACCESS-DENIED"),
            FailureClass::NoPermission,
            "ACCESS-DENIED",
        ),
        (
            "LIST UPS",
            Answer::Error("USERNAME-REQUIRED"),
            FailureClass::NoPermission,
            "USERNAME-REQUIRED",
        ),
        (
            "LIST UPS",
            Answer::Error("UNKNOWN-COMMAND"),
            FailureClass::BadAnswer,
            "UNKNOWN-COMMAND",
        ),
        (
            "LIST UPS",
            raw("BEGIN LIST UPS\nEND LIST UPS\n"),
            FailureClass::BadAnswer,
            "has no UPS",
        ),
        (
            "LIST UPS",
            Answer::Silence,
            FailureClass::Timeout,
            "did not answer",
        ),
        (
            "LIST VAR a",
            Answer::Silence,
            FailureClass::Timeout,
            "did not answer",
        ),
        (
            "LIST UPS",
            cut("SSH-2.0-OpenSSH_9.2\r\n"),
            FailureClass::BadAnswer,
            "SSH-2.0",
        ),
        (
            "LIST UPS",
            cut("HTTP/1.1 400 Bad Request\r\n\r\n"),
            FailureClass::BadAnswer,
            "check url",
        ),
        ("LIST UPS", cut(""), FailureClass::Unreachable, "closed"),
        (
            "LIST VAR a",
            cut("BEGIN LIST VAR a\nVAR a ups.load \"1\"\n"),
            FailureClass::Unreachable,
            "closed within a list",
        ),
        (
            "LIST VAR a",
            cut("BEGIN LIST VAR a\nVAR a ups.lo"),
            FailureClass::Unreachable,
            "closed within a line",
        ),
        (
            "LIST VAR a",
            Answer::Raw("x".repeat(10_000)),
            FailureClass::BadAnswer,
            "more than 4096 bytes",
        ),
        (
            "LIST VAR a",
            Answer::Raw(format!(
                "BEGIN LIST VAR a\n{}",
                "VAR a b \"c\"\n".repeat(5000)
            )),
            FailureClass::BadAnswer,
            "more than 4096 lines",
        ),
    ] {
        let fake = Fake::start().await;
        fake.ups("a", ONLINE);
        fake.instead(question, answer);
        let mut nut = open(&fake);
        let (e, _) = failure(&mut nut).await;
        assert_eq!(e.class, class, "{question} {words}: {e}");
        assert!(e.message.contains(words), "{question} {words}: {e}");
        // it recovers by itself
        fake.set(|state| state.instead.clear());
        assert_eq!(poll(&mut nut).await.len(), 1, "{question} {words}");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nut://{}", listener.local_addr().unwrap());
    drop(listener);
    let (e, _) = failure(&mut open_with(&url, "")).await;
    assert_eq!(e.class, FailureClass::Unreachable, "{e}");
}

#[tokio::test]
async fn garbled_rows_do_not_lose_the_others() {
    let fake = Fake::start().await;
    fake.ups("a", ONLINE);
    fake.instead(
        "LIST UPS",
        Answer::Raw(
            "BEGIN LIST UPS\nUPS \"a b\" \"x\"\nUPS\nUPS a\n\u{1b}[2J\nUPS q \"open\nEND LIST UPS\n".to_owned(),
        ),
    );
    fake.instead(
        "LIST VAR a",
        Answer::Raw(
            "BEGIN LIST VAR a\nVAR a\nVAR a ups.load \"1\nVAR b ups.load \"9\"\n\nfoo\nVAR a ups.load \"50\"\nEND LIST VAR a\n"
                .to_owned(),
        ),
    );
    let told = poll(&mut open(&fake)).await;
    assert_eq!(told.len(), 1);
    assert_eq!(shown(&told[0]), "communication=ok load_ratio=0.5");
}

#[test]
fn options_are_checked() {
    let refused = |text: &str| {
        let params = toml::from_str(text).unwrap();
        Nut::open(params, &testing::context("power"))
            .err()
            .map(|e| e.key)
            .unwrap_or_default()
    };
    assert_eq!(refused("url = \"nas1\""), "");
    assert_eq!(refused("url = \"http://nas1\""), "url");
    for wrong in ["a b", "", "a\\nFSD a"] {
        let text = format!("url = \"nas1\"\nups = [\"ok\", \"{wrong}\"]");
        assert_eq!(refused(&text), "ups", "{wrong}");
    }
}
