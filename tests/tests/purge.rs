//! A source that is purged is gone from every file, while others go on, also when the process dies in the middle.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value that is not there is null"
)]

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use homelog_tests::{files, lab::Lab, load::Load, through_api};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[[source]]
name = "here"
kind = "host"
interval = "1s"
"#;

/// Events of a source that is pushed.
const EVENTS: usize = 1200;
/// What those say, each with a number behind it.
const SECRET: &str = "q7w2-the-old-coat-hangs-in-the-hall";

/// The n-th event of a source, with an identity of its own.
fn event(source: &str, n: usize, now: i64) -> Value {
    json!({
        "source": source,
        "epoch": "e1",
        "seq": n,
        "time": now - 1_000_000 + i64::try_from(n).unwrap_or(0),
        "entity": {
            "type": "shelf",
            "id": format!("{}", n % 5),
            "labels": {"owner": format!("{SECRET}-label")},
        },
        "fields": {"note": format!("{SECRET}-{n}"), "weight_grams": n},
    })
}

/// Pushes all events of a source in small parts; how many were new and how many were known.
async fn push(lab: &Lab, source: &str, now: i64) -> Result<(u64, u64)> {
    let (mut accepted, mut duplicates) = (0, 0);
    let mut events: Vec<Value> = (1..=EVENTS).map(|n| event(source, n, now)).collect();
    // too old for the store: it becomes a dead letter
    if let Some(last) = events.last_mut() {
        last["time"] = json!(now - 60 * 86_400_000);
    }
    let mut position = Value::Null;
    for some in events.chunks(40) {
        let answer = lab.post("/api/v1/events").json(&some).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
        let answer: Value = answer.json().await?;
        accepted += answer["accepted"].as_u64().context("accepted")?;
        duplicates += answer["duplicates"].as_u64().context("duplicates")?;
        position = answer["position"].clone();
    }
    let position = position.as_str().context("a position")?;
    through_api::caught_up(lab.client(), position).await?;
    Ok((accepted, duplicates))
}

/// Files of the data directory in which the secret stands as it is.
fn traces(data: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(data)? {
        let path = file?.path();
        if path.is_file()
            && std::fs::read(&path)?
                .windows(SECRET.len())
                .any(|window| window == SECRET.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

fn said(output: &std::process::Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs `homelog source purge` over the API.
async fn purge(lab: &Lab, source: &str, more: &[&str]) -> Result<std::process::Output> {
    std::fs::write(lab.path("token"), lab.token())?;
    Ok(tokio::process::Command::new(homelog_tests::lab::binary()?)
        .args(["source", "purge", source, "--url", &lab.url("")])
        .arg("--token-file")
        .arg(lab.path("token"))
        .args(more)
        .stdin(std::process::Stdio::null())
        .output()
        .await?)
}

/// Nothing but marks is told of a source.
async fn is_gone(lab: &Lab, source: &str) -> Result<()> {
    let entities = lab
        .json(&format!("/api/v1/entities?source={source}"))
        .await?;
    ensure!(entities["entities"] == json!([]), "{entities}");
    let events = lab.json(&format!("/api/v1/events?source={source}")).await?;
    let events = events["events"].as_array().context("events")?;
    let other = events
        .iter()
        .find(|event| event["fields"]["state"] != "purged");
    ensure!(other.is_none(), "{other:?}");
    Ok(())
}

async fn verified(lab: &Lab) -> Result<String> {
    let verify = lab.run(&["verify"]).await?;
    ensure!(verify.status.success(), "{}", said(&verify));
    Ok(said(&verify))
}

async fn purges_in_the_audit_trail(lab: &Lab, source: &str) -> Result<u64> {
    let sql = format!(
        "SELECT count(*) FROM audit WHERE action = 'source.purge' AND target = '{source}' AND done"
    );
    files::number(&lab.data().join("control.db"), &sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purged_source_leaves_every_file_while_others_go_on() -> Result<()> {
    let mut lab = Lab::start(CONFIG).await?;
    let load = Load::start(&lab.url(""), lab.token(), 2, 7)?;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_millis();
    let now = i64::try_from(now)?;
    let all = u64::try_from(EVENTS)?;
    for source in ["cellar", "shed", "attic"] {
        ensure!(push(&lab, source, now).await? == (all, 0), "{source}");
    }
    let letters = "SELECT count(*) FROM dead_letters";
    let log_db = lab.data().join("log.db");
    ensure!(files::number(&log_db, letters).await? == 3, "one of each");
    ensure!(
        !traces(&lab.data())?.is_empty(),
        "the look finds what is there"
    );

    let refused = purge(&lab, "cellar", &[]).await?;
    ensure!(refused.status.code() == Some(64), "{}", said(&refused));
    let refused = purge(&lab, "here", &["--yes"]).await?;
    ensure!(refused.status.code() == Some(1), "{}", said(&refused));
    ensure!(said(&refused).contains("take it out"), "{}", said(&refused));

    let purged = purge(&lab, "cellar", &["--yes"]).await?;
    ensure!(purged.status.success(), "{}", said(&purged));
    let text = said(&purged);
    let gone = format!(
        "{EVENTS} events, {} points and 1 dead letters are gone",
        EVENTS - 1
    );
    ensure!(text.contains(&gone) && text.contains("backups"), "{text}");
    is_gone(&lab, "cellar").await?;
    ensure!(purges_in_the_audit_trail(&lab, "cellar").await? == 1);
    ensure!(push(&lab, "cellar", now).await? == (0, all), "resent");
    is_gone(&lab, "cellar").await?;

    // wherever it is when the process dies, the same command finishes it
    for millis in [1, 4, 9, 16, 30] {
        tokio::select! {
            _ = lab.post("/api/v1/sources/shed/purge").send() => {}
            () = tokio::time::sleep(Duration::from_millis(millis)) => {}
        }
        lab.kill9().await?;
        lab.spawn()?;
        lab.wait_ready().await?;
    }
    let purged = purge(&lab, "shed", &["--yes"]).await?;
    ensure!(purged.status.success(), "{}", said(&purged));
    for source in ["cellar", "shed"] {
        is_gone(&lab, source).await?;
        ensure!(push(&lab, source, now).await? == (0, all), "{source}");
    }
    let acknowledged = load.finish().await?;
    let position = through_api::events(lab.client(), &acknowledged).await?;
    through_api::caught_up(lab.client(), &position).await?;
    through_api::points(lab.client(), &acknowledged).await?;

    ensure!(lab.stop().await?.success(), "{}", lab.output());
    let text = verified(&lab).await?;
    let counted = format!("{}  events purged", 2 * EVENTS);
    ensure!(text.contains(&counted), "{text}");

    // without a Homelog, on the directory itself
    let refused = lab.run(&["source", "purge", "attic"]).await?;
    ensure!(refused.status.code() == Some(64), "{}", said(&refused));
    ensure!(!traces(&lab.data())?.is_empty(), "of the attic");
    let purged = lab.run(&["source", "purge", "attic", "--yes"]).await?;
    ensure!(purged.status.success(), "{}", said(&purged));
    ensure!(said(&purged).contains(&gone), "{}", said(&purged));
    ensure!(files::number(&log_db, letters).await? == 0);
    let left = traces(&lab.data())?;
    ensure!(left.is_empty(), "{left:?}");
    verified(&lab).await?;
    let replay = lab
        .run(&[
            "replay", "--from", "-90d", "--to", "now", "--into", "stdout",
        ])
        .await?;
    ensure!(
        replay.status.success(),
        "{}",
        String::from_utf8_lossy(&replay.stderr)
    );
    ensure!(!said(&replay).contains(SECRET), "a replay tells of it");

    lab.spawn()?;
    lab.wait_ready().await?;
    is_gone(&lab, "attic").await?;
    ensure!(push(&lab, "attic", now).await? == (0, all), "resent");
    // what is observed later is new
    let later = event("attic", EVENTS + 1, now);
    let answer = lab.post("/api/v1/events").json(&later).send().await?;
    ensure!(answer.status().is_success());
    let position = answer.json::<Value>().await?["position"].clone();
    through_api::caught_up(lab.client(), position.as_str().context("a position")?).await?;
    let entities = lab.json("/api/v1/entities?source=attic").await?;
    let entities = entities["entities"].as_array().context("entities")?;
    ensure!(entities.len() == 1, "{entities:?}");
    ensure!(
        entities[0]["id"] == format!("{}", (EVENTS + 1) % 5),
        "{entities:?}"
    );
    ensure!(purges_in_the_audit_trail(&lab, "attic").await? == 1);
    ensure!(lab.stop().await?.success(), "{}", lab.output());
    verified(&lab).await?;
    Ok(())
}
