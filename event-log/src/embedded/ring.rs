use std::{collections::VecDeque, sync::Arc};

use schemas::{Event, Timestamp};

use crate::{Body, Filter, Record};

const MAX_RECORDS: usize = 1024;
/// Of estimated memory.
const MAX_BYTES: usize = 1536 * 1024;

/// The newest events, decoded, so that who follows the log reads neither disk nor JSON.
#[derive(Debug)]
pub(super) struct Ring {
    /// Offset of the first record.
    first: u64,
    records: VecDeque<(Record, usize)>,
    bytes: usize,
}

impl Ring {
    /// An empty ring at the end of a log.
    pub(super) const fn new(next: u64) -> Self {
        Self {
            first: next,
            records: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Adds the next event; `encoded` is its length as JSON.
    pub(super) fn push(&mut self, logged: Timestamp, event: Arc<Event>, encoded: usize) {
        // names, values and the nodes of two maps take about three times the JSON
        let cost = encoded * 3 + 256;
        let offset = self.first + self.records.len() as u64;
        self.bytes += cost;
        self.records.push_back((
            Record {
                partition: 0,
                offset,
                logged,
                body: Body::Event(event),
            },
            cost,
        ));
        while self.records.len() > MAX_RECORDS || self.bytes > MAX_BYTES {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, cost)) = self.records.pop_front() {
            self.bytes -= cost;
            self.first += 1;
        }
    }

    /// Drops what lies before an offset.
    pub(super) fn trim(&mut self, before: u64) {
        while self.first < before && !self.records.is_empty() {
            self.pop();
        }
        self.first = self.first.max(before);
    }

    /// Whether everything from an offset on is here.
    pub(super) const fn holds(&self, from: u64) -> bool {
        from >= self.first
    }

    /// Up to `limit` wanted records from an offset on, and the offset after what was looked at.
    pub(super) fn read(&self, from: u64, filter: &Filter, limit: usize) -> (Vec<Record>, u64) {
        let skip = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let mut records = Vec::new();
        let mut next = from;
        for (record, _) in self.records.iter().skip(skip) {
            if records.len() >= limit {
                break;
            }
            next = record.offset + 1;
            if record.event().is_none_or(|event| filter.wants(event)) {
                records.push(record.clone());
            }
        }
        (records, next)
    }
}
