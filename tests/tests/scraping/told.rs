//! What Homelog tells of a target.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use homelog_tests::lab::Lab;
use schemas::Timestamp;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);

/// Labels of a series, by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// One poll of a source.
pub(crate) struct Poll {
    pub(crate) time: Timestamp,
    /// By the labels of the series; what is of the target itself has none.
    pub(crate) values: BTreeMap<(Labels, String), f64>,
    /// The same, by the id of the entity.
    pub(crate) by_id: BTreeMap<(String, String), f64>,
    /// Labels of the target, and what is told of the scrape.
    pub(crate) target: Value,
}

pub(crate) async fn events(lab: &Lab, source: &str) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = lab
            .json(&format!(
                "/api/v1/events?source={source}&limit=10000{after}"
            ))
            .await?;
        all.extend(page["events"].as_array().context("events")?.iter().cloned());
        if page["more"] == false {
            return Ok(all);
        }
        after = format!("&after={}", page["next"].as_str().context("next")?);
    }
}

pub(crate) fn time_of(event: &Value) -> Result<Timestamp> {
    let time = event["time"].as_str().context("time")?;
    Ok(Timestamp::parse(time, Timestamp::now())?)
}

fn labels_of(event: &Value) -> Labels {
    let labels = event["entity"]["labels"].as_object().into_iter().flatten();
    labels
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// The newest poll that began before a time, once there is one after another.
pub(crate) async fn poll_after(lab: &Lab, source: &str, time: Timestamp) -> Result<Poll> {
    let end = Instant::now() + PATIENCE;
    loop {
        let events = events(lab, source).await?;
        let mut polls = BTreeMap::<i64, Vec<&Value>>::new();
        for event in events.iter().filter(|event| event["type"] == "sample") {
            let of_a_source = event["entity"]["type"] == "source";
            let began = time_of(event)?;
            if !of_a_source && began >= time {
                polls.entry(began.as_millis()).or_default().push(event);
            }
        }
        // of the last one not all may be there yet
        if polls.len() >= 2
            && let Some((_, events)) = polls.first_key_value()
        {
            return poll(events);
        }
        ensure!(
            Instant::now() < end,
            "no poll of {source}: {}",
            lab.output()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn poll(events: &[&Value]) -> Result<Poll> {
    let mut poll = Poll {
        time: time_of(events.first().context("an event")?)?,
        values: BTreeMap::new(),
        by_id: BTreeMap::new(),
        target: Value::Null,
    };
    for event in events {
        if event["entity"]["type"] == "prometheus_target" {
            poll.target = (*event).clone();
            continue;
        }
        let id = event["entity"]["id"].as_str().context("id")?;
        for (field, value) in event["fields"].as_object().context("fields")? {
            let value = value.as_f64().with_context(|| event.to_string())?;
            let before = poll.values.insert((labels_of(event), field.clone()), value);
            ensure!(before.is_none(), "{id} {field} is told twice");
            poll.by_id.insert((id.to_owned(), field.clone()), value);
        }
    }
    Ok(poll)
}
