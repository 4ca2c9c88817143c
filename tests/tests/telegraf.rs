//! A real Telegraf writes into a real Homelog, by both versions of InfluxDB's API: what it was told to be written is there, and
//! what was refused it says itself.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use anyhow::{Context, Result, ensure};
use homelog_tests::{
    client::Client,
    lab::{Lab, PASSWORD},
};
use serde_json::{Value, json};
use test_servers::{Telegraf, free_port};

/// How long it gathers before and after Homelog was away.
const GATHERS: Duration = Duration::from_secs(4);
/// The time of the first line that is written down, in Unix nanoseconds.
const BEGIN: i64 = 1_795_400_000_000_000_000;

async fn lab() -> Result<(Lab, u16)> {
    let port = free_port()?;
    let config = format!(
        "[api]\ninfluxdb_listen = \"127.0.0.1:{port}\"\n\
         [[source]]\nname = \"here\"\nkind = \"host\"\ninterval = \"1h\"\n"
    );
    Ok((Lab::start(&config).await?, port))
}

/// An API token that may push; only a person with a password makes one.
async fn token(lab: &Lab, name: &str) -> Result<String> {
    let login: Value = Client::new(&lab.url(""), "")?
        .post("/auth/login")
        .json(&json!({"username": "admin", "password": PASSWORD}))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let access = login.pointer("/access_token").and_then(Value::as_str);
    let made: Value = Client::new(&lab.url(""), access.context("no access token")?)?
        .post("/auth/tokens")
        .json(&json!({"name": name, "role": "operator"}))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let token = made.pointer("/token").and_then(Value::as_str);
    Ok(token.context("no token")?.to_owned())
}

const AGENT: &str = "[agent]\ninterval = \"200ms\"\nflush_interval = \"1s\"\nflush_jitter = \"0s\"\nhostname = \"nas\"\ndebug = true\n";
const INPUTS: &str = "[[inputs.cpu]]\npercpu = true\ntotalcpu = true\n[[inputs.mem]]\n";

fn version_2(lab: &Lab, token: &str) -> String {
    format!(
        "[[outputs.influxdb_v2]]\nurls = [\"{}\"]\ntoken = \"{token}\"\norganization = \"home\"\nbucket = \"lab\"\ncontent_encoding = \"gzip\"\n",
        lab.url("/influxdb")
    )
}

fn version_1(port: u16, token: &str) -> String {
    format!(
        "[[outputs.influxdb]]\nurls = [\"http://127.0.0.1:{port}\"]\ndatabase = \"lab\"\nskip_database_creation = true\n\
         username = \"telegraf\"\npassword = \"{token}\"\ncontent_encoding = \"gzip\"\n"
    )
}

/// Lines of a file, as an input.
fn lines(lab: &Lab, name: &str, lines: &str) -> Result<String> {
    let file = lab.path(name);
    std::fs::write(&file, lines)?;
    Ok(format!(
        "[[inputs.file]]\nfiles = [\"{}\"]\ndata_format = \"influx\"\n",
        file.display()
    ))
}

/// How many metrics an output says that it has written.
fn written(printed: &str, output: &str) -> usize {
    printed
        .lines()
        .filter(|line| line.contains(&format!("[{output}]")))
        .filter_map(|line| line.split_once("Wrote batch of ")?.1.split(' ').next())
        .filter_map(|number| number.parse::<usize>().ok())
        .sum()
}

async fn events(lab: &Lab, source: &str) -> Result<Vec<Value>> {
    let page = lab
        .json(&format!("/api/v1/events?source={source}&limit=10000"))
        .await?;
    let events = page.pointer("/events").and_then(Value::as_array);
    Ok(events.context("no events")?.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_telegraf_was_told_to_be_written_is_in_the_log() -> Result<()> {
    let (mut lab, port) = lab().await?;
    let (two, one) = (token(&lab, "by two").await?, token(&lab, "by one").await?);
    let telegraf = Telegraf::start(&format!(
        "{AGENT}{}{}{INPUTS}",
        version_2(&lab, &two),
        version_1(port, &one)
    ))?;
    tokio::time::sleep(GATHERS).await;
    // what was not acknowledged it keeps and writes again
    lab.kill9().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    lab.spawn()?;
    lab.wait_ready().await?;
    tokio::time::sleep(GATHERS).await;
    let printed = tokio::task::spawn_blocking(|| telegraf.stop()).await??;
    for (output, source) in [
        ("outputs.influxdb_v2", "by-two"),
        ("outputs.influxdb", "by-one"),
    ] {
        let acknowledged = written(&printed, output);
        let events = events(&lab, source).await?;
        // what was durable, but not acknowledged before the kill, came twice
        let found: BTreeSet<_> = events
            .iter()
            .map(|event| {
                let text = |at: &str| event.pointer(at).map(ToString::to_string);
                (text("/entity/key"), text("/time"))
            })
            .collect();
        ensure!(acknowledged > 50, "{output}: {acknowledged}\n{printed}");
        ensure!(
            found.len() == acknowledged,
            "{output} wrote {acknowledged} metrics, the log has {}\n{printed}",
            found.len()
        );
        for (key, field) in [
            (
                format!("{source}/cpu/cpu%3Dcpu-total%2Chost%3Dnas"),
                "usage_idle",
            ),
            (
                format!("{source}/cpu/cpu%3Dcpu0%2Chost%3Dnas"),
                "usage_user",
            ),
            (format!("{source}/mem/host%3Dnas"), "used"),
        ] {
            let found = events.iter().any(|event| {
                event.pointer("/entity/key").and_then(Value::as_str) == Some(&key)
                    && event
                        .pointer(&format!("/fields/{field}"))
                        .is_some_and(|value| {
                            value.is_number()
                                || value
                                    .as_str()
                                    .is_some_and(|text| text.parse::<u64>().is_ok())
                        })
            });
            ensure!(found, "{key} has no {field}");
        }
        println!("{output}: {acknowledged} metrics acknowledged, all of them in the log");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_value_comes_as_it_was() -> Result<()> {
    let (lab, port) = lab().await?;
    let (two, one) = (token(&lab, "two").await?, token(&lab, "one").await?);
    let mut all = String::new();
    for n in 0..2500_i64 {
        let (odd, time) = (n % 2 == 1, BEGIN + n * 1_000_000);
        writeln!(
            all,
            "probe,n={} value={n}.25,count={n}i,word=\"w {n}\",odd={odd} {time}",
            n % 7
        )?;
    }
    let input = lines(&lab, "probe.influx", &all)?;
    let config = format!(
        "{AGENT}{}{}{input}",
        version_2(&lab, &two),
        version_1(port, &one)
    );
    let printed = tokio::task::spawn_blocking(move || Telegraf::once(&config)).await??;
    for source in ["two", "one"] {
        let mut events = events(&lab, source).await?;
        ensure!(
            events.len() == 2500,
            "{source}: {}\n{printed}",
            events.len()
        );
        events.sort_by_key(|event| event.pointer("/fields/count").and_then(Value::as_i64));
        for (n, event) in (0_i64..).zip(&events) {
            let wanted = json!({
                "value": f64::from(i32::try_from(n)?) + 0.25,
                "count": n,
                "word": format!("w {n}"),
                "odd": n % 2 == 1,
            });
            ensure!(event.pointer("/fields") == Some(&wanted), "{event}");
            let id = event.pointer("/entity/id").and_then(Value::as_str);
            ensure!(id == Some(&format!("host=nas,n={}", n % 7)), "{event}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_telegraf_says_itself() -> Result<()> {
    let (lab, port) = lab().await?;
    let good = token(&lab, "t").await?;
    let fine = lines(&lab, "fine.influx", "probe value=1\n")?;
    let odd = lines(&lab, "odd.influx", "probe value=\"high\"\nother value=1\n")?;
    let run = |config: String| tokio::task::spawn_blocking(move || Telegraf::once(&config));

    for wrong in [version_2(&lab, "wrong"), version_1(port, "wrong")] {
        let printed = run(format!("{AGENT}{wrong}{fine}")).await??;
        ensure!(
            printed.contains("401 Unauthorized")
                && printed.contains("this access token is not good"),
            "{printed}"
        );
    }
    ensure!(events(&lab, "t").await?.is_empty());

    run(format!("{AGENT}{}{fine}", version_2(&lab, &good))).await??;
    for output in [version_2(&lab, &good), version_1(port, &good)] {
        let before = events(&lab, "t").await?.len();
        let printed = run(format!("{AGENT}{output}{odd}")).await??;
        let told = "field type conflict: input field \"value\" on measurement \"probe\" is type string, already exists as type float";
        ensure!(
            printed.contains(told) || printed.contains(&told.replace('"', "\\\"")),
            "{printed}"
        );
        ensure!(
            events(&lab, "t").await?.len() == before + 1,
            "the rest is taken"
        );
    }
    Ok(())
}
