//! `homelog replay`: past events to stdout, also while `homelog up` runs.

use std::{
    io::{BufWriter, ErrorKind, StdoutLock, Write},
    time::Duration,
};

use anyhow::Context;
use event_log::{Body, Embedded, EventLog, Filter, ReadError, ReadQuery};
use indicatif::ProgressBar;
use schemas::{Position, Timestamp, limits};
use tokio::time::Instant;

use super::progress;
use crate::{
    cli::{ReplayArgs, Speed, Target},
    data_dir,
    env::Env,
    outcome::Failure,
};

/// Records of one read.
const BATCH: usize = 1_000;

pub(crate) async fn run(args: ReplayArgs, env: &Env) -> Result<(), Failure> {
    let now = Timestamp::now();
    let instant = |flag: &str, text: &str| {
        Timestamp::parse(text, now).map_err(|e| Failure::usage(format!("homelog: {flag}: {e}")))
    };
    let (from, to) = (instant("--from", &args.from)?, instant("--to", &args.to)?);
    if from >= to {
        return Err(Failure::usage(format!(
            "homelog: --from {from} is not before --to {to}"
        )));
    }
    let Target::Stdout = args.into;
    let dir = data_dir::existing(args.data.data.as_deref(), env)?;
    let log = Embedded::open_read_only(&dir)?;
    // a clock that is ahead puts an event's time after the time at which it was logged
    let start = log.seek(from.plus_millis(-limits::FUTURE_SKEW_MS)).await?;
    let newest = log.bounds().await?.newest;
    let mut replay = Replay {
        query: ReadQuery {
            filter: Filter {
                sources: args.source,
                entities: args.entity,
                from: Some(from),
                to: Some(to),
                ..Filter::default()
            },
            limit: BATCH,
        },
        bar: progress::bar(newest.events_since(&start), "replay"),
        out: BufWriter::new(std::io::stdout().lock()),
        pace: Pace::new(args.speed),
        unreadable: 0,
    };
    let ended = replay.run(&log, start).await;
    replay.bar.finish_and_clear();
    match ended {
        // who reads may stop at any time
        Err(e) if is_closed(&e) => Ok(()),
        Err(e) => Err(e.into()),
        Ok(()) if replay.unreadable > 0 => Err(anyhow::anyhow!(
            "{} entries of the log cannot be read and were left out: `homelog verify` names them",
            replay.unreadable
        )
        .into()),
        Ok(()) => Ok(()),
    }
}

fn is_closed(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

struct Replay {
    query: ReadQuery,
    bar: ProgressBar,
    out: BufWriter<StdoutLock<'static>>,
    pace: Pace,
    unreadable: u64,
}

impl Replay {
    async fn run(&mut self, log: &Embedded, start: Position) -> anyhow::Result<()> {
        let mut position = start;
        loop {
            let batch = match log.read(&position, &self.query).await {
                Ok(batch) => batch,
                Err(ReadError::PositionGone { oldest, .. }) if !position.reaches(&oldest) => {
                    eprintln!("homelog: events up to {oldest} were dropped by retention meanwhile");
                    position = oldest;
                    continue;
                }
                Err(e) => return Err(e.into()),
            };
            for record in &batch.records {
                let Body::Event(event) = &record.body else {
                    self.unreadable += 1;
                    continue;
                };
                if let Some(wait) = self.pace.wait(event.time) {
                    self.out.flush()?;
                    tokio::time::sleep_until(wait).await;
                }
                let mut after = position.clone();
                after.advance(record.partition, record.offset);
                let shown = query_api::api_event(event, record.logged, &after);
                serde_json::to_writer(&mut self.out, &shown).map_err(std::io::Error::from)?;
                self.out.write_all(b"\n")?;
            }
            self.bar.inc(batch.next.events_since(&position));
            position = batch.next;
            if batch.at_end {
                return self.out.flush().context("stdout cannot be written to");
            }
        }
    }
}

/// Keeps the distances between events, shortened by a factor.
struct Pace {
    speed: Speed,
    began: Option<(Instant, Timestamp)>,
}

impl Pace {
    const fn new(speed: Speed) -> Self {
        Self { speed, began: None }
    }

    /// Until when to wait before an event of that time is shown.
    fn wait(&mut self, time: Timestamp) -> Option<Instant> {
        let Speed::Times(factor) = self.speed else {
            return None;
        };
        let now = Instant::now();
        let (start, first) = *self.began.get_or_insert((now, time));
        let since = u64::try_from(time.since(first)).ok()?;
        let due = start + Duration::from_millis(since).div_f64(factor);
        (due > now).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn distances_are_kept_and_shortened() {
        let mut pace = Pace::new(Speed::Times(10.0));
        let start = Instant::now();
        let at = Timestamp::from_millis;
        assert_eq!(pace.wait(at(1_000_000)), None);
        assert_eq!(
            pace.wait(at(1_005_000)),
            Some(start + Duration::from_millis(500))
        );
        assert_eq!(pace.wait(at(999_000)), None, "late events do not wait");
        assert_eq!(Pace::new(Speed::Max).wait(at(1)), None);
    }
}
