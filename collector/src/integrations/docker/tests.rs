mod between;
mod discovery;
mod facts;
mod fake;
mod images;
mod real;
mod recorded;
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

#[tokio::test]
async fn a_new_engine_id_under_the_same_name_is_the_same_entity_recreated() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    let (old, new) = ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb");
    fake.set(|state| {
        state.containers = vec![container(new, "web", "app:2", "running", START / NANO)];
        state.stats.insert(new.to_owned(), stats(1, 1_000, 200));
    });
    fake.tell(
        START + 10 * 1_000_000,
        old,
        "die",
        json!({"name": "web", "exitCode": "0"}),
    )
    .await;
    fake.tell(
        START + 20 * 1_000_000,
        old,
        "destroy",
        json!({"name": "web"}),
    )
    .await;
    fake.tell(
        START + 30 * 1_000_000,
        new,
        "create",
        json!({"name": "web", "image": "app:2"}),
    )
    .await;
    fake.tell(
        START + 40 * 1_000_000,
        new,
        "start",
        json!({"name": "web", "image": "app:2"}),
    )
    .await;
    let (told, poll_now) = listen(&mut docker).await;
    assert_eq!(
        changes(&told),
        [("web", "die", "exited"), ("web", "destroy", "removed")]
    );
    assert!(poll_now);
    let told = poll(&mut docker).await;
    assert_eq!(
        changes(&told),
        [("web", "recreated", ""), ("web", "start", "running")]
    );
    let recreated = of(&told, "web");
    for (field, value) in [
        ("old_image", "app:1"),
        ("new_image", "app:2"),
        ("old_container_id", "aaaaaaaaaaaa"),
        ("new_container_id", "bbbbbbbbbbbb"),
    ] {
        assert_eq!(text(recreated, field), value);
    }
    assert_eq!(
        recreated.time.as_millis(),
        START / 1_000_000 + 21,
        "after the end of the one before"
    );
    assert!(
        told.iter()
            .any(|e| e.event_type == EventType::Sample
                && e.fields.get("memory_used_bytes").is_some())
    );
}

/// Compose makes the new container under another name with the same labels while the old one runs.
#[tokio::test]
async fn compose_recreates_without_a_second_entity() {
    let labels = json!({"com.docker.compose.project": "media", "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "1", "com.docker.compose.oneoff": "False"});
    let replica = |id: &str, name: &str, image: &str, state: &str, created: i64| {
        let mut made = container(id, name, image, state, created);
        made["Labels"] = labels.clone();
        made
    };
    let fake = Fake::start();
    fake.set(|state| {
        state.containers = vec![replica("old", "media-web-1", "app:1", "running", 10)];
    });
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    let mut attributes = labels.clone();
    attributes["name"] = json!("0f_media-web-1");
    attributes["image"] = json!("app:2");
    fake.tell(START + 1, "new", "create", attributes.clone())
        .await;
    fake.set(|state| {
        state
            .containers
            .push(replica("new", "0f_media-web-1", "app:2", "created", 20));
    });
    listen(&mut docker).await;
    for _ in 0..3 {
        let told = poll(&mut docker).await;
        assert_eq!(changes(&told), []);
        assert!(
            told.iter()
                .all(|e| e.entity.entity_type.as_str() != "container"
                    || e.entity.id.as_str() == "media/web/1")
        );
    }
    fake.tell(START + 2_000_000, "old", "die", json!({"exitCode": "0"}))
        .await;
    fake.tell(START + 3_000_000, "old", "destroy", json!({}))
        .await;
    attributes["name"] = json!("media-web-1");
    attributes["oldName"] = json!("/0f_media-web-1");
    fake.tell(START + 4_000_000, "new", "rename", attributes.clone())
        .await;
    fake.tell(START + 5_000_000, "new", "start", attributes)
        .await;
    fake.set(|state| {
        state.containers = vec![replica("new", "media-web-1", "app:2", "running", 20)];
    });
    let (told, _) = listen(&mut docker).await;
    assert_eq!(
        changes(&told),
        [
            ("media/web/1", "die", "exited"),
            ("media/web/1", "destroy", "removed")
        ]
    );
    let told = poll(&mut docker).await;
    assert_eq!(
        changes(&told),
        [
            ("media/web/1", "recreated", ""),
            ("media/web/1", "rename", "created"),
            ("media/web/1", "start", "running"),
        ]
    );
}

#[tokio::test]
async fn a_container_that_lives_between_two_lists_is_told() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    let who = json!({"name": "job", "image": "app:1"});
    for (after, action) in [(1, "create"), (2, "start"), (3, "die"), (4, "destroy")] {
        let mut attributes = who.clone();
        attributes["exitCode"] = json!("3");
        fake.tell(START + after * 1_000_000, "cccc", action, attributes)
            .await;
    }
    listen(&mut docker).await;
    let told = poll(&mut docker).await;
    assert_eq!(
        changes(&told),
        [
            ("job", "start", "running"),
            ("job", "die", "exited"),
            ("job", "destroy", "removed")
        ]
    );
    assert!(
        poll(&mut docker)
            .await
            .iter()
            .all(|event| event.entity.id.as_str() != "job")
    );
}

#[tokio::test]
async fn a_renamed_container_goes_on_under_its_new_name() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    fake.tell(
        START + 1_000_000,
        "aaaaaaaaaaaaaaaa",
        "rename",
        json!({"name": "site", "oldName": "/web"}),
    )
    .await;
    fake.set(|state| state.containers[0]["Names"] = json!(["/site"]));
    let (told, poll_now) = listen(&mut docker).await;
    assert_eq!(changes(&told), [("web", "rename", "running")]);
    assert!(poll_now);
    let told = poll(&mut docker).await;
    assert_eq!(changes(&told), [("web", "renamed", "removed")]);
    assert_eq!(text(of(&told, "site"), "state"), "running");
}

#[tokio::test]
async fn hostile_answers_are_failures_with_a_class_and_bounded() {
    let fails = async |path: &'static str, answer: Answer| {
        let fake = web_runs();
        fake.instead(path, answer);
        let mut docker = open(&fake.url());
        let mut batch = testing::batch();
        let failed = tokio::time::timeout(Duration::from_secs(20), docker.poll(&mut batch)).await;
        failed.expect("bounded in time").unwrap_err()
    };
    let endless = fails("/containers/json", Answer::Endless).await;
    assert_eq!(endless.class, FailureClass::BadAnswer, "{endless}");
    assert!(endless.message.contains("more than a poll"), "{endless}");
    for body in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope",
        "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n[{",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n[{\"State\":\"unheard\"}]\n",
    ] {
        let broken = fails("/containers/json", Answer::Raw(body.as_bytes())).await;
        assert_eq!(broken.class, FailureClass::BadAnswer, "{body}: {broken}");
    }
    let forbidden = fails(
        "/containers/json",
        Answer::Status(403, "<html>\u{1b}[2J Forbidden</html>"),
    )
    .await;
    assert_eq!(forbidden.class, FailureClass::NoPermission);
    assert!(
        forbidden.message.contains("socket proxy") && !forbidden.message.contains('\u{1b}'),
        "{forbidden}"
    );
    let busy = fails("/containers/json", Answer::Status(429, "slow down")).await;
    assert_eq!(busy.class, FailureClass::RateLimited);
    let no_http = fails("/version", Answer::Raw(b"SSH-2.0-OpenSSH\r\n")).await;
    assert_eq!(no_http.class, FailureClass::BadAnswer, "{no_http}");
}

#[tokio::test]
async fn no_engine_is_unreachable_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.sock");
    let mut docker = open(&format!("unix://{}", path.display()));
    let nothing = docker.poll(&mut testing::batch()).await.unwrap_err();
    assert_eq!(nothing.class, FailureClass::Unreachable);
    assert!(
        nothing.message.contains("none.sock") && nothing.message.contains("running?"),
        "{nothing}"
    );
    let mut docker = open("tcp://127.0.0.1:1");
    let refused = docker.poll(&mut testing::batch()).await.unwrap_err();
    assert_eq!(refused.class, FailureClass::Unreachable, "{refused}");
}

#[tokio::test]
async fn a_stream_of_nonsense_or_without_an_end_is_opened_again() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    connect(&mut docker, &fake).await;
    fake.tell_raw("{\"Type\": \"never heard of\"}\n").await;
    let again = async |docker: &mut Docker| {
        fake.cut_streams();
        for _ in 0..40 {
            listen(docker).await;
            if fake.streams() > 0 && docker.stream.is_some() {
                return;
            }
        }
        panic!("the stream is not opened again");
    };
    again(&mut docker).await;
    let long = "x".repeat(64 * 1024);
    for _ in 0..64 {
        fake.tell_raw(&long).await;
        listen_briefly(&mut docker).await;
        if docker.stream.is_none() {
            break;
        }
    }
    assert!(docker.stream.is_none(), "a line of 4 MiB is not taken");
    fake.forget_history();
    again(&mut docker).await;
    docker.since_nanos = START;
    fake.tell(START + 9_000_000, "aaaaaaaaaaaaaaaa", "pause", json!({}))
        .await;
    let (told, _) = listen(&mut docker).await;
    assert_eq!(changes(&told), [("web", "pause", "paused")]);
}

async fn listen_briefly(docker: &mut Docker) {
    let mut batch = Batch::live();
    drop(tokio::time::timeout(Duration::from_millis(5), docker.listen(&mut batch)).await);
}

#[tokio::test]
async fn one_container_that_cannot_be_read_does_not_hide_the_others() {
    let fake = web_runs();
    fake.set(|state| {
        state
            .containers
            .push(container("dddd", "odd", "x", "running", 7));
        state.stats.insert("dddd".to_owned(), json!({"read": 7}));
    });
    let mut docker = open(&fake.url());
    let told = poll(&mut docker).await;
    assert!(of(&told, "web").fields.get("memory_used_bytes").is_some());
    assert_eq!(text(of(&told, "odd"), "state"), "running");
    fake.set(|state| {
        state.stats.insert("aaaaaaaaaaaaaaaa".to_owned(), json!([]));
    });
    let none = docker.poll(&mut testing::batch()).await.unwrap_err();
    assert_eq!(none.class, FailureClass::BadAnswer);
}

#[tokio::test]
async fn no_more_than_a_thousand_containers_are_told() {
    let fake = Fake::start();
    fake.set(|state| {
        state.containers = (0..1500)
            .map(|n| {
                container(
                    &format!("{n:064}"),
                    &format!("c{n}"),
                    "x",
                    if n % 2 == 0 { "exited" } else { "dead" },
                    n,
                )
            })
            .collect();
        state.containers[1400]["State"] = json!("running");
    });
    let mut docker = open(&fake.url());
    let told = poll(&mut docker).await;
    let containers = told
        .iter()
        .filter(|e| e.entity.entity_type.as_str() == "container")
        .count();
    assert_eq!(containers, MOST);
    assert_eq!(text(of(&told, "c1400"), "state"), "running");
}

/// A poll that is cut must not leave anything behind that breaks the next one.
#[tokio::test]
async fn an_engine_that_falls_silent_is_read_again_when_it_is_back() {
    let fake = web_runs();
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    fake.instead("/stats", Answer::Silence);
    let mut batch = testing::batch();
    let cut = tokio::time::timeout(Duration::from_millis(200), docker.poll(&mut batch)).await;
    assert!(cut.is_err());
    fake.set(|state| state.instead.clear());
    assert!(
        of(&poll(&mut docker).await, "web")
            .fields
            .get("memory_used_bytes")
            .is_some()
    );
}
