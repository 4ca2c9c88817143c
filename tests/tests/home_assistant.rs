//! A real Home Assistant behind the real binary: its changes come at once, and over a restart of it nothing is missed that it
//! still tells.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value that is not there is null"
)]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use homelog_tests::{lab::Lab, sse::Stream};
use schemas::Timestamp;
use serde_json::{Value, json};
use test_servers::HomeAssistant;

const PATIENCE: Duration = Duration::from_mins(1);
/// From the answer of Home Assistant that it has a state to the event on a live stream.
const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_come_at_once_and_a_restart_loses_none() -> Result<()> {
    if !HomeAssistant::is_possible()? {
        println!("SKIPPED: Home Assistant wants Python 3.11 or 3.12");
        return Ok(());
    }
    let mut home = HomeAssistant::start()?;
    let mut lab = Lab::start(&format!(
        "[[source]]\nname = \"home\"\nkind = \"home_assistant\"\nurl = \"{}\"\ntoken = \"{}\"\n",
        home.url(),
        home.token()
    ))
    .await?;
    wait_up(&lab, Timestamp::now().plus_millis(-3_600_000)).await?;
    let mut live = follow(&lab).await?;

    let slowest = at_once(&home, &mut live).await?;
    println!("a state is an event within {slowest:?}");
    without_value(&home, &mut live).await?;

    home.set_power(20.0)?;
    let stopped = Timestamp::now();
    home.stop()?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    home.restart()?;
    let answers = Timestamp::now();
    // while it starts nobody may be listening yet: of these it still tells the last
    home.set_state("input_boolean.guests", "on", &json!({}))?;
    home.set_state("sensor.meanwhile", "new", &json!({}))?;
    for watts in 0..20 {
        home.set_power(f64::from(watts))?;
    }
    let up = wait_up(&lab, answers).await?;
    println!("up again {} ms after it answers", up.since(answers));
    // from here on each one counts
    for watts in 100..150 {
        home.set_power(f64::from(watts))?;
    }
    until_told(&lab, "sensor.power", "power_watts", 149_000.0).await?;
    marks_the_restart(&lab, stopped, answers).await?;
    let told: Vec<f64> = changes(&lab, "sensor.power")
        .await?
        .iter()
        .filter_map(|event| event["fields"]["power_watts"].as_f64())
        .collect();
    for watts in 100..150 {
        ensure!(
            told.contains(&(f64::from(watts) * 1000.0)),
            "{watts} kW is missing in {told:?}"
        );
    }
    same_as(&lab, &home).await?;
    ensure!(lab.stop().await?.success());
    Ok(())
}

async fn follow(lab: &Lab) -> Result<Stream> {
    let request = lab.get("/api/v1/live?source=home");
    Stream::new(request.timeout(Duration::from_mins(5)).send().await?)
}

/// The next change of an entity on the stream.
async fn next_change(live: &mut Stream, entity: &str) -> Result<Value> {
    loop {
        let message = live.next(PATIENCE).await?;
        let event: Value = serde_json::from_str(&message.data)?;
        if message.event == "change" && event["entity"]["id"] == entity {
            return Ok(event);
        }
    }
}

/// Sets states over REST and waits for each as an event. Returns how long the slowest took.
async fn at_once(home: &HomeAssistant, live: &mut Stream) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    for n in 0..20 {
        let fahrenheit = f64::from(n) + 50.5;
        let attributes = json!({"unit_of_measurement": "°F", "device_class": "temperature"});
        home.set_state("sensor.attic", &fahrenheit.to_string(), &attributes)?;
        let set = Instant::now();
        let event = next_change(live, "sensor.attic").await?;
        slowest = slowest.max(set.elapsed());
        let celsius = event["fields"]["temperature_celsius"].as_f64();
        let celsius = celsius.with_context(|| event.to_string())?;
        ensure!(
            (celsius - (fahrenheit - 32.0) / 1.8).abs() < 0.006,
            "{fahrenheit} °F came as {event}"
        );
        // its own time, not that of the arrival
        let told = home.states()?;
        let state = told
            .iter()
            .find(|state| state["entity_id"] == "sensor.attic");
        let changed = state.context("sensor.attic")?["last_changed"].as_str();
        let changed = Timestamp::parse(changed.context("last_changed")?, Timestamp::now())?;
        ensure!(event["time"] == changed.to_string(), "{event}: {changed}");
    }
    ensure!(slowest < AT_ONCE, "the slowest event took {slowest:?}");
    Ok(slowest)
}

/// What has no value is told as such and never as zero.
async fn without_value(home: &HomeAssistant, live: &mut Stream) -> Result<()> {
    for state in ["unavailable", "unknown"] {
        home.set_state("sensor.attic", state, &json!({"unit_of_measurement": "°F"}))?;
        let event = next_change(live, "sensor.attic").await?;
        ensure!(
            event["fields"] == json!({"availability": state}),
            "{state}: {event}"
        );
    }
    Ok(())
}

/// All events of the source.
async fn events(lab: &Lab) -> Result<Vec<Value>> {
    let page = lab.json("/api/v1/events?source=home&limit=10000").await?;
    ensure!(page["more"] == false, "there are more events than expected");
    Ok(page["events"].as_array().context("events")?.clone())
}

async fn changes(lab: &Lab, entity: &str) -> Result<Vec<Value>> {
    let events = events(lab).await?.into_iter();
    Ok(events
        .filter(|event| event["type"] == "change" && event["entity"]["id"] == entity)
        .collect())
}

/// The events that tell how the source does: when, and whether it is up.
async fn ups_and_downs(lab: &Lab) -> Result<Vec<(Timestamp, bool)>> {
    let events = events(lab).await?;
    events
        .iter()
        .filter(|event| event["type"] == "source")
        .map(|event| {
            let time = event["time"].as_str().context("time")?;
            let up = event["fields"]["up"].as_bool().context("up")?;
            Ok((Timestamp::parse(time, Timestamp::now())?, up))
        })
        .collect()
}

/// Waits until the source tells that it is up, after a time. Returns when it was.
async fn wait_up(lab: &Lab, after: Timestamp) -> Result<Timestamp> {
    let end = Instant::now() + PATIENCE;
    loop {
        let all = ups_and_downs(lab).await?;
        if let Some((time, true)) = all.last().filter(|(time, _)| *time >= after) {
            return Ok(*time);
        }
        ensure!(Instant::now() < end, "not up: {all:?}\n{}", lab.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn until_told(lab: &Lab, entity: &str, field: &str, value: f64) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let changes = changes(lab, entity).await?;
        let last = changes.last().map(|event| &event["fields"][field]);
        if last.and_then(Value::as_f64) == Some(value) {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "{entity} did not come to {value}: {last:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Between up and up there is a down, soon after it stopped, and the up after it is not before it answered.
async fn marks_the_restart(lab: &Lab, stopped: Timestamp, answers: Timestamp) -> Result<()> {
    let all = ups_and_downs(lab).await?;
    let down = all.iter().find(|(time, up)| !up && *time >= stopped);
    let (down, _) = down.with_context(|| format!("never down: {all:?}"))?;
    ensure!(
        down.since(stopped) < 5_000,
        "down {} ms after the stop: {all:?}",
        down.since(stopped)
    );
    let last_down = all.iter().rfind(|(_, up)| !up);
    let (last_down, _) = last_down.context("down")?;
    let up = all.iter().find(|(time, up)| *up && time > last_down);
    let (up, _) = up.with_context(|| format!("not up again: {all:?}"))?;
    // it may answer us before it answers the test
    ensure!(
        up.since(answers) > -2_000,
        "up {} ms before it answers: {all:?}",
        -up.since(answers)
    );
    Ok(())
}

/// What the events of each entity come to is what Home Assistant tells of it.
async fn same_as(lab: &Lab, home: &HomeAssistant) -> Result<()> {
    let mut newest: BTreeMap<String, Value> = BTreeMap::new();
    for event in events(lab).await? {
        if event["entity"]["type"] == "home_assistant_entity" {
            let id = event["entity"]["id"].as_str().context("id")?.to_owned();
            newest.insert(id, event["fields"].clone());
        }
    }
    let mut compared = 0;
    for state in home.states()? {
        let id = state["entity_id"].as_str().context("entity_id")?;
        let text = state["state"].as_str().context("state")?;
        let told = newest.remove(id);
        if ["person.", "zone."]
            .iter()
            .any(|domain| id.starts_with(domain))
        {
            ensure!(told.is_none(), "{id} is told: {told:?}");
            continue;
        }
        let told = told.with_context(|| format!("nothing of {id}"))?;
        ensure!(told["availability"] == "available", "{id}: {told}");
        let same = match text.parse::<f64>() {
            Ok(kilowatts) => told["power_watts"].as_f64() == Some(kilowatts * 1000.0),
            Err(_) => told["state"] == text,
        };
        ensure!(same, "{id} is {text}, told is {told}");
        compared += 1;
    }
    ensure!(compared >= 4, "only {compared} entities");
    // what it does not know any more: the state that was only set over REST
    for (id, told) in newest {
        ensure!(told == json!({"availability": "removed"}), "{id}: {told}");
    }
    Ok(())
}
