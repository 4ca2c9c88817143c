mod between;
mod discovery;
mod facts;
mod fake;
mod hostile;
mod identity;
mod images;
mod real;
pub(in crate::integrations) mod recorded;
mod secured;
mod streams;

use fake::{Answer, Fake, container, stats};
use schemas::{EventType, FieldValue};
use serde_json::json;

use super::*;
use crate::{FailureClass, batch::Observation, testing};

const NANO: i64 = 1_000_000_000;
const START: i64 = 1_795_392_185 * NANO;

fn open(url: &str) -> Docker {
    let params = Params::at(url.to_owned());
    let mut docker = Docker::open(params, &testing::context("here.docker")).unwrap();
    // events of the tests are older than the tests
    docker.since_nanos = START;
    docker
}

/// What one poll tells; every field is one that the catalogue knows, with its type.
async fn poll(docker: &mut Docker) -> Vec<Observation> {
    let mut batch = testing::batch();
    docker.poll(&mut batch).await.unwrap();
    checked(batch)
}

fn checked(batch: Batch) -> Vec<Observation> {
    testing::checked(batch, METRICS).0
}

/// Listens until nothing more comes for a moment.
async fn listen(docker: &mut Docker) -> (Vec<Observation>, bool) {
    let mut batch = Batch::live();
    let mut poll_now = false;
    let quiet = Duration::from_millis(150);
    while let Ok(heard) = tokio::time::timeout(quiet, docker.listen(&mut batch)).await {
        poll_now |= heard == Heard::PollNow;
    }
    (checked(batch), poll_now)
}

/// Listens until the engine has a stream.
async fn connect(docker: &mut Docker, fake: &Fake) {
    for _ in 0..50 {
        let (told, _) = listen(docker).await;
        assert!(told.is_empty(), "{told:?}");
        if fake.streams() > 0 {
            return;
        }
    }
    panic!("no stream is opened");
}

fn text<'a>(event: &'a Observation, field: &str) -> &'a str {
    match event.fields.get(field) {
        Some(FieldValue::Text(text)) => text,
        _ => "",
    }
}

fn changes(events: &[Observation]) -> Vec<(&str, &str, &str)> {
    events
        .iter()
        .filter(|event| event.event_type == EventType::Change)
        .map(|event| {
            (
                event.entity.id.as_str(),
                text(event, "action"),
                text(event, "state"),
            )
        })
        .collect()
}

fn of<'a>(events: &'a [Observation], id: &str) -> &'a Observation {
    events
        .iter()
        .find(|event| event.entity.id.as_str() == id)
        .unwrap_or_else(|| panic!("no {id} in {events:?}"))
}

fn web_runs() -> Fake {
    let fake = Fake::start();
    fake.set(|state| {
        state.containers = vec![container(
            "aaaaaaaaaaaaaaaa",
            "web",
            "app:1",
            "running",
            START / NANO,
        )];
        state
            .stats
            .insert("aaaaaaaaaaaaaaaa".to_owned(), stats(1_000, 100_000, 50_100));
    });
    fake
}

#[tokio::test]
async fn a_running_container_tells_what_it_uses_by_get_requests_of_the_agreed_version() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    let first = poll(&mut docker).await;
    assert!(of(&first, "web").fields.get("cpu_ratio").is_none());
    fake.set(|state| {
        state.stats.insert(
            "aaaaaaaaaaaaaaaa".to_owned(),
            stats(26_000, 200_000, 50_100),
        );
    });
    let second = poll(&mut docker).await;
    let web = of(&second, "web");
    for (field, value) in [
        ("cpu_ratio", FieldValue::F64(0.5)),
        ("cpu_limit_ratio", FieldValue::F64(0.5)),
        ("memory_used_bytes", FieldValue::I64(50_000)),
        ("memory_used_ratio", FieldValue::F64(0.05)),
        ("restarts_total", FieldValue::I64(4)),
        ("uptime_seconds", FieldValue::I64(60)),
        ("pids_count", FieldValue::I64(3)),
    ] {
        assert_eq!(web.fields.get(field), Some(&value), "{field}");
    }
    assert_eq!(
        (text(web, "state"), text(web, "health")),
        ("running", "healthy")
    );
    let label = |name: &str| web.entity.labels.get(name).map(|v| &**v);
    assert_eq!(label("container_id"), Some("aaaaaaaaaaaa"));
    assert_eq!(
        (label("host"), label("image")),
        (Some("boxy"), Some("app:1"))
    );
    let engine = of(&first, "boxy");
    assert_eq!(
        engine.fields.get("containers_running_count"),
        Some(&FieldValue::I64(1))
    );
    assert_eq!(
        engine.entity.labels.get("version").map(|v| &**v),
        Some("20.10.24")
    );
    let requests = fake.requests();
    assert!(
        requests.iter().all(|line| line.starts_with("GET ")),
        "{requests:?}"
    );
    assert!(
        requests
            .iter()
            .skip(1)
            .all(|line| line.starts_with("GET /v1.41/")),
        "{requests:?}"
    );
    assert!(
        requests
            .iter()
            .any(|line| line.contains("/stats?stream=false&one-shot=true")),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_stopped_container_tells_how_it_ended_and_nothing_else() {
    let fake = Fake::start();
    fake.set(|state| {
        let mut stopped = container("b", "db", "pg:1", "exited", 5);
        stopped["Status"] = json!("Exited (137) 4 seconds ago");
        state.containers = vec![stopped];
    });
    let mut docker = open(&fake.url());
    let first = poll(&mut docker).await;
    let db = of(&first, "db");
    assert_eq!(text(db, "state"), "exited");
    for (field, value) in [
        ("exit_code", FieldValue::I64(137)),
        ("oom_killed", FieldValue::Bool(true)),
        ("restarts_total", FieldValue::I64(4)),
    ] {
        assert_eq!(db.fields.get(field), Some(&value), "{field}");
    }
    assert_eq!(db.fields.len(), 5, "{:?}", db.fields);
    let asked = fake.requests().len();
    assert!(
        poll(&mut docker).await.is_empty(),
        "not again until it changes"
    );
    assert_eq!(fake.requests().len(), asked + 1, "only the list");
    assert!(!fake.requests().iter().any(|line| line.contains("/stats")));
}

#[tokio::test]
async fn a_death_comes_with_its_code_and_the_engines_time_and_only_once() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    fake.tell(
        START + 7_000_000,
        "aaaaaaaaaaaaaaaa",
        "oom",
        json!({"name": "web"}),
    )
    .await;
    fake.tell(
        START + 9_000_000,
        "aaaaaaaaaaaaaaaa",
        "die",
        json!({"name": "web", "exitCode": "137"}),
    )
    .await;
    let (told, _) = listen(&mut docker).await;
    assert_eq!(
        changes(&told),
        [("web", "oom", "running"), ("web", "die", "exited")]
    );
    let died = &told[1];
    assert_eq!(died.fields.get("exit_code"), Some(&FieldValue::I64(137)));
    assert_eq!(died.time.as_millis(), START / 1_000_000 + 9);

    // the engine repeats the last instant to who comes back
    fake.cut_streams();
    for _ in 0..20 {
        let (told, _) = listen(&mut docker).await;
        assert_eq!(changes(&told), []);
        if fake.streams() > 0 {
            break;
        }
    }
    let asked: Vec<_> = fake
        .requests()
        .into_iter()
        .filter(|line| line.contains("/events"))
        .collect();
    assert!(asked[1].contains("since=1795392185.009000000"), "{asked:?}");
    fake.tell(
        START + 20_000_000,
        "aaaaaaaaaaaaaaaa",
        "start",
        json!({"name": "web"}),
    )
    .await;
    let (told, poll_now) = listen(&mut docker).await;
    assert_eq!(changes(&told), [("web", "start", "running")]);
    assert!(poll_now, "a start is worth a poll");
}

#[tokio::test]
async fn a_first_reading_asks_for_a_second_since_the_cpu_is_the_difference() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    let (_, poll_now) = listen(&mut docker).await;
    assert!(poll_now, "the CPU would come an interval later");
    poll(&mut docker).await;
    let (_, poll_now) = listen(&mut docker).await;
    assert!(!poll_now, "once is enough");
}

#[tokio::test]
async fn what_the_stream_missed_is_found_by_the_list() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    fake.set(|state| state.containers[0]["State"] = json!("paused"));
    let once = poll(&mut docker).await;
    assert_eq!(changes(&once), [], "the event may be on its way");
    let twice = poll(&mut docker).await;
    assert_eq!(changes(&twice), [("web", "observed", "paused")]);
    assert!(
        docker.stream.is_none(),
        "a stream that misses something is opened again"
    );
    assert_eq!(changes(&poll(&mut docker).await), []);
    fake.set(|state| state.containers.clear());
    poll(&mut docker).await;
    let gone = poll(&mut docker).await;
    assert_eq!(changes(&gone), [("web", "vanished", "removed")]);
}

#[tokio::test]
async fn without_events_changes_are_told_at_the_next_poll() {
    let fake = web_runs();
    fake.instead(
        "/events",
        Answer::Status(403, "<html><body>Forbidden</body></html>"),
    );
    fake.instead(
        "/info",
        Answer::Status(403, "<html><body>Forbidden</body></html>"),
    );
    let mut docker = open(&fake.url());
    let first = poll(&mut docker).await;
    assert!(
        of(&first, "here")
            .fields
            .get("containers_running_count")
            .is_some(),
        "it goes by our name"
    );
    listen(&mut docker).await;
    assert!(docker.refused);
    fake.set(|state| state.containers[0]["State"] = json!("exited"));
    assert_eq!(
        changes(&poll(&mut docker).await),
        [("web", "observed", "exited")]
    );
}
