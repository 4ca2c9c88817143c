use std::fmt;

use schemas::{Entity, EventType, Fields, Timestamp};

/// Most events that one poll may bring; the rest is counted as dropped.
const MOST_EVENTS: usize = 20_000;

/// What was observed, on its way out of an integration.
#[derive(Debug)]
pub struct Batch {
    time: Option<Timestamp>,
    events: Vec<Observation>,
    dropped: u64,
    findings: Vec<Finding>,
}

/// Something that a source, which works, found to be down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is down.
    pub what: String,
    /// Why, as a stable name.
    pub class: &'static str,
    /// Why, in words.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.message)
    }
}

/// One observation.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) event_type: EventType,
    pub(crate) time: Timestamp,
    pub(crate) entity: Entity,
    pub(crate) fields: Fields,
}

impl Batch {
    /// Of a poll: all its samples carry the time at which it began.
    pub(crate) fn at(time: Timestamp) -> Self {
        Self {
            time: Some(time),
            events: Vec::new(),
            dropped: 0,
            findings: Vec::new(),
        }
    }

    /// Of a service that speaks by itself: each sample carries the time at which it came.
    pub(crate) fn live() -> Self {
        Self {
            time: None,
            events: Vec::new(),
            dropped: 0,
            findings: Vec::new(),
        }
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The time that samples carry: when the poll began.
    pub fn time(&self) -> Timestamp {
        self.time.unwrap_or_else(Timestamp::now)
    }

    /// Adds a reading. One without fields is no reading.
    pub fn sample(&mut self, entity: Entity, fields: Fields) {
        self.push(EventType::Sample, self.time(), entity, fields);
    }

    /// Adds a state that moved, with the service's own time where it gives one.
    pub fn change(&mut self, time: Timestamp, entity: Entity, fields: Fields) {
        self.push(EventType::Change, time, entity, fields);
    }

    /// Adds what a poll found to be down, for a source whose purpose is to look for that. The source itself works, but who
    /// asks how it does is told.
    pub fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(crate) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    fn push(&mut self, event_type: EventType, time: Timestamp, entity: Entity, fields: Fields) {
        if fields.is_empty() {
            return;
        }
        if self.events.len() >= MOST_EVENTS {
            self.dropped += 1;
            return;
        }
        self.events.push(Observation {
            event_type,
            time,
            entity,
            fields,
        });
    }

    pub(crate) fn into_parts(self) -> (Vec<Observation>, u64) {
        (self.events, self.dropped)
    }
}
