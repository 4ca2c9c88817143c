use reqwest::StatusCode;
use schemas::{Timestamp, api::EventsAnswer};
use serde_json::Value;

use crate::lab::{Lab, sample};

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_double() {
    let lab = Lab::start().await;
    lab.push(
        &(0..25)
            .map(|i| sample("probe", "p1", f64::from(i)))
            .collect::<Vec<_>>(),
    )
    .await;
    let mut values = Vec::new();
    let mut path = "/api/v1/events?limit=10".to_owned();
    let mut pages = 0;
    loop {
        let page: EventsAnswer = lab.json(&path).await;
        pages += 1;
        assert!(page.events.len() <= 10);
        values.extend(page.events.iter().map(|e| {
            serde_json::to_value(&e.fields["value"])
                .unwrap()
                .as_f64()
                .unwrap()
        }));
        path = format!("/api/v1/events?limit=10&after={}", page.next);
        if !page.more {
            break;
        }
    }
    assert_eq!(values, (0..25).map(f64::from).collect::<Vec<_>>());
    assert_eq!(pages, 3);
    let page: EventsAnswer = lab.json(&path).await;
    assert!(page.events.is_empty() && !page.more);
}

#[tokio::test]
async fn an_event_has_the_shape_of_the_contract() {
    let lab = Lab::start().await;
    lab.push(&[sample("probe", "a/b", 1.5)]).await;
    let page: Value = lab.json("/api/v1/events").await;
    let event = &page["events"][0];
    let epoch = event["epoch"].as_str().unwrap();
    assert_eq!(event["id"], format!("probe:{epoch}:1"));
    assert_eq!(event["source"], "probe");
    assert_eq!(event["kind"], "push");
    assert_eq!(event["seq"], 1);
    assert_eq!(event["type"], "sample");
    assert_eq!(event["entity"]["key"], "probe/thing/a%2Fb");
    assert_eq!(event["entity"]["type"], "thing");
    assert_eq!(event["entity"]["id"], "a/b");
    assert_eq!(event["entity"]["labels"]["room"], "attic");
    assert_eq!(event["fields"]["value"], 1.5);
    assert_eq!(event["schema"], 1);
    assert_eq!(event["position"], page["next"]);
    for time in ["time", "logged"] {
        let text = event[time].as_str().unwrap();
        assert!(Timestamp::parse(text, Timestamp::now()).is_ok(), "{text}");
    }
}

#[tokio::test]
async fn filters_choose_and_unknown_ones_are_refused() {
    let lab = Lab::start().await;
    let mut change = sample("beta", "x", 3.0);
    change["type"] = "change".into();
    change["entity"]["type"] = "disk".into();
    lab.push(&[sample("alpha", "x", 1.0), sample("alpha", "y", 2.0), change])
        .await;
    for (query, expected) in [
        ("", 3),
        ("source=alpha", 2),
        ("source=alpha,beta", 3),
        ("entity=alpha/thing/y", 1),
        ("entity=alpha/thing/y&entity=alpha/thing/x", 2),
        ("type=disk", 1),
        ("type=change", 1),
        ("event=sample", 2),
        ("from=-1h", 3),
        ("from=-2h&to=-1h", 0),
        ("source=nobody", 0),
    ] {
        let page: EventsAnswer = lab.json(&format!("/api/v1/events?{query}")).await;
        assert_eq!(page.events.len(), expected, "{query}");
        assert!(!page.more);
    }
    for (query, code) in [
        ("sauce=alpha", "unknown_parameter"),
        ("limit=10001", "invalid_parameter"),
        ("limit=0", "invalid_parameter"),
        ("entity=alpha", "invalid_parameter"),
        ("from=soon", "invalid_time"),
        ("event=wish", "invalid_parameter"),
    ] {
        let (status, error) = lab.error(&format!("/api/v1/events?{query}")).await;
        assert_eq!(
            (status, error.code.as_str()),
            (StatusCode::BAD_REQUEST, code),
            "{query}"
        );
        assert!(!error.request_id.is_empty());
    }
}

#[tokio::test]
async fn a_position_that_the_log_does_not_have_is_gone() {
    let lab = Lab::start().await;
    lab.push(&[sample("probe", "p", 1.0)]).await;
    let newest: EventsAnswer = lab.json("/api/v1/events").await;
    for position in ["nonsense", "1.zz", "1.0-0-0", "2.0"] {
        let (status, error) = lab.error(&format!("/api/v1/events?after={position}")).await;
        assert_eq!(
            (status, error.code.as_str()),
            (StatusCode::GONE, "position_gone"),
            "{position}"
        );
        assert_eq!(error.oldest.as_deref(), Some("1.0"));
        assert_eq!(error.newest.as_ref(), Some(&newest.next));
    }
}

#[tokio::test]
async fn ndjson_has_one_event_a_line() {
    let lab = Lab::start().await;
    lab.push(
        &(0..5)
            .map(|i| sample("probe", "p1", f64::from(i)))
            .collect::<Vec<_>>(),
    )
    .await;
    let answer = lab
        .get("/api/v1/events?limit=3")
        .header("accept", "application/x-ndjson")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    assert_eq!(answer.headers()["homelog-more"], "true");
    let next = answer.headers()["homelog-next"]
        .to_str()
        .unwrap()
        .to_owned();
    let text = answer.text().await.unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["position"], next);
}
