//! `kill -9` at random instants of a running collect, push and ingest.
//!
//! The oracle is the list that the pushers keep of what was acknowledged. It is compared with what the public API gives and
//! with what plain `sqlite3` finds in the files; `homelog verify` is asked last and only has to agree.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value that is not there is null"
)]

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use homelog_tests::{
    files,
    lab::Lab,
    load::{Acknowledged, EPOCH, Load, TYPE},
    through_api,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

const CONFIG: &str = r#"
[[source]]
name = "here"
kind = "host"
interval = "1s"
"#;

/// Kills in this run: 20, or as many as `HOMELOG_KILLS` says.
fn kills() -> u32 {
    option_from_environment("HOMELOG_KILLS").unwrap_or(20)
}

#[expect(clippy::disallowed_methods, reason = "a test's own switch")]
fn option_from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_event_survives_kill_9_exactly_once() -> Result<()> {
    let seed = option_from_environment("HOMELOG_SEED").unwrap_or_else(rand::random::<u64>);
    println!("HOMELOG_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut lab = Lab::start(CONFIG).await?;
    let load = Load::start(&lab.url(""), lab.token(), 4, seed)?;

    let mut between = 0;
    for kill in 0..kills() {
        tokio::time::sleep(Duration::from_millis(random.random_range(50..1500))).await;
        let before = load.count();
        lab.kill9().await?;
        let behind = store_lag(&lab).await?;
        between += u32::from(behind > 0);
        println!(
            "kill {kill}: {before} acknowledged, the store was {behind} events behind the log"
        );
        lab.spawn()?;
        lab.wait_ready().await?;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (retries, duplicates) = load.repeats();
    let acknowledged = load.finish().await?;
    let sent: usize = acknowledged.values().map(BTreeMap::len).sum();
    println!(
        "{sent} acknowledged, {retries} pushes repeated, {duplicates} of their events were in the log already"
    );
    println!(
        "{between} of {} kills between append and store commit",
        kills()
    );
    ensure!(
        between * 2 >= kills(),
        "too few kills between append and store commit: {between}"
    );
    ensure!(sent > 1_000, "the load was too small to mean anything");

    let client = lab.client();
    let position = through_api::events(client, &acknowledged).await?;
    through_api::caught_up(client, &position).await?;
    through_api::points(client, &acknowledged).await?;
    through_api::own_source_without_hole(client).await?;

    ensure!(
        lab.stop().await?.success(),
        "stopping failed:\n{}",
        lab.output()
    );
    events_in_the_file(&lab, &acknowledged).await?;
    points_in_the_file(&lab, &acknowledged).await?;
    let verify = lab.run(&["verify"]).await?;
    ensure!(
        verify.status.success(),
        "verify does not agree:\n{}{}",
        String::from_utf8_lossy(&verify.stdout),
        String::from_utf8_lossy(&verify.stderr)
    );
    Ok(())
}

/// How many events the log holds durably that the store's durable part has not seen.
async fn store_lag(lab: &Lab) -> Result<u64> {
    let logged = next_offset(lab).await?;
    let rows = files::rows(
        &lab.data().join("series.db"),
        "SELECT coalesce(position, '') FROM meta",
    )
    .await?;
    let text = rows
        .first()
        .and_then(|row| row.first())
        .map_or("", String::as_str);
    let consumed = if text.is_empty() {
        0
    } else {
        u64::from_str_radix(text.strip_prefix("1.").context("position")?, 36)?
    };
    ensure!(
        consumed <= logged,
        "the store is ahead of the log: {consumed} > {logged}"
    );
    Ok(logged - consumed)
}

async fn next_offset(lab: &Lab) -> Result<u64> {
    files::number(
        &lab.data().join("log.db"),
        "SELECT coalesce(max(first_offset + count), 0) FROM blocks",
    )
    .await
}

async fn events_in_the_file(lab: &Lab, acknowledged: &Acknowledged) -> Result<()> {
    let blocks = files::rows(
        &lab.data().join("log.db"),
        "SELECT first_offset, count, hex(body) FROM blocks ORDER BY first_offset",
    )
    .await?;
    let mut next = 0_u64;
    let mut found: Acknowledged = BTreeMap::new();
    for row in &blocks {
        let [first, count, body] = &row[..] else {
            anyhow::bail!("a row of {} columns", row.len())
        };
        let (first, count): (u64, usize) = (first.parse()?, count.parse()?);
        ensure!(first == next, "offsets {next} to {first} are missing");
        let text = String::from_utf8(zstd::decode_all(&files::unhex(body)?[..])?)?;
        let lines: Vec<&str> = text.lines().collect();
        ensure!(
            lines.len() == count,
            "block {first} says {count} events and holds {}",
            lines.len()
        );
        for line in lines {
            let (_, json) = line
                .split_once('\t')
                .context("a line without its logged time")?;
            let event: Value = serde_json::from_str(json)?;
            if event["epoch"] != EPOCH {
                continue;
            }
            let source = event["source"].as_str().context("source")?.to_owned();
            let seq = event["seq"].as_u64().context("seq")?;
            ensure!(
                found
                    .entry(source)
                    .or_default()
                    .insert(seq, through_api::sent_of(&event)?)
                    .is_none(),
                "seq {seq} twice in the file"
            );
        }
        next = first + count as u64;
    }
    ensure!(
        found.len() == acknowledged.len(),
        "sources in the file: {:?}",
        found.keys()
    );
    for (source, sent) in acknowledged {
        through_api::same(source, sent, found.get(source).context("source")?)?;
    }
    println!("log.db: {next} events in {} blocks", blocks.len());
    Ok(())
}

async fn points_in_the_file(lab: &Lab, acknowledged: &Acknowledged) -> Result<()> {
    let file = lab.data().join("series.db");
    let check = files::rows(&file, "PRAGMA integrity_check").await?;
    ensure!(check == [["ok"]], "{check:?}");
    for (source, sent) in acknowledged {
        let points = files::number(
            &file,
            &format!(
                "SELECT coalesce(sum(c.points), 0) FROM chunks c JOIN entities e ON e.id = c.id >> 43 \
                 WHERE e.key LIKE '{source}/{TYPE}/%'"
            ),
        )
        .await?;
        ensure!(
            points == sent.len() as u64,
            "{source}: {points} points in the file, {} were acknowledged",
            sent.len()
        );
    }
    Ok(())
}
