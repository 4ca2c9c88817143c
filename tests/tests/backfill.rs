//! A past that `homelog simulate --backfill` pours is as if the sources had been there: what is read live joins it.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value that is not there is null"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use homelog_tests::{
    lab::{Lab, binary},
    simulator::{Simulator, noon},
};
use schemas::Timestamp;
use serde_json::{Map, Value, json};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

const SEED: u64 = 7;
const HOUR: i64 = 3_600_000;
/// How long all sources may take to tell everything.
const PATIENCE: Duration = Duration::from_secs(90);
/// A source that says hardly anything: without one the host would be watched.
const QUIET: &str = "[[source]]\nname = \"quiet\"\nkind = \"http_check\"\nurl = \"http://127.0.0.1:9\"\ninterval = \"1h\"\n";
/// What only comes when something changes, or is told by tasks that have ended.
const OF_CHANGES: &[&str] = &[
    "action",
    "exit_code",
    "old_status",
    "old_storage_status",
    "old_task",
    "stalled_seconds",
];

/// Where the home is it is about noon, so that nothing goes wrong while the live sources are read.
struct Noon {
    zone: String,
    /// Midnight there, as Unix time in milliseconds.
    midnight: i64,
    now: i64,
}

impl Noon {
    fn here() -> Self {
        let now = Timestamp::now().as_millis();
        Self {
            zone: noon(),
            midnight: (now / HOUR - 12) * HOUR,
            now,
        }
    }

    /// An instant of the night there.
    fn at(&self, hour: i64, minute: i64, second: i64) -> i64 {
        self.midnight + hour * HOUR + minute * 60_000 + second * 1000
    }
}

/// Pours a past into a Homelog; what the command says.
async fn pour(lab: &Lab, noon: &Noon, token: &str) -> Result<(bool, String)> {
    let file = lab.path("token");
    std::fs::write(&file, token)?;
    let output = Command::new(binary()?)
        .args(["simulate", "--seed", &SEED.to_string()])
        .args(["--backfill", "11h", "--until", &noon.now.to_string()])
        .args(["--into", &lab.url("")])
        .arg("--token-file")
        .arg(&file)
        .env("TZ", &noon.zone)
        .output()
        .await?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

/// Waits until what is in the log is in the store too.
async fn settled(lab: &Lab) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    let mut before = Value::Null;
    loop {
        let position = lab.json("/api/v1/entities?source=nas1").await?["position"].take();
        if position == before {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the store does not catch up");
        before = position;
        sleep(Duration::from_secs(2)).await;
    }
}

/// The entities of a lab by key.
async fn entities(lab: &Lab, query: &str) -> Result<BTreeMap<String, Value>> {
    let answer = lab.json(&format!("/api/v1/entities{query}")).await?;
    let all = answer["entities"].as_array().context("no entities")?;
    Ok(all
        .iter()
        .map(|entity| {
            (
                entity["key"].as_str().unwrap_or("").to_owned(),
                entity.clone(),
            )
        })
        .collect())
}

fn fields(entity: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    entity["fields"].as_object().unwrap_or(&NONE)
}

/// Without the address of a mock service, which is another at each start.
fn labels(entity: &Value) -> Map<String, Value> {
    let mut labels = entity["labels"].as_object().cloned().unwrap_or_default();
    labels.remove("url");
    labels
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "flag",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "text",
        _ => "nothing",
    }
}

/// What one has and the other has not, or has otherwise.
fn differences(
    live: &BTreeMap<String, Value>,
    past: &BTreeMap<String, Value>,
    sources: &BTreeSet<String>,
) -> Vec<String> {
    let mut found = Vec::new();
    let wanted = |entity: &Value| {
        let source = entity["source"].as_str().unwrap_or("");
        // a task is told when it changes, long before now
        sources.contains(source) && entity["type"] != "proxmox_task"
    };
    for key in live.keys().chain(past.keys()).collect::<BTreeSet<_>>() {
        let (Some(now), Some(then)) = (live.get(key), past.get(key)) else {
            let (side, entity) = match live.get(key) {
                Some(entity) => ("not in the past", entity),
                None => ("not live", &past[key]),
            };
            if wanted(entity) {
                found.push(format!("{key} is {side}"));
            }
            continue;
        };
        if !wanted(now) {
            continue;
        }
        let (labels, labels_then) = (labels(now), labels(then));
        if labels != labels_then {
            found.push(format!(
                "{key} has the labels {labels:?} live, {labels_then:?} in the past"
            ));
        }
        let (now, then) = (fields(now), fields(then));
        for field in now.keys().chain(then.keys()).collect::<BTreeSet<_>>() {
            let told = |side: &Map<String, Value>| {
                let value = side.get(field).map(|field| &field["value"]);
                value.map_or("nothing", type_of)
            };
            let is_of_changes = OF_CHANGES.contains(&field.as_str());
            if told(now) != told(then) && !(is_of_changes && told(now) == "nothing") {
                found.push(format!(
                    "{key} {field} is {} live, {} in the past",
                    told(now),
                    told(then)
                ));
            }
        }
    }
    found
}

/// Numbers that are far from each other: the end of the past and now lie a minute apart.
fn far(live: &BTreeMap<String, Value>, past: &BTreeMap<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (key, now) in live.iter().filter(|(_, entity)| entity["type"] != "source") {
        let Some(then) = past.get(key) else { continue };
        for (field, value) in fields(now) {
            let number = |value: &Value| value["value"].as_f64();
            let (Some(a), Some(b)) = (number(value), fields(then).get(field).and_then(number))
            else {
                continue;
            };
            let most = a.abs().max(b.abs());
            let some = if most <= 1.0 { 0.03 } else { 3.0 };
            if (a - b).abs() > 0.4 * most + some {
                found.push(format!(
                    "{key} {field} is {a} live, {b} at the end of the past"
                ));
            }
        }
    }
    found
}

#[tokio::test]
async fn what_is_read_live_joins_a_poured_past() -> Result<()> {
    let noon = Noon::here();
    let simulator = Simulator::start(&["--seed", &SEED.to_string()])?;
    let mocks = simulator.mocks()?;
    let config: String = mocks
        .iter()
        .map(|service| service.source_with(&BTreeMap::new()))
        .collect();
    let live = Lab::start(&config).await?;
    let past = Lab::start(QUIET).await?;

    let (done, said) = pour(&past, &noon, past.token()).await?;
    ensure!(done, "{said}");
    settled(&past).await?;
    let poured = entities(&past, "").await?;
    let poured_of: BTreeSet<_> = poured
        .values()
        .filter_map(|entity| entity["source"].as_str())
        .collect();
    let sources: BTreeSet<_> = mocks
        .iter()
        .filter(|mock| poured_of.contains(mock.name.as_str()))
        .map(|mock| mock.name.clone())
        .collect();
    let kinds: BTreeSet<_> = mocks
        .iter()
        .filter(|mock| sources.contains(&mock.name))
        .map(|mock| mock.kind.as_str())
        .collect();
    for mock in &mocks {
        let (name, kind) = (&mock.name, &mock.kind);
        ensure!(sources.contains(name), "{name} of kind {kind} has no past");
    }
    ensure!(kinds.len() >= 9, "only {kinds:?}");

    let end = Instant::now() + PATIENCE;
    let now = loop {
        let now = entities(&live, "").await?;
        let differences = differences(&now, &poured, &sources);
        if differences.is_empty() {
            break now;
        }
        ensure!(Instant::now() < end, "{}", differences.join("\n"));
        sleep(Duration::from_millis(500)).await;
    };
    ensure!(now.len() > 60, "only {} entities", now.len());
    let far = far(&now, &poured);
    ensure!(far.is_empty(), "{}", far.join("\n"));

    let (done, said) = pour(&past, &noon, past.token()).await?;
    ensure!(done && said.starts_with("0 events"), "{said}");
    settled(&past).await?;
    let again = entities(&past, "").await?;
    for (key, entity) in &poured {
        let source = entity["source"].as_str().unwrap_or("");
        let same = !sources.contains(source) || again.get(key) == Some(entity);
        ensure!(same, "poured again, {key} is another");
    }

    night(&past, &noon).await
}

/// What happened in the night is found as people would look for it.
async fn night(lab: &Lab, noon: &Noon) -> Result<()> {
    let number = async |at: i64, key: &str, field: &str| -> Result<f64> {
        let all = entities(lab, &format!("?at={at}")).await?;
        let value = all.get(key).map(|entity| &entity["fields"][field]["value"]);
        value
            .and_then(Value::as_f64)
            .with_context(|| format!("no {field} of {key} at {at}: {value:?}"))
    };
    let volume = "nas1/volume/volume_2";
    let full = number(noon.at(3, 35, 1), volume, "used_ratio").await?;
    ensure!(full > 0.98, "the volume is at {full}");
    let recovered = number(noon.at(3, 45, 1), volume, "used_ratio").await?;
    ensure!(recovered < 0.9, "the volume stays at {recovered}");

    let hungry = "docker1/container/photos%2Fmachine-learning%2F1";
    let eaten = number(noon.at(3, 19, 31), hungry, "memory_used_ratio").await?;
    ensure!(eaten > 0.85, "it has eaten {eaten}");

    let changes = async |key: &str, kind: &str| -> Result<Vec<(i64, Value)>> {
        let key: String = key.replace('%', "%25");
        let (from, to) = (noon.at(3, 0, 0), noon.at(4, 0, 0));
        let path = format!("/api/v1/events?entity={key}&type={kind}&from={from}&to={to}");
        let page = lab.json(&path).await?;
        let events = page["events"].as_array().context("no events")?;
        events
            .iter()
            .map(|event| {
                let time = event["time"].as_str().context("no time")?;
                let time = Timestamp::parse(time, Timestamp::now())?;
                Ok((time.as_millis(), event["fields"].clone()))
            })
            .collect()
    };
    let killed = changes(hungry, "change").await?;
    let die = killed
        .iter()
        .find(|(_, fields)| fields["action"] == "die")
        .with_context(|| format!("nothing died: {killed:?}"))?;
    ensure!(die.0 == noon.at(3, 20, 0), "it died at {}", die.0);
    ensure!(die.1["exit_code"] == json!(137), "{}", die.1);
    let actions: Vec<_> = killed.iter().map(|(_, fields)| &fields["action"]).collect();
    ensure!(actions == ["oom", "die", "start"], "{actions:?}");

    let backups = changes("pve/proxmox_task/101%2Fvzdump", "change").await?;
    let states: Vec<_> = backups.iter().map(|(_, fields)| &fields["state"]).collect();
    ensure!(states == ["running", "ok"], "{states:?}");

    let source = changes("home/source/home", "source").await?;
    let down: Vec<_> = source
        .iter()
        .filter(|(_, fields)| fields["up"] == json!(false))
        .map(|(time, _)| *time)
        .collect();
    ensure!(down.first() == Some(&noon.at(3, 22, 0)), "down at {down:?}");
    let up = source
        .iter()
        .find(|(time, fields)| fields["up"] == json!(true) && *time > noon.at(3, 22, 0));
    ensure!(
        up.map(|(time, _)| *time) == Some(noon.at(3, 38, 0)),
        "up at {up:?}"
    );
    let power = "home/home_assistant_entity/sensor.house_power";
    let all = entities(lab, &format!("?at={}", noon.at(3, 39, 1))).await?;
    let availability = &all[power]["fields"]["availability"]["value"];
    ensure!(availability == "unavailable", "it is {availability}");
    number(noon.at(3, 41, 1), power, "power_watts").await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_past_says_what_to_do() -> Result<()> {
    let noon = Noon::here();
    let lab = Lab::start(
        "[[source]]\nname = \"nas1\"\nkind = \"pihole\"\nurl = \"http://127.0.0.1:9\"\n",
    )
    .await?;
    for (token, wanted) in [
        ("hlt_nobody", "homelog token create"),
        (lab.token(), "`nas1`"),
    ] {
        let (done, said) = pour(&lab, &noon, token).await?;
        ensure!(!done && said.contains(wanted), "{said}");
        ensure!(said.trim().lines().count() == 1, "{said}");
    }
    let made = lab
        .run(&[
            "token", "create", "--user", "admin", "--name", "reader", "--role", "viewer",
        ])
        .await?;
    let reader = String::from_utf8(made.stdout)?;
    let reader = reader
        .split_whitespace()
        .find(|word| word.len() > 20)
        .with_context(|| format!("no token: {reader}"))?;
    let (done, said) = pour(&lab, &noon, reader).await?;
    ensure!(!done && said.contains("role operator"), "{said}");
    Ok(())
}
