use std::io::Write;

use reqwest::StatusCode;
use schemas::api::{EventsAnswer, PushAnswer};
use serde_json::{Value, json};

use crate::lab::{Lab, sample};

async fn post(lab: &Lab, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
    let answer = lab.post("/api/v1/events").body(body).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn an_object_an_array_and_lines_are_taken() {
    let lab = Lab::start().await;
    let one = sample("probe", "p", 1.0).to_string();
    for (body, accepted) in [
        (one.clone(), 1),
        (format!("[{one},{one}]"), 2),
        (format!("{one}\n{one}\n{one}\n"), 3),
        ("[]".to_owned(), 0),
    ] {
        let (status, answer) = post(&lab, body.clone()).await;
        assert_eq!(status, StatusCode::OK, "{body}: {answer}");
        assert_eq!(answer["accepted"], accepted);
        assert_eq!(answer["rejected"], json!([]));
    }
    let page: EventsAnswer = lab.json("/api/v1/events").await;
    assert_eq!(
        page.events.iter().map(|e| e.seq).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
}

#[tokio::test]
async fn a_retry_is_the_same_event() {
    let lab = Lab::start().await;
    let batch: Vec<Value> = (1..=10)
        .map(|seq| {
            let mut event = sample("meter", "p", f64::from(seq));
            event["epoch"] = "e1".into();
            event["seq"] = seq.into();
            event
        })
        .collect();
    let first: PushAnswer = lab.push(&batch[..6]).await;
    assert_eq!((first.accepted, first.duplicates), (6, 0));
    let second: PushAnswer = lab.push(&batch).await;
    assert_eq!((second.accepted, second.duplicates), (4, 6));
    let page: EventsAnswer = lab.json("/api/v1/events").await;
    assert_eq!(page.events.len(), 10);
    assert_eq!(page.events[9].id, "meter:e1:10");
    assert_eq!(page.next, second.position);
}

#[tokio::test]
async fn one_bad_item_does_not_spoil_the_others() {
    let lab = Lab::start_claiming(&["this.host"]).await;
    let mut no_source = sample("probe", "p", 1.0);
    no_source.as_object_mut().unwrap().remove("source");
    let mut null = sample("probe", "p", 1.0);
    null["fields"]["broken"] = Value::Null;
    let mut no_fields = sample("probe", "p", 1.0);
    no_fields["fields"] = json!({});
    let mut typo = sample("probe", "p", 1.0);
    typo["entity"]["ids"] = "x".into();
    let mut seq = sample("probe", "p", 1.0);
    seq["seq"] = 4.into();
    let mut ancient = sample("probe", "p", 1.0);
    ancient["time"] = 5.into();
    let mut conflict = sample("probe", "p", 1.0);
    conflict["fields"]["value"] = "text".into();
    let batch = [
        sample("probe", "p", 1.0),
        no_source,
        null,
        no_fields,
        typo,
        seq,
        ancient,
        conflict,
        sample("this.host", "p", 1.0),
        json!(7),
        sample("probe", "p", 2.0),
    ];
    let answer = lab.push(&batch).await;
    assert_eq!((answer.accepted, answer.duplicates), (2, 0));
    let refused: Vec<_> = answer
        .rejected
        .iter()
        .map(|r| (r.index, r.code.as_str()))
        .collect();
    assert_eq!(
        refused,
        [
            (1, "invalid_event"),
            (2, "invalid_event"),
            (3, "no_fields"),
            (4, "invalid_event"),
            (5, "invalid_identity"),
            (6, "invalid_event"),
            (7, "type_conflict"),
            (8, "source_claimed"),
            (9, "invalid_event"),
        ]
    );
    let message = |i: usize| answer.rejected[i].message.as_str();
    assert!(message(0).contains("source"), "{}", message(0));
    assert!(message(1).contains("broken"), "{}", message(1));
    assert!(message(3).contains("entity"), "{}", message(3));
    assert!(message(5).contains("time"), "{}", message(5));
}

#[tokio::test]
async fn a_push_of_nothing_but_bad_items_is_unprocessable() {
    let lab = Lab::start().await;
    let (status, answer) = post(&lab, "[{},{}]").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["error"]["code"], "all_rejected");
    assert_eq!(answer["rejected"].as_array().unwrap().len(), 2);
    let (status, answer) = post(&lab, "hello").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(answer["error"]["code"], "invalid_json");
}

#[tokio::test]
async fn gzip_is_understood_and_bounded() {
    let lab = Lab::start().await;
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let send = async |body: Vec<u8>, encoding: &str| {
        let answer = lab
            .post("/api/v1/events")
            .header("content-encoding", encoding)
            .body(body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        (status, answer.json::<Value>().await.unwrap())
    };
    let one = sample("probe", "p", 1.0).to_string();
    let (status, answer) = send(gzip(one.as_bytes()), "gzip").await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(1)));
    let (status, answer) = send(gzip(&vec![b' '; schemas::limits::PUSH_BYTES + 1]), "gzip").await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    let (status, answer) = send(one.clone().into_bytes(), "gzip").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_gzip"))
    );
    let (status, _) = send(one.into_bytes(), "br").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_viewer_may_not_push() {
    let lab = Lab::start().await;
    let viewer = lab.token_of("vera", schemas::api::Role::Viewer).await;
    let answer = lab
        .http
        .post(lab.url("/api/v1/events"))
        .bearer_auth(viewer)
        .json(&sample("probe", "p", 1.0))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let answer = lab
        .http
        .post(lab.url("/api/v1/events"))
        .json(&sample("probe", "p", 1.0))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_a_closed_log_does_not_take_may_be_pushed_again() {
    let lab = Lab::start().await;
    event_log::EventLog::close(&*lab.log).await.unwrap();
    let answer = lab
        .post("/api/v1/events")
        .json(&sample("probe", "p", 1.0))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
}
