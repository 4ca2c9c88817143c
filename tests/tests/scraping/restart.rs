//! `node_exporter` goes and comes back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use homelog_tests::lab::Lab;
use schemas::Timestamp;
use serde_json::Value;
use test_servers::{Prometheus, Scraped};

use crate::{
    series::read,
    told::{events, time_of},
};

const PATIENCE: Duration = Duration::from_mins(1);

/// The newest event that tells how the source does, once it tells what is wanted.
async fn until_up(lab: &Lab, up: bool, after: Timestamp) -> Result<Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        let events = events(lab, "node").await?;
        let last = events.iter().rfind(|event| event["type"] == "source");
        if let Some(event) = last
            && event["fields"]["up"] == up
            && time_of(event)? >= after
        {
            return Ok(event.clone());
        }
        ensure!(Instant::now() < end, "never {up}: {last:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// There is a down that says why and an up, nothing is told in between, and Prometheus saw the same.
pub(crate) async fn is_seen(lab: &Lab, prometheus: &Prometheus, node: &mut Scraped) -> Result<()> {
    let killed = Timestamp::now();
    node.kill()?;
    let gone = Timestamp::now();
    let down = until_up(lab, false, killed).await?;
    ensure!(down["fields"]["class"] == "unreachable", "{down}");
    let reason = down["fields"]["reason"].as_str().context("reason")?;
    ensure!(reason.contains("9100"), "{reason}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let begun = Timestamp::now();
    node.restart()?;
    let up = until_up(lab, true, begun).await?;

    let between = |time: Timestamp| time > gone && time < begun;
    let told = events(lab, "node").await?;
    let mut after = 0;
    for event in told.iter().filter(|event| event["type"] == "sample") {
        let time = time_of(event)?;
        let of_the_source = event["entity"]["type"] == "source";
        ensure!(of_the_source || !between(time), "{event}");
        after += usize::from(!of_the_source && time >= begun);
    }
    ensure!(after > 0, "nothing is told since it is up again");
    let seen = read(prometheus, "up{job=\"node\"}", killed, Timestamp::now()).await?;
    let [seen] = &seen[..] else {
        anyhow::bail!("Prometheus does not know node_exporter");
    };
    let zero = |(_, up): &&(i64, f64)| *up < 0.5;
    let downs = seen.readings.iter().filter(zero).count();
    ensure!(downs >= 2, "Prometheus saw it down {downs} times");
    println!(
        "node_exporter: down {} ms after it was killed, up {} ms after it was started; {downs} scrapes of Prometheus failed",
        time_of(&down)?.since(killed),
        time_of(&up)?.since(begun)
    );
    Ok(())
}
