use std::collections::BTreeMap;

use schemas::{Dropped, Epoch, Event, SourceName, name::SourceKind};

/// Of one writer: what its source is, and inclusive ranges.
type Gone = (SourceKind, Vec<(u64, u64)>);

/// Seqs that will never come, by writer.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    by_writer: BTreeMap<(SourceName, Epoch), Gone>,
    events: u64,
}

impl Ranges {
    /// Adds an event that goes. If it declared others, they are declared anew with it.
    pub(crate) fn add(&mut self, event: &Event) {
        self.events += 1;
        self.insert(
            &event.source,
            &event.epoch,
            &event.kind,
            (event.seq, event.seq),
        );
        if let Some(earlier) = Dropped::of(event) {
            let range = (earlier.from_seq, earlier.to_seq);
            self.insert(&earlier.source, &earlier.epoch, &event.kind, range);
        }
    }

    fn insert(&mut self, source: &SourceName, epoch: &Epoch, kind: &SourceKind, range: (u64, u64)) {
        let (_, ranges) = self
            .by_writer
            .entry((source.clone(), epoch.clone()))
            .or_insert_with(|| (kind.clone(), Vec::new()));
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(range.0) => *last = range.1,
            _ => ranges.push(range),
        }
    }

    /// How many events go.
    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    /// What is to be declared, each range once.
    pub(crate) fn declarations(self, reason: &str) -> Vec<(Dropped, SourceKind)> {
        let mut declarations = Vec::new();
        for ((source, epoch), (kind, mut ranges)) in self.by_writer {
            ranges.sort_unstable();
            let mut merged: Vec<(u64, u64)> = Vec::new();
            for (from, to) in ranges {
                match merged.last_mut() {
                    Some((_, last)) if from <= last.saturating_add(1) => *last = (*last).max(to),
                    _ => merged.push((from, to)),
                }
            }
            declarations.extend(merged.into_iter().map(|(from_seq, to_seq)| {
                let dropped = Dropped {
                    source: source.clone(),
                    epoch: epoch.clone(),
                    from_seq,
                    to_seq,
                    reason: reason.to_owned(),
                };
                (dropped, kind.clone())
            }));
        }
        declarations
    }
}
