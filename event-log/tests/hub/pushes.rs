//! The hub as a destination, against a server that answers as a test wants: over a real connection, gzip and all.

use std::{
    io::Read,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use event_log::{
    Destination, DestinationError,
    http::{Hub, Options},
};
use http_client::Tls;
use schemas::{
    Entity, Epoch, Event, EventType, FieldValue, Fields, SourceName, Timestamp,
    name::{EntityId, EntityType, SourceKind},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

type Answer = (u16, &'static str, String);
type Rule = Box<dyn FnMut(&str, &[Value]) -> Answer + Send>;

struct Server {
    address: SocketAddr,
    /// Bytes of JSON of each push.
    pushes: Arc<Mutex<Vec<usize>>>,
    /// Every line that was taken with 200.
    taken: Arc<Mutex<Vec<Value>>>,
}

async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

impl Server {
    async fn start(rule: Rule) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (pushes, taken) = (Arc::new(Mutex::default()), Arc::new(Mutex::default()));
        let server = Self {
            address,
            pushes: Arc::clone(&pushes),
            taken: Arc::clone(&taken),
        };
        let mut rule = rule;
        let serving = async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                while let Some((head, body)) = request(&mut stream).await {
                    assert!(
                        head.contains("authorization: bearer hlt_secret\r\n"),
                        "{head}"
                    );
                    let path = head.split(' ').nth(1).unwrap().to_owned();
                    let mut lines = Vec::new();
                    if head.contains("content-encoding: gzip") {
                        assert!(
                            head.contains("content-type: application/x-ndjson"),
                            "{head}"
                        );
                        let mut text = String::new();
                        flate2::read::GzDecoder::new(&*body)
                            .read_to_string(&mut text)
                            .unwrap();
                        pushes.lock().unwrap().push(text.len());
                        lines = text
                            .lines()
                            .map(|line| serde_json::from_str(line).unwrap())
                            .collect();
                    }
                    let (status, extra, text) = rule(&path, &lines);
                    if status == 200 {
                        taken.lock().unwrap().extend(lines);
                    }
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\n{extra}content-length: {}\r\n\r\n{text}",
                        text.len()
                    );
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        };
        #[expect(clippy::disallowed_methods, reason = "a server for one test")]
        tokio::spawn(serving);
        server
    }

    fn hub(&self) -> Hub {
        Hub::open(Options {
            url: format!("http://{}/", self.address),
            token: "hlt_secret".into(),
            tls: Tls::System,
            timeout: Duration::from_secs(10),
        })
        .unwrap()
    }

    fn seqs(&self) -> Vec<u64> {
        let taken = self.taken.lock().unwrap();
        taken
            .iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect()
    }
}

fn accepted(lines: &[Value]) -> Answer {
    let answer =
        json!({"accepted": lines.len(), "duplicates": 0, "rejected": [], "position": "1.0"});
    (200, "", answer.to_string())
}

fn error(status: u16, extra: &'static str, message: &str) -> Answer {
    let answer = json!({"error": {"code": "x", "message": message, "request_id": "r"}});
    (status, extra, answer.to_string())
}

fn events(count: u64, bytes: usize) -> Vec<Arc<Event>> {
    (1..=count)
        .map(|seq| {
            let mut fields = Fields::new();
            fields.set("x", FieldValue::F64(0.1));
            for n in 0..bytes / 4000 {
                let name = schemas::FieldName::new(format!("text{n}")).unwrap();
                fields.set_text(name, &"y".repeat(4000));
            }
            Arc::new(Event {
                source: SourceName::new("nas.host").unwrap(),
                kind: SourceKind::new("host").unwrap(),
                agent: None,
                epoch: Epoch::new("e1").unwrap(),
                seq,
                event_type: EventType::Sample,
                time: Timestamp::from_millis(1_795_406_700_123),
                entity: Entity::new(
                    EntityType::new("host").unwrap(),
                    EntityId::new("nas").unwrap(),
                )
                .with_label("os", "linux"),
                fields,
            })
        })
        .collect()
}

#[tokio::test]
async fn events_go_whole_and_in_order() {
    let server = Server::start(Box::new(|path, lines| {
        assert_eq!(path, "/api/v1/events");
        accepted(lines)
    }))
    .await;
    let taken = server.hub().append(events(500, 0)).await.unwrap();
    assert_eq!((taken.appended, taken.duplicates), (500, 0));
    assert_eq!(server.seqs(), (1..=500).collect::<Vec<_>>());
    assert_eq!(
        server.taken.lock().unwrap()[0],
        json!({
            "source": "nas.host", "kind": "host", "type": "sample", "time": 1_795_406_700_123_i64,
            "entity": {"type": "host", "id": "nas", "labels": {"os": "linux"}},
            "fields": {"x": 0.1}, "epoch": "e1", "seq": 1,
        })
    );
}

#[tokio::test]
async fn a_body_is_bounded_however_large_the_events_are() {
    let server = Server::start(Box::new(|_, lines| accepted(lines))).await;
    let taken = server.hub().append(events(60, 200_000)).await.unwrap();
    assert_eq!(taken.appended, 60);
    assert_eq!(server.seqs(), (1..=60).collect::<Vec<_>>());
    let pushes = server.pushes.lock().unwrap().clone();
    assert!(
        pushes.len() >= 3 && pushes.iter().all(|bytes| *bytes <= 4 * 1024 * 1024),
        "{pushes:?}"
    );
}

#[tokio::test]
async fn what_a_proxy_finds_too_large_goes_in_halves_and_in_order() {
    let server = Server::start(Box::new(|_, lines| {
        if lines.len() > 3 {
            (413, "", "<html>too large</html>".to_owned())
        } else {
            accepted(lines)
        }
    }))
    .await;
    let taken = server.hub().append(events(20, 0)).await.unwrap();
    assert_eq!((taken.appended, taken.refused.len()), (20, 0));
    assert_eq!(server.seqs(), (1..=20).collect::<Vec<_>>());

    let server = Server::start(Box::new(|_, lines| {
        if lines.iter().any(|line| line["seq"] == 7) {
            (413, "", String::new())
        } else {
            accepted(lines)
        }
    }))
    .await;
    let taken = server.hub().append(events(20, 0)).await.unwrap();
    assert_eq!(taken.appended, 19);
    let [only] = taken.refused.as_slice() else {
        panic!("{taken:?}");
    };
    assert_eq!((only.index, only.code.as_str()), (6, "too_large"));
}

#[tokio::test]
async fn partial_rejections_are_told_with_the_hubs_words() {
    let server = Server::start(Box::new(|_, lines| {
        let answer = json!({
            "accepted": lines.len() - 3, "duplicates": 1, "position": "1.0",
            "rejected": [
                {"index": 4, "code": "invalid_time", "message": "too\nold"},
                {"index": 2, "code": "refused", "message": "no room"},
            ],
        });
        (200, "", answer.to_string())
    }))
    .await;
    let taken = server.hub().append(events(10, 0)).await.unwrap();
    assert_eq!((taken.appended, taken.duplicates), (7, 1));
    let refused: Vec<_> = taken
        .refused
        .iter()
        .map(|r| (r.index, r.code.as_str(), r.message.as_str()))
        .collect();
    assert_eq!(
        refused,
        [(2, "refused", "no room"), (4, "invalid_time", "too old")]
    );

    let server = Server::start(Box::new(|_, lines| {
        let rejected: Vec<_> = (0..lines.len())
            .map(|index| json!({"index": index, "code": "source_claimed", "message": "belongs to agent `pi`"}))
            .collect();
        let answer = json!({
            "error": {"code": "all_rejected", "message": "x", "request_id": "r"},
            "accepted": 0, "duplicates": 0, "rejected": rejected, "position": "1.0",
        });
        (422, "", answer.to_string())
    }))
    .await;
    let e = server.hub().append(events(2, 0)).await.unwrap_err();
    assert!(
        matches!(&e, DestinationError::Claimed { message } if message.contains("`pi`")),
        "{e:?}"
    );
}

#[tokio::test]
async fn what_passes_by_itself_is_waited_for_as_long_as_the_hub_asks() {
    for (status, extra, wait) in [
        (429, "retry-after: 7\r\n", Some(7)),
        (503, "retry-after: 1000000\r\n", Some(600)),
        (503, "", None),
        (507, "", None),
        (502, "retry-after: soon\r\n", None),
    ] {
        let rule: Rule = Box::new(move |_, _| error(status, extra, "the disk is full"));
        let server = Server::start(rule).await;
        let e = server.hub().append(events(2, 0)).await.unwrap_err();
        let DestinationError::Away {
            message,
            retry_after,
        } = &e
        else {
            panic!("{status}: {e:?}");
        };
        assert_eq!(*retry_after, wait.map(Duration::from_secs), "{status}");
        assert!(message.contains("the disk is full"), "{message}");
    }
}

#[tokio::test]
async fn what_needs_a_person_is_told_in_one_line_without_the_token() {
    for (status, extra, words) in [
        (401, "", "homelog token create --agent"),
        (403, "", "token of an agent"),
        (404, "", "address"),
        (409, "", "409"),
        (400, "", "400"),
        (
            302,
            "location: https://elsewhere.test/\r\n",
            "https://elsewhere.test/",
        ),
    ] {
        let rule: Rule = Box::new(move |_, _| error(status, extra, "bad\u{1b}[2J luck"));
        let server = Server::start(rule).await;
        let hub = server.hub();
        let shown = format!("{hub:?}");
        for e in [
            hub.append(events(2, 0)).await.unwrap_err(),
            hub.last_seqs(&[]).await.unwrap_err(),
            hub.claim(&[], false).await.unwrap_err(),
        ] {
            let DestinationError::Denied { message } = &e else {
                panic!("{status}: {e:?}");
            };
            assert!(message.contains(words), "{status}: {message}");
            assert!(
                !message.contains("hlt_secret") && !message.chars().any(char::is_control),
                "{message}"
            );
            assert!(message.contains(&server.address.to_string()), "{message}");
        }
        assert!(!shown.contains("hlt_secret"), "{shown}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_add_up_is_not_believed() {
    for answer in [
        json!({"accepted": 1, "duplicates": 0, "rejected": []}),
        json!({"accepted": 1, "duplicates": 0, "rejected": [{"index": 9, "code": "x", "message": "x"}]}),
        json!({"accepted": -1}),
        json!("hello"),
    ] {
        let text = answer.to_string();
        let rule: Rule = Box::new(move |_, _| (200, "", text.clone()));
        let server = Server::start(rule).await;
        let e = server.hub().append(events(2, 0)).await.unwrap_err();
        assert!(
            matches!(e, DestinationError::Away { .. }),
            "{answer}: {e:?}"
        );
    }
}

#[tokio::test]
async fn sequences_are_read_back_for_the_sources_that_are_asked_for() {
    let server = Server::start(Box::new(|path, _| {
        assert_eq!(path, "/api/v1/agents/self/sequences");
        let answer = json!({"agent": "nas", "sequences": [
            {"source": "nas.host", "epoch": "e1", "last_seq": 9, "holes": [[2, 3]]},
            {"source": "other", "epoch": "e1", "last_seq": "12", "holes": []},
        ]});
        (200, "", answer.to_string())
    }))
    .await;
    let wanted = [SourceName::new("nas.host").unwrap()];
    let states = server.hub().last_seqs(&wanted).await.unwrap();
    let [only] = states.as_slice() else {
        panic!("{states:?}");
    };
    assert_eq!((only.last_seq, only.holes.as_slice()), (9, &[(2, 3)][..]));
}
