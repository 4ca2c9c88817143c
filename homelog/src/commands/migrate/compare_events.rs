//! Reads both logs anew and compares what every writer wrote.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
};

use event_log::{Body, EventLog, Filter, ReadQuery};
use schemas::{Epoch, SourceName, codec};

use crate::{
    commands::{progress, user::say},
    outcome::Failure,
};

const BATCH: usize = 2_000;

/// What one writer wrote, in its order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Written {
    events: u64,
    digest: u64,
}

type Writers = BTreeMap<(SourceName, Epoch), Written>;

/// Adds what differs.
pub(super) async fn compare(
    here: &dyn EventLog,
    there: &dyn EventLog,
    differences: &mut Vec<String>,
) -> Result<(), Failure> {
    let mine = read(here, "read events here").await?;
    let other = read(there, "read events there").await?;
    for ((source, epoch), written) in &mine {
        let found = other.get(&(source.clone(), epoch.clone()));
        let what = match found {
            Some(found) if found == written => continue,
            None => format!("{} events, and none there", written.events),
            Some(found) if found.events != written.events => {
                format!("{} events, and {} there", written.events, found.events)
            }
            Some(_) => "the events are not the same".to_owned(),
        };
        differences.push(format!("source {source}, epoch {epoch}: {what}"));
    }
    let events: u64 = mine.values().map(|written| written.events).sum();
    say(&format!(
        "events: {events} of {} writers were read from both logs and compared",
        mine.len()
    ))
}

async fn read(log: &dyn EventLog, what: &'static str) -> anyhow::Result<Writers> {
    let bounds = log.bounds().await?;
    let bar = progress::bar(bounds.newest.events_since(&bounds.oldest), what);
    let query = ReadQuery {
        filter: Filter::default(),
        limit: BATCH,
    };
    let mut writers = Writers::new();
    let mut position = bounds.oldest;
    let mut bytes = Vec::new();
    loop {
        let batch = log.read(&position, &query).await?;
        for record in &batch.records {
            let Body::Event(event) = &record.body else {
                continue;
            };
            bytes.clear();
            codec::encode(event, &mut bytes)?;
            let key = (event.source.clone(), event.epoch.clone());
            let written = writers.entry(key).or_default();
            written.events += 1;
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(written.digest);
            hasher.write(&bytes);
            written.digest = hasher.finish();
        }
        bar.inc(batch.next.events_since(&position));
        position = batch.next;
        if batch.at_end {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(writers)
}
