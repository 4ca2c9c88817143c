//! Into stdout, one JSON object a line.

use std::io::{BufWriter, ErrorKind, StdoutLock, Write};

use anyhow::Context;
use event_log::{Body, EventLog, ReadError};
use indicatif::ProgressBar;

use super::Replay;
use crate::{commands::progress, outcome::Failure};

pub(super) async fn run(replay: &Replay) -> Result<(), Failure> {
    let start = replay.start().await?;
    let newest = replay.log.bounds().await?.newest;
    let mut writing = Writing {
        bar: progress::bar(newest.events_since(&start), "replay"),
        out: BufWriter::new(std::io::stdout().lock()),
        unreadable: 0,
    };
    let ended = writing.run(replay, start).await;
    writing.bar.finish_and_clear();
    match ended {
        // who reads may stop at any time
        Err(e) if is_closed(&e) => Ok(()),
        Err(e) => Err(e.into()),
        Ok(()) if writing.unreadable > 0 => Err(anyhow::anyhow!(
            "{} entries of the log cannot be read and were left out: `homelog verify` names them",
            writing.unreadable
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

struct Writing {
    bar: ProgressBar,
    out: BufWriter<StdoutLock<'static>>,
    unreadable: u64,
}

impl Writing {
    async fn run(&mut self, replay: &Replay, start: schemas::Position) -> anyhow::Result<()> {
        let query = replay.query();
        let mut position = start;
        loop {
            let batch = match replay.log.read(&position, &query).await {
                Ok(batch) => batch,
                Err(ReadError::PositionGone { oldest, .. }) if !position.reaches(&oldest) => {
                    eprintln!("homelog: events up to {oldest} were dropped by retention meanwhile");
                    position = oldest;
                    continue;
                }
                Err(e) => return Err(e.into()),
            };
            let mut after = position.clone();
            for record in &batch.records {
                after.advance(record.partition, record.offset);
                let Body::Event(event) = &record.body else {
                    self.unreadable += 1;
                    continue;
                };
                let shown = query_api::api_event(event, record.logged, &after);
                serde_json::to_writer(&mut self.out, &shown).map_err(std::io::Error::from)?;
                self.out.write_all(b"\n")?;
            }
            // the next read may wait until its events are due
            self.out.flush().context("stdout cannot be written to")?;
            self.bar.inc(batch.next.events_since(&position));
            position = batch.next;
            if batch.at_end {
                return Ok(());
            }
        }
    }
}
