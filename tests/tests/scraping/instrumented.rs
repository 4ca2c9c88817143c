//! A program whose metrics never change, so that what they come to can be written down.

use anyhow::{Result, ensure};
use homelog_tests::{lab::Lab, simulator::client};
use schemas::Timestamp;
use serde_json::{Value, json};
use test_servers::Prometheus;

use crate::{
    series::read,
    told::{Poll, poll_after},
};

/// Entity, field, value. What the text format would tell instead (an entity `door=open`, and `orders_created`) is not there.
const EXPECTED: &[(&str, &str, f64)] = &[
    ("program", "delivery_seconds_bucket_1_total", 1.0),
    ("program", "delivery_seconds_bucket_30_total", 3.0),
    ("program", "delivery_seconds_bucket_5_total", 3.0),
    ("program", "delivery_seconds_count_total", 4.0),
    ("program", "delivery_sum_seconds_total", 68.5),
    ("program", "door_closed", 1.0),
    ("program", "door_open", 0.0),
    ("program", "free_bytes", 1_572_864.0),
    ("program", "packing_minutes_count_total", 2.0),
    ("program", "packing_sum_seconds_total", 360.0),
    ("program", "sent_bytes_total", 9_007_199_254_740_992.0),
    ("program", "tank_litres", -12.5),
    ("shop=north", "orders_total", 7.0),
    ("shop=so\\,uth", "orders_total", 1.5),
];

/// What Prometheus, which asks for `OpenMetrics` too, has of some of them.
const READ: &[(&str, f64)] = &[
    ("delivery_seconds_sum", 68.5),
    ("delivery_seconds_bucket{le=\"5.0\"}", 3.0),
    ("orders_total{shop=\"so,uth\"}", 1.5),
    ("packing_minutes_sum", 6.0),
    ("sent_bytes_total", 9_007_199_254_740_992.0),
    ("tank_litres", -12.5),
];

pub(crate) async fn is_told_as_it_was_written(lab: &Lab, prometheus: &Prometheus) -> Result<()> {
    let now = Timestamp::now();
    let Poll { by_id, target, .. } = poll_after(lab, "program", now.plus_millis(-5_000)).await?;
    let told: Vec<_> = by_id
        .iter()
        // of the process itself, which lives
        .filter(|((_, field), _)| !field.starts_with("process_"))
        .map(|((id, field), value)| (id.as_str(), field.as_str(), *value))
        .collect();
    ensure!(told == EXPECTED, "{told:#?}");
    let labels = &target["entity"]["labels"];
    ensure!(
        labels["shop_version"] == "1.2" && labels["shop_town"] == "Bad \"Ems\"\\Lahn",
        "{labels}"
    );
    let fields = &target["fields"];
    ensure!(
        fields["garbled_lines_count"] == 0 && fields["series_count"] == by_id.len(),
        "{fields}"
    );
    for (selector, value) in READ {
        let series = read(prometheus, selector, now.plus_millis(-10_000), now).await?;
        let [one] = &series[..] else {
            anyhow::bail!("{} series are {selector}", series.len());
        };
        let same = |(_, read): &(i64, f64)| read.to_bits() == value.to_bits();
        ensure!(
            !one.readings.is_empty() && one.readings.iter().all(same),
            "{selector}"
        );
    }
    speaks_openmetrics_to_whom_it_may(prometheus).await?;
    println!(
        "program: {} values as they were written, {} of them as Prometheus has them",
        EXPECTED.len(),
        READ.len()
    );
    Ok(())
}

/// That both formats were at work here: it answers in the one that is asked for, and `node_exporter` only in one.
async fn speaks_openmetrics_to_whom_it_may(prometheus: &Prometheus) -> Result<()> {
    let asked = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5";
    let targets = crate::series::ask(prometheus, "targets", &[("state", "active")]).await?;
    for target in targets["activeTargets"].as_array().into_iter().flatten() {
        let answer = client()?
            .get(target["scrapeUrl"].as_str().unwrap_or_default())
            .header("accept", asked)
            .send()
            .await?;
        let kind = answer.headers().get("content-type");
        let kind = kind.map_or("", |kind| kind.to_str().unwrap_or_default());
        let job: &Value = &target["labels"]["job"];
        let wanted = if *job == json!("program") {
            "application/openmetrics-text;"
        } else {
            "text/plain;"
        };
        ensure!(kind.starts_with(wanted), "{job} answers as {kind}");
        ensure!(target["health"] == "up", "{target}");
    }
    Ok(())
}
