use std::{io::Write, sync::Arc};

use flate2::{Compression, write::GzEncoder};
use schemas::{
    Event, EventType, Fields, SourceName,
    event::Entity,
    limits,
    name::{Epoch, SourceKind},
};
use serde::Serialize;

use crate::DestinationError;

/// Most bytes of JSON of one push: a quarter of what a hub takes.
const MOST_BYTES: usize = limits::PUSH_BYTES / 4;

/// One event as `POST /api/v1/events` takes it.
#[derive(Serialize)]
struct Line<'a> {
    source: &'a SourceName,
    kind: &'a SourceKind,
    #[serde(rename = "type")]
    event_type: EventType,
    /// Unix milliseconds.
    time: i64,
    entity: &'a Entity,
    fields: &'a Fields,
    epoch: &'a Epoch,
    seq: u64,
}

/// The body of one push.
pub(super) struct Body {
    pub(super) gzip: Vec<u8>,
    /// How many events it holds: fewer than were given where they are large.
    pub(super) events: usize,
}

impl Body {
    /// Writes as many events as one body holds, on a thread of its own: some ten milliseconds of work.
    pub(super) async fn of(events: Vec<Arc<Event>>) -> Result<Self, DestinationError> {
        let failed = |cause: &dyn std::fmt::Display| {
            DestinationError::denied(format!("events cannot be written for the hub: {cause}"))
        };
        tokio::task::spawn_blocking(move || write(&events))
            .await
            .map_err(|e| failed(&e))?
            .map_err(|e| failed(&e))
    }
}

fn write(events: &[Arc<Event>]) -> std::io::Result<Body> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(2));
    let mut line = Vec::new();
    let mut bytes = 0;
    let mut count = 0;
    for event in events {
        line.clear();
        serde_json::to_writer(
            &mut line,
            &Line {
                source: &event.source,
                kind: &event.kind,
                event_type: event.event_type,
                time: event.time.as_millis(),
                entity: &event.entity,
                fields: &event.fields,
                epoch: &event.epoch,
                seq: event.seq,
            },
        )?;
        line.push(b'\n');
        if count > 0 && bytes + line.len() > MOST_BYTES {
            break;
        }
        encoder.write_all(&line)?;
        bytes += line.len();
        count += 1;
    }
    Ok(Body {
        gzip: encoder.finish()?,
        events: count,
    })
}
