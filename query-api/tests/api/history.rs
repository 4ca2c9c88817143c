use reqwest::StatusCode;
use schemas::{
    Timestamp,
    api::{CatalogAnswer, EntitiesAnswer, RangeAnswer, SourcesAnswer},
};
use serde_json::{Value, json};

use crate::lab::{Lab, sample};

/// Ten samples of two things, a second apart, ending a minute ago.
async fn filled() -> (Lab, i64) {
    let lab = Lab::start().await;
    let start = (Timestamp::now().as_millis() / 60_000 - 2) * 60_000;
    let mut events = Vec::new();
    for i in 0..10 {
        for (id, add) in [("a", 0.0), ("b", 100.0)] {
            let mut event = sample("probe", id, f64::from(i) + add);
            event["time"] = (start + i64::from(i) * 1000).into();
            event["fields"]["seen_total"] = json!(i * 10);
            event["fields"]["state"] = json!(if i < 5 { "idle" } else { "busy" });
            events.push(event);
        }
    }
    let answer = lab.push(&events).await;
    lab.ingested(&answer.position).await;
    (lab, start)
}

#[tokio::test]
async fn windows_hold_what_was_sent() {
    let (lab, start) = filled().await;
    let end = start + 15_000;
    let range: RangeAnswer = lab
        .json(&format!(
            "/api/v1/range?entity=probe/thing/a&field=value&from={start}&to={end}&step=5&agg=mean,max&agg=count"
        ))
        .await;
    assert_eq!((range.from, range.to), (start, end));
    assert_eq!(range.step, json!(5000));
    let of = |agg: &str| {
        let series = range
            .series
            .iter()
            .find(|s| s.agg.unwrap().as_str() == agg)
            .unwrap();
        assert_eq!(series.times, [start, start + 5000, start + 10_000]);
        assert_eq!(series.labels["room"], "attic");
        serde_json::to_value(&series.values).unwrap()
    };
    assert_eq!(range.series.len(), 3);
    assert_eq!(of("mean"), json!([2.0, 7.0, null]));
    assert_eq!(of("max"), json!([4.0, 9.0, null]));
    let counts = of("count");
    assert_eq!((counts[0].as_i64(), counts[1].as_i64()), (Some(5), Some(5)));
}

#[tokio::test]
async fn raw_gives_every_sample_and_a_step_is_chosen_without_one() {
    let (lab, start) = filled().await;
    let path = format!(
        "/api/v1/range?entity=probe/thing/a&from={start}&to={}",
        start + 60_000
    );
    let raw: RangeAnswer = lab.json(&format!("{path}&step=raw&field=value")).await;
    assert_eq!(raw.step, json!("raw"));
    assert_eq!(raw.series[0].times.len(), 10);
    assert!(raw.series[0].agg.is_none());
    let chosen: RangeAnswer = lab.json(&format!("{path}&field=value")).await;
    assert_eq!(chosen.step, json!(1000));
    assert!(chosen.series[0].times.len() <= 1000);
    let all: RangeAnswer = lab.json(&format!("{path}&step=1h&agg=last")).await;
    let fields: Vec<_> = all.series.iter().map(|s| s.field.as_str()).collect();
    assert_eq!(fields, ["seen_total", "state", "value"]);
}

#[tokio::test]
async fn groups_merge_series_over_entities() {
    let (lab, start) = filled().await;
    let range: RangeAnswer = lab
        .json(&format!(
            "/api/v1/range?type=thing&field=value&group=room&agg=mean,sum&from={start}&to={}&step=10s",
            start + 10_000
        ))
        .await;
    let values: Vec<_> = range
        .series
        .iter()
        .map(|s| {
            (
                s.entity.as_str(),
                s.agg.unwrap().as_str(),
                serde_json::to_value(&s.values).unwrap(),
            )
        })
        .collect();
    assert_eq!(
        values,
        [
            ("attic", "mean", json!([54.5])),
            ("attic", "sum", json!([1090.0]))
        ]
    );
}

#[tokio::test]
async fn csv_is_given_by_accept() {
    let (lab, start) = filled().await;
    let answer = lab
        .get(&format!(
            "/api/v1/range?entity=probe/thing/a&field=value&from={start}&to={}&step=5s",
            start + 15_000
        ))
        .header("accept", "text/csv")
        .send()
        .await
        .unwrap();
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    let text = answer.text().await.unwrap();
    let at = |ms| Timestamp::from_millis(start + ms);
    assert_eq!(
        text,
        format!(
            "time,entity,field,unit,agg,value\r\n{},probe/thing/a,value,none,mean,2\r\n{},probe/thing/a,value,none,mean,7\r\n{},probe/thing/a,value,none,mean,\r\n",
            at(0),
            at(5000),
            at(10_000)
        )
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_said() {
    let (lab, _) = filled().await;
    for (query, code) in [
        ("from=now&to=-1h", "invalid_range"),
        ("step=often", "invalid_step"),
        ("agg=median", "invalid_parameter"),
        ("group=room&agg=last", "invalid_group"),
        ("group=room&step=raw", "invalid_group"),
        ("tz=Mars/Base", "invalid_time_zone"),
        ("from=-1y&step=1s", "range_too_large"),
        ("steps=1", "unknown_parameter"),
    ] {
        let (status, error) = lab.error(&format!("/api/v1/range?{query}")).await;
        assert_eq!(
            (status, error.code.as_str()),
            (StatusCode::BAD_REQUEST, code),
            "{query}"
        );
    }
    let (_, error) = lab.error("/api/v1/range?from=-1y&step=1s").await;
    assert!(error.message.contains("larger step"), "{}", error.message);
}

#[tokio::test]
async fn days_are_those_of_a_time_zone() {
    let (lab, _) = filled().await;
    let range: RangeAnswer = lab
        .json("/api/v1/range?entity=probe/thing/a&field=value&from=-3d&step=1d&tz=Europe/Berlin")
        .await;
    assert_eq!(range.step, json!("1d"));
    for time in &range.series[0].times {
        let local = Timestamp::from_millis(*time).to_string();
        assert!(
            local.ends_with("T23:00:00.000Z") || local.ends_with("T22:00:00.000Z"),
            "{local}"
        );
    }
}

#[tokio::test]
async fn entities_have_their_newest_values_and_those_of_then() {
    let (lab, start) = filled().await;
    let now: EntitiesAnswer = lab.json("/api/v1/entities?type=thing").await;
    let keys: Vec<_> = now.entities.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys, ["probe/thing/a", "probe/thing/b"]);
    let value = |answer: &EntitiesAnswer, field: &str| {
        serde_json::to_value(&answer.entities[0].fields[field]).unwrap()
    };
    assert_eq!(
        value(&now, "value"),
        json!({"value": 9.0, "time": start + 9000})
    );
    assert_eq!(value(&now, "state")["value"], "busy");
    let then: EntitiesAnswer = lab
        .json(&format!(
            "/api/v1/entities?source=probe&at={}",
            start + 2500
        ))
        .await;
    assert_eq!(
        value(&then, "value"),
        json!({"value": 2.0, "time": start + 2000})
    );
    assert_eq!(value(&then, "state")["value"], "idle");
    let none: EntitiesAnswer = lab.json("/api/v1/entities?type=nothing").await;
    assert!(none.entities.is_empty());
}

#[tokio::test]
async fn sources_and_catalogue_tell_what_there_is() {
    let (lab, start) = filled().await;
    let sources: SourcesAnswer = lab.json("/api/v1/sources").await;
    let source = serde_json::to_value(&sources.sources[0]).unwrap();
    assert_eq!(source["name"], "probe");
    assert_eq!(source["state"], "pushed");
    assert_eq!(source["entities"], 2);
    assert_eq!(source["last_event"], start + 9000);
    let catalog: CatalogAnswer = lab.json("/api/v1/catalog").await;
    let find = |field: &str| {
        let metric = catalog
            .metrics
            .iter()
            .find(|m| m.entity_type == "thing" && m.field == field)
            .unwrap();
        serde_json::to_value(metric).unwrap()
    };
    assert_eq!(find("seen_total")["kind"], "counter");
    assert_eq!(find("value")["value"], "float");
    assert_eq!(find("state")["value"], "text");
}

#[tokio::test]
async fn reads_say_when_the_store_is_being_rebuilt() {
    let lab = Lab::start_rebuilding().await;
    for path in ["/api/v1/range", "/api/v1/entities", "/api/v1/sources"] {
        let answer = lab.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.headers().contains_key("retry-after"));
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["error"]["code"], "rebuilding");
    }
    let ready = lab.get("/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let health: Value = lab.json("/health").await;
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["services"]["database"]["status"], "degraded");
    lab.caught_up.send_replace(true);
    assert_eq!(
        lab.get("/api/v1/range").send().await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(
        lab.get("/health/ready").send().await.unwrap().status(),
        StatusCode::OK
    );
}
