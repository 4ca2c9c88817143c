//! `make run DEMO=1` shows a home with a past, whose sources go on, and leaves nothing behind.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use homelog_tests::{client::Client, lab::binary, simulator::client, workspace};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::{Instant, sleep, timeout},
};

const PATIENCE: Duration = Duration::from_mins(2);

fn text<'v>(value: &'v Value, at: &str) -> &'v str {
    let text = value.pointer(at).and_then(Value::as_str);
    text.unwrap_or_default()
}

fn list<'v>(value: &'v Value, at: &str) -> &'v [Value] {
    let list = value.pointer(at).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

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
    let answer: Value = client()?
        .post(format!("{url}/auth/login"))
        .json(&json!({"username": "admin", "password": password}))
        .send()
        .await?
        .json()
        .await?;
    let token = text(&answer, "/access_token");
    ensure!(!token.is_empty(), "no login: {answer}");
    let api = Client::new(&url, token)?;
    let range = "/api/v1/range?entity=nas1/nas/nas1&field=cpu_ratio&from=-2h&step=10m";
    let end = Instant::now() + PATIENCE;
    loop {
        // what is in the log comes into the store a little later
        let past = api.json(range).await?;
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
        let sources = api.json("/api/v1/sources").await?;
        let up = list(&sources, "/sources")
            .iter()
            .filter(|one| text(one, "/state") == "up")
            .count();
        let polled = api
            .json("/api/v1/events?source=nas1&type=nas&from=-1m&limit=10000")
            .await?;
        let live = list(&polled, "/events")
            .iter()
            .any(|event| !text(event, "/epoch").starts_with("past-"));
        Ok(up >= 9 && live)
    };
    while !goes_on().await? {
        ensure!(
            Instant::now() < end,
            "{}",
            api.json("/api/v1/sources").await?
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
        client()?.get(&url).send().await.is_err(),
        "something of it still answers"
    );
    Ok(())
}
