//! `make run DEMO=1` shows a home with a past, whose sources go on, and leaves nothing behind.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use homelog_tests::{client::Client, lab::binary, workspace};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::{Instant, sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_demo_has_a_past_that_goes_on_and_nothing_stays() -> Result<()> {
    let place = tempfile::tempdir()?;
    let listen = format!("127.0.0.1:{}", test_servers::free_port()?);
    let mut demo = Command::new(workspace().join("scripts/demo"))
        .args(["--listen", &listen])
        .env("HOMELOG_BINARY", binary()?)
        .env("HOMELOG_DEMO_PAST", "2h")
        .env("TMPDIR", place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(demo.stdout.take().context("no stdout")?).lines();
    let login = async {
        let mut said = String::new();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, password)) = line.split_once("password ") {
                return Ok(password.to_owned());
            }
            said.push_str(&line);
        }
        anyhow::bail!("it ended after `{said}`")
    };
    let password = timeout(PATIENCE, login).await??;

    let url = format!("http://{listen}");
    let answer: Value = reqwest::Client::new()
        .post(format!("{url}/auth/login"))
        .json(&json!({"username": "admin", "password": password}))
        .send()
        .await?
        .json()
        .await?;
    let token = answer["access_token"].as_str().context("no login")?;
    let client = Client::new(&url, token)?;
    let range = "/api/v1/range?entity=nas1/nas/nas1&field=cpu_ratio&from=-2h&step=10m";
    let end = Instant::now() + PATIENCE;
    loop {
        // what is in the log comes into the store a little later
        let past = client.json(range).await?;
        let values = past.pointer("/series/0/values").and_then(Value::as_array);
        let told = values.map_or(0, |all| all.iter().filter(|v| v.is_number()).count());
        if told >= 11 {
            break;
        }
        ensure!(Instant::now() < end, "{past}");
        sleep(Duration::from_millis(300)).await;
    }

    // the sources go on where the past ends
    let goes_on = async || -> Result<bool> {
        let sources = client.json("/api/v1/sources").await?;
        let all = sources["sources"].as_array().context("no sources")?;
        let up = all.iter().filter(|one| one["state"] == "up").count();
        let polled = client
            .json("/api/v1/events?source=nas1&type=nas&from=-1m&limit=10000")
            .await?;
        let events = polled["events"].as_array().context("no events")?;
        let live = events
            .iter()
            .any(|event| !event["epoch"].as_str().unwrap_or("").starts_with("past-"));
        Ok(up >= 9 && live)
    };
    while !goes_on().await? {
        ensure!(
            Instant::now() < end,
            "{}",
            client.json("/api/v1/sources").await?
        );
        sleep(Duration::from_millis(300)).await;
    }

    let process = demo.id().context("it has ended")?;
    let asked = Command::new("kill")
        .args(["-TERM", &process.to_string()])
        .status()
        .await?;
    ensure!(asked.success(), "kill {process}");
    timeout(PATIENCE, demo.wait()).await??;
    ensure!(
        std::fs::read_dir(place.path())?.next().is_none(),
        "something of it is still there"
    );
    ensure!(
        reqwest::get(&url).await.is_err(),
        "something of it still answers"
    );
    Ok(())
}
