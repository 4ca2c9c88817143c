//! `homelog simulate --backfill`: pours the past of the simulated home into a running Homelog, as if it had been there.

mod batches;
mod door;

use std::{collections::BTreeSet, time::Instant};

use anyhow::{Context, anyhow};
use collector::{integrations, name_of_host};
use schemas::Timestamp;
use simulators::{Past, local_offset_seconds};
use tokio::sync::mpsc;

use super::{progress, user::say};
use crate::{cli::SimulateArgs, outcome::Failure};
use batches::Batches;
use door::Door;

/// As long as readings are kept where nothing else is set: an older past would be refused.
const LONGEST: i64 = 30 * 24 * 3600 * 1000;
/// Batches that wait to be sent.
const WAITING: usize = 2;

pub(crate) async fn run(args: &SimulateArgs, length: i64) -> Result<(), Failure> {
    if length > LONGEST {
        return Err(Failure::usage("homelog: --backfill is at most 30d"));
    }
    let (Some(url), Some(file)) = (&args.past.into, &args.past.token_file) else {
        return Err(Failure::usage(
            "homelog: --backfill needs --into and --token-file",
        ));
    };
    let hostname = hostname::get().context("this machine has no name")?;
    let now = Timestamp::now();
    let until = Timestamp::parse(&args.past.until, now)
        .map_err(|e| Failure::usage(format!("homelog: --until: {e}")))?
        .min(now);
    let past = Past {
        seed: args.seed,
        offset_seconds: local_offset_seconds(),
        from: until.plus_millis(-length),
        until,
        agent: name_of_host(&hostname.to_string_lossy()).to_string(),
    };
    let door = Door::open(url, file)?;
    pour(past, &door).await
}

async fn pour(past: Past, door: &Door) -> Result<(), Failure> {
    let begun = Instant::now();
    let (from, until) = (past.from, past.until);
    let length = u64::try_from(until.since(from)).unwrap_or(0);
    let bar = progress::bar_of_time(length, "pouring");
    let (sender, mut batches) = mpsc::channel(WAITING);
    let telling = tokio::task::spawn_blocking(move || {
        let mut batches = Batches::new(sender);
        past.tell(
            |kind| integrations::find(kind).is_some(),
            |event| batches.add(&event),
        )?;
        batches.finish()
    });
    let (mut accepted, mut known) = (0, 0);
    let mut sources = BTreeSet::new();
    while let Some(batch) = batches.recv().await {
        let answer = door.push(&batch).await?;
        accepted += answer.accepted;
        known += answer.duplicates;
        sources.extend(batch.sources);
        bar.set_position(u64::try_from(batch.until.since(from)).unwrap_or(0));
    }
    telling
        .await
        .map_err(|e| anyhow!("the past could not be told: {e}"))??;
    bar.finish_and_clear();
    let again = if known > 0 {
        format!(", {known} were there already")
    } else {
        String::new()
    };
    say(&format!(
        "{accepted} events of {} sources in {:.1} s, from {from} until {until}{again}",
        sources.len(),
        begun.elapsed().as_secs_f64()
    ))
}
