use std::{collections::HashMap, time::Instant};

use schemas::{Epoch, SourceName};

use super::{
    ledger::{self, Ledger},
    ring::Ring,
    sequences::Beginning,
};
use crate::sequence::Sequence;

/// What is known of the partitions up to where they were followed.
pub(super) struct View {
    pub(super) ledgers: Vec<Ledger>,
    pub(super) ring: Ring,
    saved: Vec<Saved>,
}

/// When a partition's ledger was last saved.
struct Saved {
    slot: u8,
    next: u64,
    at: Instant,
}

/// A ledger is saved when so many records came since.
const MANY: u64 = 200_000;
/// … but not more often than this.
const OFTEN: std::time::Duration = std::time::Duration::from_secs(30);
/// … and after this time in any case.
const SELDOM: std::time::Duration = std::time::Duration::from_mins(5);

impl View {
    pub(super) fn new(beginnings: Vec<Beginning>) -> Self {
        let now = Instant::now();
        let saved = beginnings.iter().map(|beginning| Saved {
            slot: beginning.slot,
            next: beginning.ledger.next,
            at: now,
        });
        Self {
            saved: saved.collect(),
            ring: Ring::new(beginnings.iter().map(|beginning| beginning.ledger.next)),
            ledgers: beginnings.into_iter().map(|b| b.ledger).collect(),
        }
    }

    /// The sequences of all partitions together.
    pub(super) fn known(&self) -> HashMap<(SourceName, Epoch), Sequence> {
        ledger::join(self.ledgers.iter())
    }

    /// Begins a partition anew.
    pub(super) fn reset(&mut self, partition: usize, beginning: Beginning) {
        self.ring.reset(partition, beginning.ledger.next);
        if let (Some(ledger), Some(saved)) = (
            self.ledgers.get_mut(partition),
            self.saved.get_mut(partition),
        ) {
            saved.slot = beginning.slot;
            saved.next = beginning.ledger.next;
            *ledger = beginning.ledger;
        }
    }

    /// The partitions whose ledgers are to be saved now; with `all`, those that changed at all.
    pub(super) fn unsaved(&self, all: bool) -> Vec<usize> {
        let due = |(partition, (ledger, saved)): (usize, (&Ledger, &Saved))| {
            let came = ledger.next.saturating_sub(saved.next);
            let is_due = came > 0
                && (all
                    || saved.at.elapsed() >= SELDOM
                    || (came >= MANY && saved.at.elapsed() >= OFTEN));
            is_due.then_some(partition)
        };
        (0..)
            .zip(self.ledgers.iter().zip(&self.saved))
            .filter_map(due)
            .collect()
    }

    /// Where a partition's ledger is to be saved; from now on it counts as saved.
    pub(super) fn slot(&mut self, partition: usize) -> Option<u8> {
        let ledger = self.ledgers.get(partition)?;
        let saved = self.saved.get_mut(partition)?;
        let slot = saved.slot;
        *saved = Saved {
            slot: 1 - slot,
            next: ledger.next,
            at: Instant::now(),
        };
        Some(slot)
    }
}
