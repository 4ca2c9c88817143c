use std::time::Instant;

use schemas::{Timestamp, codec::Decoder};

use super::super::{ledger::Ledger, sequences::Beginning};
use crate::{Body, Record, kafka::record::body};

/// A partition that a member has.
pub(super) struct Part {
    /// From where on records are the worker's; those before are only read to know them.
    from: u64,
    /// Offset after what was read.
    pub(super) next: u64,
    /// Offset after the last record, as far as is known.
    pub(super) newest: u64,
    pub(super) ledger: Ledger,
    /// Where the next snapshot goes, and what the last one knew.
    pub(super) slot: u8,
    pub(super) saved: u64,
    pub(super) saved_at: Instant,
    /// Up to where the group was told that it is done, if it was.
    pub(super) told: Option<u64>,
    decoder: Decoder,
}

impl Part {
    pub(super) fn new(from: u64, newest: u64, beginning: Beginning) -> Self {
        // from the snapshot on, however old it is: what it does not know would be taken for new when it comes again, and its
        // absence for a hole that agents are to fill
        let ledger = beginning.ledger;
        Self {
            next: ledger.next.min(from),
            from,
            newest,
            slot: beginning.slot,
            saved: ledger.next,
            saved_at: Instant::now(),
            told: None,
            ledger,
            decoder: Decoder::new(),
        }
    }

    /// Takes what was read at an offset. Returns the record, if it is the worker's and not there again.
    pub(super) fn take(
        &mut self,
        partition: usize,
        offset: u64,
        logged: Timestamp,
        bytes: &[u8],
    ) -> Option<Record> {
        if offset < self.next {
            return None;
        }
        self.next = offset + 1;
        self.newest = self.newest.max(self.next);
        let is_new = if offset < self.ledger.next {
            // a snapshot was made later: it knows which records are there again
            !self.ledger.echoes.contains(offset)
        } else {
            self.ledger.absorb(offset, bytes, logged)
        };
        let body: Body = (is_new && offset >= self.from).then(|| body(&mut self.decoder, bytes))?;
        Some(Record {
            partition,
            offset,
            logged,
            body,
        })
    }

    pub(super) const fn from(&self) -> u64 {
        self.from
    }

    /// Whether the worker's records have begun.
    pub(super) const fn has_begun(&self) -> bool {
        self.next > self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seq: u64) -> Vec<u8> {
        format!(r#"{{"source":"s","epoch":"e","seq":{seq}}}"#).into_bytes()
    }

    fn ledger(seqs: &[u64]) -> Ledger {
        let mut ledger = Ledger::default();
        for (offset, seq) in (0..).zip(seqs) {
            ledger.absorb(offset, &bytes(*seq), Timestamp::from_millis(1));
        }
        ledger
    }

    fn taken(part: &mut Part, seqs: &[u64]) -> Vec<u64> {
        let begin = part.next;
        (begin..)
            .zip(seqs.iter().skip(usize::try_from(begin).unwrap()))
            .filter_map(|(offset, seq)| {
                part.take(0, offset, Timestamp::from_millis(1), &bytes(*seq))
            })
            .map(|record| record.offset)
            .collect()
    }

    #[test]
    fn an_old_snapshot_is_read_on_from_where_it_ends() {
        let beginning = Beginning {
            ledger: ledger(&[1, 2, 3]),
            slot: 0,
        };
        assert_eq!(Part::new(80_000_000, 80_000_001, beginning).next, 3);
    }

    #[test]
    fn wherever_it_begins_and_whatever_the_snapshot_knows_echoes_are_left_out() {
        let seqs = [1, 2, 1, 3, 2, 3, 4, 4, 5];
        let new = [0, 1, 3, 6, 8];
        for known in 0..=seqs.len() {
            for from in 0..=seqs.len() {
                let beginning = Beginning {
                    ledger: ledger(&seqs[..known]),
                    slot: 0,
                };
                let from = from as u64;
                let mut part = Part::new(from, 9, beginning);
                let wanted: Vec<u64> = new.into_iter().filter(|o| *o >= from).collect();
                assert_eq!(
                    taken(&mut part, &seqs),
                    wanted,
                    "known {known}, from {from}"
                );
            }
        }
    }
}
