//! Writes a plausible past through the real pipeline (log, ingest's projection, store) into a data directory:
//! `cargo run --release -p homelog-benches --bin week -- --data DIR --hours 168 --entities 330`.

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use event_log::{EventLog, Filter, Outcome, ReadQuery, Urgency};
use homelog_benches::Homelab;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::{KnownEntities, Limits, project};
use schemas::{Catalog, Position, Timestamp};
use time_series::{TimeSeries, WriteBatch};

#[derive(Parser)]
struct Options {
    /// Where `log.db` and `series.db` are made.
    #[arg(long)]
    data: PathBuf,
    /// How far back the past begins.
    #[arg(long, default_value_t = 168)]
    hours: u32,
    /// How many entities are read.
    #[arg(long, default_value_t = 330)]
    entities: usize,
    /// Seconds between readings.
    #[arg(long, default_value_t = 5)]
    interval: u32,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let options = Options::parse();
    std::fs::create_dir_all(&options.data)?;
    let log = event_log::Embedded::open(&options.data, event_log::embedded::Options::default())?;
    let store = time_series::Embedded::open(
        options.data.join("series.db"),
        time_series::embedded::Options::default(),
    )?;
    let catalog = Catalog::default();
    let mut known = KnownEntities::default();
    let mut lab = Homelab::new(options.entities, 42)?;
    let mut position = store.position().await?.unwrap_or(Position::start(1));

    let interval = i64::from(options.interval) * 1000;
    let polls = u64::from(options.hours) * 3600 / u64::from(options.interval);
    let mut time = Timestamp::now().plus_millis(-i64::try_from(polls)? * interval);
    let bar =
        ProgressBar::new(polls * options.entities as u64).with_style(ProgressStyle::with_template(
            "{wide_bar} {human_pos}/{human_len} events, {per_sec}, {eta}",
        )?);
    let begun = Instant::now();
    let mut samples = 0_u64;
    let mut done = 0_u64;
    while done < polls {
        // several polls an append, as a group commit of a busy minute
        let together = (polls - done).min(3);
        let mut drafts = Vec::with_capacity(options.entities * 3);
        for _ in 0..together {
            drafts.extend(lab.poll(time));
            time = time.plus_millis(interval);
        }
        done += together;
        let count = drafts.len() as u64;
        let appended = log.append(drafts, Urgency::Soon).await?;
        ensure!(
            appended
                .receipts
                .iter()
                .all(|r| r.outcome == Outcome::Appended),
            "an event was not taken"
        );
        loop {
            let batch = log
                .read(
                    &position,
                    &ReadQuery {
                        filter: Filter::default(),
                        limit: 2_000,
                    },
                )
                .await?;
            let points: Vec<_> = batch
                .records
                .iter()
                .filter_map(|r| project(r, &catalog, &mut known, &Limits::default()).point)
                .collect();
            samples += points.iter().map(|p| p.fields.len() as u64).sum::<u64>();
            position = batch.next.clone();
            store
                .write(WriteBatch {
                    points,
                    position: position.clone(),
                })
                .await?;
            if batch.at_end {
                break;
            }
        }
        bar.inc(count);
    }
    store.close().await.context("flush")?;
    log.close().await.context("close the log")?;
    bar.finish();
    let seconds = begun.elapsed().as_secs_f64();
    let size = |name: &str| std::fs::metadata(options.data.join(name)).map_or(0, |m| m.len());
    let (log_bytes, series_bytes) = (size("log.db"), size("series.db"));
    let events = polls * options.entities as u64;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let each = |bytes: u64, of: u64| bytes as f64 / of as f64;
    #[expect(clippy::print_stdout, reason = "what the program is for")]
    {
        println!(
            "{events} events, {samples} samples in {seconds:.1} s: {:.0} samples/s",
            each(samples, 1) / seconds
        );
        println!(
            "log.db {log_bytes} bytes, {:.1} an event",
            each(log_bytes, events)
        );
        println!(
            "series.db {series_bytes} bytes, {:.3} a sample",
            each(series_bytes, samples)
        );
    }
    Ok(())
}
