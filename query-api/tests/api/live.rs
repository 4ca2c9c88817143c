use std::time::Duration;

use event_log::{EventLog, Retention};
use reqwest::StatusCode;
use schemas::{Timestamp, api::EventsAnswer};
use serde_json::Value;

use crate::lab::{Lab, Sse, options, sample};

#[tokio::test]
async fn events_come_with_their_type_and_position() {
    let lab = Lab::start().await;
    let mut live = lab.live("").await;
    assert_eq!(live.block().await.unwrap().comment, "live");
    let mut change = sample("probe", "x", 2.0);
    change["type"] = "change".into();
    let answer = lab.push(&[sample("probe", "x", 1.0), change]).await;
    let first = live.next().await;
    assert_eq!(first.event, "sample");
    assert_eq!(first.data["fields"]["value"], 1.0);
    assert_eq!(first.data["position"], first.id);
    let second = live.next().await;
    assert_eq!(second.event, "change");
    assert_eq!(second.id, answer.position);
}

#[tokio::test]
async fn a_client_that_is_cut_gets_each_event_once_in_order() {
    for partitions in [1, 3] {
        let lab = Lab::start_with(partitions, &[], true, options()).await;
        let begin = schemas::Position::start(partitions);
        let path = format!("/api/v1/live?source=probe&from={begin}");
        let mut last: Option<String> = None;
        let mut seen = Vec::new();
        let mut sent = 0_u32;
        for cut in 0..12 {
            let request = match &last {
                // what the URL asks for is beaten by where the client was
                Some(id) => lab.get(&path).header("last-event-id", id),
                None => lab.get(&path),
            };
            let events: Vec<Value> = (0..20)
                .flat_map(|i| {
                    [
                        sample("probe", "x", f64::from(sent + i)),
                        sample(&format!("noise-{i}"), "x", 0.0),
                    ]
                })
                .collect();
            sent += 20;
            lab.push(&events).await;
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let mut live = Sse::new(answer);
            for _ in 0..(3 + cut % 5 * 4) {
                if seen.len() >= sent as usize {
                    break;
                }
                let message = live.next().await;
                seen.push(message.data["seq"].as_u64().unwrap());
                last = Some(message.id);
            }
        }
        let expected: Vec<u64> = (1..=seen.len() as u64).collect();
        assert!(seen.len() > 100, "only {} events came", seen.len());
        assert_eq!(seen, expected, "with {partitions} partitions");
    }
}

#[tokio::test]
async fn filters_hold_and_heartbeats_come() {
    let mut quick = options();
    quick.heartbeat = Duration::from_millis(100);
    let lab = Lab::start_with(1, &[], true, quick).await;
    let mut live = lab.live("?entity=probe/thing/y").await;
    lab.push(&[sample("probe", "x", 1.0), sample("probe", "y", 2.0)])
        .await;
    assert_eq!(live.next().await.data["fields"]["value"], 2.0);
    assert_eq!(live.block().await.unwrap().comment, "alive");
    let (status, error) = lab.error("/api/v1/live?what=ever").await;
    assert_eq!(
        (status, error.code.as_str()),
        (StatusCode::BAD_REQUEST, "unknown_parameter")
    );
}

#[tokio::test]
async fn a_position_that_is_gone_is_said_at_the_opening() {
    let lab = Lab::start().await;
    lab.push(&[sample("probe", "x", 1.0), sample("probe", "x", 2.0)])
        .await;
    let old: EventsAnswer = lab.json("/api/v1/events?limit=1").await;
    lab.push(&[sample("probe", "x", 3.0)]).await;
    let newest = lab.log.newest().borrow().to_string();
    lab.ingested(&newest).await;
    // ingest tells the log now and then what may go; here it is told at once
    lab.log
        .set_consumer_position("ingest", &newest.parse().unwrap())
        .await
        .unwrap();
    let retention = Retention {
        before: Some(Timestamp::now().plus_millis(60_000)),
        max_bytes: None,
    };
    assert!(lab.log.trim(&retention).await.unwrap() > 0);
    for position in [old.next.as_str(), "nonsense", "1.zzzz"] {
        let (status, error) = lab.error(&format!("/api/v1/live?from={position}")).await;
        assert_eq!(
            (status, error.code.as_str()),
            (StatusCode::GONE, "position_gone")
        );
        assert!(error.oldest.is_some() && error.newest.as_ref() == Some(&newest));
    }
    let answer = lab
        .get("/api/v1/live")
        .header("last-event-id", &old.next)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::GONE);
}

#[tokio::test]
async fn a_stream_ends_when_its_user_logs_out() {
    let lab = Lab::start().await;
    let mut live = lab.live("").await;
    assert_eq!(live.block().await.unwrap().comment, "live");
    let answer = lab.post("/auth/logout").send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    assert_eq!(live.block().await, None);
}

#[tokio::test]
async fn a_ticket_opens_a_stream_and_only_that() {
    let lab = Lab::start().await;
    let ticket: Value = lab
        .post("/auth/ticket")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let ticket = ticket["ticket"].as_str().unwrap();
    let open = async |path: &str| {
        let path = format!("{path}ticket={ticket}");
        lab.http.get(lab.url(&path)).send().await.unwrap().status()
    };
    assert_eq!(open("/api/v1/range?").await, StatusCode::UNAUTHORIZED);
    assert_eq!(open("/api/v1/live?source=a&").await, StatusCode::OK);
    assert_eq!(
        open("/api/v1/live?source=a&").await,
        StatusCode::OK,
        "its own reconnect"
    );
    assert_eq!(
        open("/api/v1/live?source=b&").await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_user_may_have_so_many_streams() {
    let mut few = options();
    few.max_streams_per_user = 2;
    let lab = Lab::start_with(1, &[], true, few).await;
    let first = lab.live("").await;
    let _second = lab.live("").await;
    let (status, error) = lab.error("/api/v1/live").await;
    assert_eq!(
        (status, error.code.as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "too_many_streams")
    );
    drop(first);
    // the server sees the cut when it writes next
    for i in 0..200 {
        lab.push(&[sample("probe", "x", f64::from(i))]).await;
        if lab.get("/api/v1/live").send().await.unwrap().status() == StatusCode::OK {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place of a stream that was cut did not come back");
}
