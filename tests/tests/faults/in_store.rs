//! What InfluxDB answers to InfluxQL, against what was sent; asked without our own store.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use homelog_tests::probe;
use serde_json::Value;
use test_servers::Influxdb;

use crate::lab::{BUCKET, Lab, Sent};

/// How long the store may take to have everything after the last event, and for each event.
const PATIENCE: Duration = Duration::from_mins(5);
const PER_EVENT: Duration = Duration::from_micros(200);
/// Events of one query.
const SLICE: u64 = 20_000;

async fn query(http: &reqwest::Client, lab: &Lab, text: &str) -> Result<Value> {
    let answer = http
        .get(format!("{}/query", lab.influxdb.url()))
        .query(&[("db", BUCKET), ("epoch", "ms"), ("q", text)])
        .header("authorization", format!("Token {}", Influxdb::TOKEN))
        .send()
        .await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "InfluxDB: {status} {text}");
    Ok(serde_json::from_str(&text)?)
}

/// The rows of the one series of an answer.
fn rows(answer: &Value) -> Vec<Value> {
    answer
        .pointer("/results/0/series/0/values")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

async fn points(http: &reqwest::Client, lab: &Lab) -> Result<u64> {
    let text = format!("SELECT count({}) FROM {}", probe::VALUE, probe::TYPE);
    let answer = query(http, lab, &text).await?;
    Ok(rows(&answer)
        .first()
        .and_then(|row| row.get(1))
        .and_then(Value::as_u64)
        .unwrap_or(0))
}

fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .timeout(Duration::from_mins(2))
        .build()?)
}

/// Waits until the store has as many points as events were sent.
pub(crate) fn wait_for_all(lab: &Lab, sent: &Sent) -> Result<()> {
    let total = sent.total();
    let patience = PATIENCE + PER_EVENT * u32::try_from(total)?;
    let end = Instant::now() + patience;
    tokio::runtime::Runtime::new()?.block_on(async {
        let http = client()?;
        loop {
            let found = points(&http, lab).await?;
            ensure!(found <= total, "{found} points of {total} events");
            if found == total {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "only {found} of {total} points after {patience:?}\n{}",
                lab.last_words()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
}

/// Every point is there once with equal values, and no other. Returns how many.
pub(crate) fn compare(lab: &Lab, sent: &Sent) -> Result<u64> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let http = client()?;
        let mut all = 0;
        for (source, last) in &sent.sources {
            let mut from = 1;
            while from <= *last {
                let until = (from + SLICE).min(last + 1);
                all += compare_slice(&http, lab, source, from..until).await?;
                from = until;
            }
        }
        let found = points(&http, lab).await?;
        ensure!(found == all, "{found} points, but only {all} were sent");
        Ok(all)
    })
}

async fn compare_slice(
    http: &reqwest::Client,
    lab: &Lab,
    source: &str,
    seqs: std::ops::Range<u64>,
) -> Result<u64> {
    let text = format!(
        "SELECT id, {}, {} FROM {} WHERE source = '{source}' AND time >= {}ms AND time < {}ms",
        probe::VALUE,
        probe::COUNT,
        probe::TYPE,
        lab.time(seqs.start),
        lab.time(seqs.end),
    );
    let answer = query(http, lab, &text).await?;
    let rows = rows(&answer);
    let count = seqs.end - seqs.start;
    ensure!(
        rows.len() as u64 == count,
        "{} points of `{source}` where {count} were sent, from seq {} on",
        rows.len(),
        seqs.start
    );
    for (seq, row) in seqs.zip(&rows) {
        let part = |at: usize| row.get(at).with_context(|| format!("{row}"));
        let same = part(0)?.as_i64() == Some(lab.time(seq))
            && part(1)?.as_str() == Some(&probe::id(seq))
            && part(2)?
                .as_f64()
                .is_some_and(|value| value.to_bits() == probe::value(source, seq).to_bits())
            && part(3)?.as_i64() == Some(probe::count(source, seq));
        ensure!(same, "seq {seq} of `{source}` is stored as {row}");
    }
    Ok(count)
}
