//! What it takes to purge a source, for the API as for the command that works on the stores themselves.

use std::time::Duration;

use event_log::{AppendError, DeadLetter, EventLog, LetterId, Purged, ReadError};
use schemas::{
    Draft, Position, Purge, SourceName, Timestamp, codec, limits,
    name::{InvalidName, SourceKind},
};
use serde::Deserialize;
use time_series::EntityState;

/// The kind of a source of which nothing is known any more.
const UNKNOWN: &str = "homelog";
/// How often a step is tried that a busy or full log refuses.
const TRIES: u32 = 30;
const WAIT: Duration = Duration::from_secs(1);
/// Dead letters that are read, or forgotten, at a time.
const LETTERS: usize = 500;

/// The event that marks a purge, from what is known of the source.
///
/// # Errors
/// Never: the parts are valid names.
pub fn mark(
    entities: &[EntityState],
    source: &SourceName,
    now: Timestamp,
    by: &str,
) -> Result<Draft, InvalidName> {
    let purge = Purge {
        source: source.clone(),
        by: by.to_owned(),
    };
    let kind = match entities.first() {
        Some(entity) => entity.kind.clone(),
        None => SourceKind::new(UNKNOWN)?,
    };
    purge.draft(kind, now)
}

/// How many events were ever logged of a source; none if the log never heard of it.
///
/// # Errors
/// The log cannot be read.
pub async fn logged(log: &dyn EventLog, source: &SourceName) -> Result<Option<u64>, ReadError> {
    let states = log.sequences().await?;
    let mut events = None;
    for state in states.iter().filter(|state| state.source == *source) {
        let holes: u64 = state.holes.iter().map(|(from, to)| to - from + 1).sum();
        *events.get_or_insert(0) += state.last_seq.saturating_sub(holes);
    }
    Ok(events)
}

/// Takes what lies before a position out of the log, if it can; for a while also while the log is busy or its disk full.
///
/// # Errors
/// It was cut short: made again, it does the rest.
pub async fn purge_log(
    log: &dyn EventLog,
    source: &SourceName,
    before: &Position,
) -> Result<Purged, AppendError> {
    let mut tries = 0;
    loop {
        match log.purge(source, before).await {
            Err(e) if e.is_transient() && tries < TRIES => {
                tries += 1;
                tracing::warn!(source = %source, "a purge waits: {e}");
                tokio::time::sleep(WAIT).await;
            }
            other => return other,
        }
    }
}

/// Forgets the dead letters of a source. Returns how many there were.
///
/// # Errors
/// The log cannot be read or takes nothing.
pub async fn purge_letters(log: &dyn EventLog, source: &SourceName) -> anyhow::Result<u64> {
    let mut found: Vec<LetterId> = Vec::new();
    let mut skip = 0;
    loop {
        let letters = log.dead_letters(skip, LETTERS).await?;
        skip += letters.len() as u64;
        let of_it = letters.iter().filter(|letter| is_of(letter, source));
        found.extend(of_it.map(DeadLetter::id));
        if letters.len() < LETTERS {
            break;
        }
    }
    for some in found.chunks(LETTERS) {
        log.resolve_dead_letters(some.to_vec()).await?;
    }
    Ok(found.len() as u64)
}

fn is_of(letter: &DeadLetter, source: &SourceName) -> bool {
    #[derive(Deserialize)]
    struct Named {
        source: String,
    }
    match codec::decode(&letter.bytes) {
        Ok(event) => event.source == *source,
        Err(_) => {
            letter.bytes.len() <= limits::EVENT_BYTES
                && serde_json::from_slice::<Named>(&letter.bytes)
                    .is_ok_and(|named| named.source == source.as_str())
        }
    }
}

/// What a purge does not reach, in words; `keep` is how long a log keeps events that cannot take single ones out.
pub fn notes(log: &dyn EventLog, keep: Option<Duration>, now: Timestamp) -> Vec<String> {
    let mut notes = Vec::new();
    if !log.capabilities().purges {
        let until = keep
            .and_then(|keep| i64::try_from(keep.as_millis()).ok())
            .map_or_else(
                || "until its retention drops them".to_owned(),
                |keep| {
                    format!(
                        "until its retention drops them, at the latest on {}",
                        now.plus_millis(keep)
                    )
                },
            );
        notes.push(format!("the event log keeps the events {until}"));
    }
    notes.push(
        "backups that were made before still hold it, and for a day the spool of an agent that sent it"
            .to_owned(),
    );
    notes
}
