//! Agents, Kafka, ingest workers, InfluxDB, PostgreSQL and APIs as processes of their own: what goes in comes out at every API
//! once and unchanged, while workers come and go.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use homelog_tests::{
    client::Client,
    home::{Home, START},
    load::{Acknowledged, Load, TYPE},
    sse::Stream,
    through_api,
};
use serde_json::Value;

const HOST: &str = "[[source]]\nname = \"here\"\nkind = \"host\"\ninterval = \"1s\"\n";
const SOURCES: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);
/// Between what happens to the workers: time enough for partitions to move.
const PAUSE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_in_comes_out_at_every_api_over_one_partition() -> Result<()> {
    pipeline(1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_in_comes_out_at_every_api_over_three_partitions() -> Result<()> {
    pipeline(3).await
}

async fn pipeline(partitions: usize) -> Result<()> {
    let home = Home::new(partitions)?;
    let mut agent = home.collect("agent", HOST)?;
    let mut first = home.ingest("worker-1")?;
    let mut second = home.ingest("worker-2")?;
    let (mut api, url) = home.api("api-1")?;
    let client = home.log_in(&mut api, &url).await?;
    let (mut other_api, other_url) = home.api("api-2")?;
    let other = client.at(&other_url);
    other
        .wait_ready(START)
        .await
        .with_context(|| other_api.last_words())?;

    let live = Stream::new(
        other
            .get("/api/v1/live?source=load-0")
            .timeout(Duration::from_mins(5))
            .send()
            .await?,
    )?;
    let load = Load::start(&url, client.token(), SOURCES, 5)?;

    // partitions move three times under load: to one that comes, from one that is killed, from one that goes in peace
    tokio::time::sleep(PAUSE).await;
    let mut third = home.ingest("worker-3")?;
    tokio::time::sleep(PAUSE).await;
    first.kill()?;
    tokio::time::sleep(PAUSE).await;
    second.stop()?;
    tokio::time::sleep(PAUSE).await;
    let acknowledged = load.finish().await?;
    let sent: usize = acknowledged.values().map(BTreeMap::len).sum();
    println!("{sent} events over {partitions} partitions");
    ensure!(sent > 2_000, "only {sent} events");

    for reader in [&client, &other] {
        let position = through_api::events(reader, &acknowledged).await?;
        through_api::caught_up(reader, &position)
            .await
            .with_context(|| third.last_words())?;
        through_api::points(reader, &acknowledged).await?;
        through_api::own_source_without_hole(reader).await?;
        observed_host(reader).await?;
    }
    follows(live, &acknowledged).await?;
    let points = home.points(TYPE, "value").await?;
    ensure!(
        points == sent as u64,
        "{points} points in InfluxDB of {sent} events"
    );
    for role in [&mut agent, &mut third, &mut api, &mut other_api] {
        role.lives()?;
        role.stop()?;
    }
    Ok(())
}

/// A stream that was open all the time has each event of its source once, in order.
async fn follows(mut live: Stream, acknowledged: &Acknowledged) -> Result<()> {
    let sent = acknowledged.get("load-0").context("load-0")?;
    let mut came: BTreeMap<u64, String> = BTreeMap::new();
    for seq in sent.keys() {
        let message = live.next(PATIENCE).await?;
        let event: Value = serde_json::from_str(&message.data)?;
        let found = event
            .pointer("/seq")
            .and_then(Value::as_u64)
            .context("seq")?;
        ensure!(
            found == *seq,
            "seq {seq} should come, {found} came at {}; {}",
            message.id,
            match came.get(&found) {
                Some(position) => format!("it was there already, at {position}"),
                None => "what is between is missing".to_owned(),
            }
        );
        came.insert(found, message.id);
    }
    Ok(())
}

/// The agent's own readings are there too.
async fn observed_host(client: &Client) -> Result<()> {
    let answer = client
        .json("/api/v1/entities?source=here&type=host")
        .await?;
    let memory = answer.pointer("/entities/0/fields/memory_used_bytes/value");
    ensure!(
        memory
            .and_then(Value::as_u64)
            .is_some_and(|bytes| bytes > 0),
        "no memory of the host: {answer}"
    );
    Ok(())
}
