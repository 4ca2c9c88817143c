//! Live tails on the real binary: cut and resumed, and joined with history.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value that is not there is null"
)]

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use homelog_tests::{
    lab::Lab,
    load::{Load, TYPE},
    sse::{Message, Stream},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

const CONFIG: &str = "[[source]]\nname = \"here\"\nkind = \"host\"\ninterval = \"1h\"\n";
const PATIENCE: Duration = Duration::from_secs(20);

fn seq_of(message: &Message) -> Result<u64> {
    let event: Value = serde_json::from_str(&message.data)?;
    event["seq"].as_u64().context("seq")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_cut_and_comes_back_gets_each_event_once_in_order() -> Result<()> {
    let mut lab = Lab::start(CONFIG).await?;
    let load = Load::start(&lab.url(""), lab.token(), 1, 1)?;
    let mut random = StdRng::seed_from_u64(7);
    let mut next = 1_u64;
    let mut last_id = String::new();
    for cut in 0..30 {
        let mut request = lab.get("/api/v1/live?source=load-0");
        if cut == 0 {
            // from the beginning of the log
            request = lab.get("/api/v1/live?source=load-0&from=1.0");
        } else {
            request = request.header("last-event-id", &last_id);
        }
        let mut stream = Stream::new(request.timeout(Duration::from_mins(2)).send().await?)?;
        for _ in 0..random.random_range(1..200) {
            let message = stream.next(PATIENCE).await?;
            ensure!(message.event == "sample", "{message:?}");
            let seq = seq_of(&message)?;
            ensure!(
                seq == next,
                "after cut {cut}: seq {seq} came instead of {next}"
            );
            next += 1;
            last_id = message.id;
        }
    }
    load.finish().await?;
    ensure!(next > 1_000, "only {next} events came over 30 cuts");
    ensure!(lab.stop().await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_joins_the_tail_without_gap_or_double_a_hundred_times() -> Result<()> {
    let mut lab = Lab::start(CONFIG).await?;
    let load = Load::start(&lab.url(""), lab.token(), 1, 2)?;
    let mut random = StdRng::seed_from_u64(11);
    let started = schemas::Timestamp::now().as_millis();
    let key = format!("load-0/{TYPE}/p3");
    for join in 0..100 {
        tokio::time::sleep(Duration::from_millis(random.random_range(1..60))).await;
        let (from, to) = (started - 7_200_000, started + 7_200_000);
        let history = lab
            .json(&format!(
                "/api/v1/range?entity={key}&field=value&step=raw&from={from}&to={to}"
            ))
            .await?;
        let position = history["position"].as_str().context("position")?.to_owned();
        let mut times: Vec<i64> = match history["series"].as_array().context("series")?.first() {
            Some(series) => series["times"]
                .as_array()
                .context("times")?
                .iter()
                .filter_map(Value::as_i64)
                .collect(),
            None => Vec::new(),
        };
        let known = times.len();
        let answer = lab
            .get(&format!("/api/v1/live?entity={key}&from={position}"))
            .timeout(Duration::from_mins(2))
            .send()
            .await?;
        let mut stream = Stream::new(answer)?;
        for _ in 0..5 {
            let event: Value = serde_json::from_str(&stream.next(PATIENCE).await?.data)?;
            let time = event["time"].as_str().context("time")?;
            times.push(schemas::Timestamp::parse(time, schemas::Timestamp::now())?.as_millis());
        }
        // the pusher sends this entity every seventh millisecond of its own time: each gap or double shows
        for pair in times.windows(2) {
            let [earlier, later] = pair else { continue };
            ensure!(
                later - earlier == 7,
                "join {join} with {known} points of history: {earlier} is followed by {later}"
            );
        }
    }
    load.finish().await?;
    ensure!(lab.stop().await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_with_live_clients_takes_less_than_five_seconds_and_keeps_what_was_acknowledged()
-> Result<()> {
    let mut lab = Lab::start(CONFIG).await?;
    let load = Load::start(&lab.url(""), lab.token(), 2, 3)?;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(Stream::new(
            lab.get("/api/v1/live")
                .timeout(Duration::from_mins(2))
                .send()
                .await?,
        )?);
    }
    for stream in &mut streams {
        stream.next(PATIENCE).await?;
    }
    ensure!(lab.stop().await?.success(), "{}", lab.output());
    lab.spawn()?;
    lab.wait_ready().await?;
    let acknowledged = load.finish().await?;
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for source in acknowledged.keys() {
        let mut path = format!("/api/v1/events?source={source}&limit=10000");
        loop {
            let page = lab.json(&path).await?;
            *found.entry(source.clone()).or_default() +=
                page["events"].as_array().context("events")?.len() as u64;
            if page["more"] != true {
                break;
            }
            path = format!(
                "/api/v1/events?source={source}&limit=10000&after={}",
                page["next"].as_str().context("next")?
            );
        }
    }
    for (source, sent) in &acknowledged {
        ensure!(
            found.get(source) == Some(&(sent.len() as u64)),
            "{source}: {found:?} instead of {}",
            sent.len()
        );
    }
    ensure!(lab.stop().await?.success());
    Ok(())
}
