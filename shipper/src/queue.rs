use std::{collections::VecDeque, sync::Arc};

use event_log::Record;
use schemas::{Event, FieldValue, Timestamp};

/// An event of the spool on its way.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) offset: u64,
    pub(crate) logged: Timestamp,
    pub(crate) event: Arc<Event>,
}

impl Item {
    pub(crate) fn of(record: &Record) -> Option<Self> {
        Some(Self {
            offset: record.offset,
            logged: record.logged,
            event: Arc::clone(record.event()?),
        })
    }

    /// What it takes in memory, roughly, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let text = |value: &FieldValue| match value {
            FieldValue::Text(text) => text.len(),
            _ => 0,
        };
        let fields: usize = self
            .event
            .fields
            .iter()
            .map(|(name, value)| 64 + name.as_str().len() + text(value))
            .sum();
        let labels: usize = self
            .event
            .entity
            .labels
            .iter()
            .map(|(name, value)| 64 + name.as_str().len() + value.len())
            .sum();
        256 + fields + labels
    }
}

/// The events of one source that are in memory, in their order.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) waiting: VecDeque<Item>,
    /// The first of those in flight.
    pub(crate) flying: Option<(u64, Timestamp)>,
    /// From here on its events were passed by since there was no room; they are read again.
    pub(crate) behind: Option<u64>,
    /// Whether the destination has it down as ours.
    pub(crate) claimed: bool,
}

impl Queue {
    /// The first offset that is not acknowledged, if it is known to this queue.
    pub(crate) fn first(&self) -> Option<u64> {
        self.flying
            .map(|(offset, _)| offset)
            .or_else(|| self.waiting.front().map(|item| item.offset))
            .or(self.behind)
    }

    /// When the first event in memory was logged.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.flying
            .map(|(_, logged)| logged)
            .or_else(|| self.waiting.front().map(|item| item.logged))
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.claimed && self.flying.is_none() && !self.waiting.is_empty()
    }

    /// Whether all that was read of it is acknowledged.
    pub(crate) fn is_idle(&self) -> bool {
        self.first().is_none()
    }
}
