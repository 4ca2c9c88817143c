//! Engines that are not there, fall silent, or answer what no engine would.

use super::{containers::MOST, *};

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
