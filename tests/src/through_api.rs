//! What the public API gives, against what was acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    client::Client,
    load::{Acknowledged, EPOCH, Sent, TYPE},
};

/// The content of an event as the API shows it.
///
/// # Errors
/// A part is missing.
pub fn sent_of(event: &Value) -> Result<Sent> {
    let time = event["time"]
        .as_str()
        .map(ToOwned::to_owned)
        .or_else(|| event["time"].as_i64().map(|t| t.to_string()));
    let time =
        schemas::Timestamp::parse(&time.context("time")?, schemas::Timestamp::now())?.as_millis();
    let count = &event["fields"]["things_count"];
    Ok(Sent {
        id: event["entity"]["id"]
            .as_str()
            .context("entity id")?
            .to_owned(),
        time,
        value: event["fields"]["value"].as_f64().context("value")?,
        count: count
            .as_i64()
            .or_else(|| count.as_str()?.parse().ok())
            .context("count")?,
    })
}

/// Every acknowledged event is in the log once, as it was sent, and no other of its source. Returns the position after them.
///
/// # Errors
/// What differs.
pub async fn events(client: &Client, acknowledged: &Acknowledged) -> Result<String> {
    let mut last = String::new();
    for (source, sent) in acknowledged {
        let mut found = BTreeMap::new();
        let mut path = format!("/api/v1/events?source={source}&limit=10000");
        loop {
            let page = client.json(&path).await?;
            for event in page["events"].as_array().context("events")? {
                ensure!(event["epoch"] == EPOCH, "{event}");
                let seq = event["seq"].as_u64().context("seq")?;
                ensure!(
                    found.insert(seq, sent_of(event)?).is_none(),
                    "{source} seq {seq} is in the log twice"
                );
            }
            page["next"].as_str().context("next")?.clone_into(&mut last);
            if page["more"] != true {
                break;
            }
            path = format!("/api/v1/events?source={source}&limit=10000&after={last}");
        }
        same(source, sent, &found)?;
    }
    Ok(last)
}

/// That what was found is what was sent.
///
/// # Errors
/// What differs.
pub fn same(source: &str, sent: &BTreeMap<u64, Sent>, found: &BTreeMap<u64, Sent>) -> Result<()> {
    for (seq, event) in sent {
        let stored = found
            .get(seq)
            .with_context(|| format!("{source} seq {seq} was acknowledged and is not there"))?;
        ensure!(
            stored == event && stored.value.to_bits() == event.value.to_bits(),
            "{source} seq {seq}: sent {event:?}, found {stored:?}"
        );
    }
    let extra: Vec<_> = found.keys().filter(|seq| !sent.contains_key(seq)).collect();
    ensure!(
        extra.is_empty(),
        "{source} has events that were never acknowledged though every push was: {extra:?}"
    );
    Ok(())
}

/// Waits until the store reflects a position.
///
/// # Errors
/// It does not in time.
pub async fn caught_up(client: &Client, position: &str) -> Result<()> {
    let target: schemas::Position = position.parse()?;
    for _ in 0..300 {
        let answer = client.json("/api/v1/entities?type=probe").await?;
        let at: schemas::Position = answer["position"].as_str().context("position")?.parse()?;
        if at.reaches(&target) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the store did not catch up with {position} in 30 s")
}

/// Every acknowledged event is a point of the store with equal values, and there are no more.
///
/// # Errors
/// What differs.
pub async fn points(client: &Client, acknowledged: &Acknowledged) -> Result<()> {
    for (source, sent) in acknowledged {
        let mut expected: BTreeMap<&str, BTreeMap<i64, &Sent>> = BTreeMap::new();
        for event in sent.values() {
            expected
                .entry(&event.id)
                .or_default()
                .insert(event.time, event);
        }
        for (id, points) in expected {
            let key = format!("{source}/{TYPE}/{id}");
            let (from, to) = (
                points.keys().next().context("first")?,
                points.keys().last().context("last")? + 1,
            );
            let path = format!(
                "/api/v1/range?entity={key}&field=value,things_count&step=raw&from={from}&to={to}"
            );
            let answer = client.json(&path).await?;
            let mut checked = 0;
            for series in answer["series"].as_array().context("series")? {
                let field = series["field"].as_str().context("field")?;
                let times = series["times"].as_array().context("times")?;
                let values = series["values"].as_array().context("values")?;
                ensure!(
                    times.len() == points.len(),
                    "{key} {field}: {} points, {} were acknowledged",
                    times.len(),
                    points.len()
                );
                for ((time, value), (expected_time, event)) in times.iter().zip(values).zip(&points)
                {
                    ensure!(
                        time.as_i64() == Some(*expected_time),
                        "{key} {field}: {time} instead of {expected_time}"
                    );
                    let equal = match field {
                        "value" => value
                            .as_f64()
                            .is_some_and(|v| v.to_bits() == event.value.to_bits()),
                        _ => value.as_i64() == Some(event.count),
                    };
                    ensure!(
                        equal,
                        "{key} {field} at {time}: {value}, sent was {event:?}"
                    );
                }
                checked += 1;
            }
            ensure!(checked == 2, "{key} has {checked} series instead of 2");
        }
    }
    Ok(())
}

/// The own events of the source `here`: whatever its collector appended has no hole.
///
/// # Errors
/// There are none, one is missing, or one is there twice.
pub async fn own_source_without_hole(client: &Client) -> Result<()> {
    let mut seen: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = client
            .json(&format!("/api/v1/events?source=here&limit=10000{after}"))
            .await?;
        for event in page["events"].as_array().context("events")? {
            let epoch = event["epoch"].as_str().context("epoch")?;
            let seq = event["seq"].as_u64().context("seq")?;
            ensure!(
                seen.entry(epoch.to_owned()).or_default().insert(seq),
                "seq {seq} of {epoch} twice"
            );
        }
        after = format!("&after={}", page["next"].as_str().context("next")?);
        if page["more"] != true {
            break;
        }
    }
    ensure!(!seen.is_empty(), "the host source wrote nothing");
    for (epoch, seqs) in seen {
        let last = *seqs.last().context("no seq")?;
        ensure!(
            seqs.len() as u64 == last,
            "epoch {epoch}: {} events up to seq {last}",
            seqs.len()
        );
    }
    Ok(())
}
