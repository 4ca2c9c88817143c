//! Events, gathered into bodies of one push each.

use std::{collections::BTreeSet, io::Write};

use anyhow::anyhow;
use flate2::{Compression, write::GzEncoder};
use schemas::{Timestamp, api::PushEvent, limits, name::SourceName};
use tokio::sync::mpsc;

/// A body is closed before it has so many bytes, which is half of what may be pushed.
const MOST_BYTES: usize = limits::PUSH_BYTES / 2;

/// What is pushed at once.
#[derive(Debug)]
pub(super) struct Batch {
    /// One event a line, compressed.
    pub(super) body: Vec<u8>,
    /// The time of the last event.
    pub(super) until: Timestamp,
    /// Whose events they are.
    pub(super) sources: BTreeSet<SourceName>,
}

/// The one that is being filled, and where full ones go.
pub(super) struct Batches {
    sender: mpsc::Sender<Batch>,
    lines: Vec<u8>,
    events: usize,
    until: Timestamp,
    sources: BTreeSet<SourceName>,
}

impl Batches {
    pub(super) fn new(sender: mpsc::Sender<Batch>) -> Self {
        Self {
            sender,
            lines: Vec::new(),
            events: 0,
            until: Timestamp::from_millis(0),
            sources: BTreeSet::new(),
        }
    }

    /// Adds an event; waits while too many batches wait.
    ///
    /// # Errors
    /// Nobody takes batches any more.
    pub(super) fn add(&mut self, event: &PushEvent) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.lines, event)?;
        self.lines.push(b'\n');
        self.events += 1;
        if let Some(time) = event.time {
            self.until = self.until.max(time);
        }
        if !self.sources.contains(&event.source) {
            self.sources.insert(event.source.clone());
        }
        if self.events >= limits::PUSH_EVENTS || self.lines.len() >= MOST_BYTES {
            self.send()?;
        }
        Ok(())
    }

    /// Sends the rest.
    ///
    /// # Errors
    /// Nobody takes batches any more.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        if self.events > 0 {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> anyhow::Result<()> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&self.lines)?;
        let batch = Batch {
            body: encoder.finish()?,
            until: self.until,
            sources: std::mem::take(&mut self.sources),
        };
        self.lines.clear();
        self.events = 0;
        self.sender
            .blocking_send(batch)
            .map_err(|_| anyhow!("nobody takes the events any more"))
    }
}
