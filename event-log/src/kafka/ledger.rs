//! Which events a partition held up to an offset, so that those that come again are known.

use std::collections::HashMap;

use schemas::{Epoch, SourceName, Timestamp};
use tracing::warn;

use super::{echoes::Echoes, identity::Id};
use crate::sequence::Sequence;

/// A writer's sequence and when it was last heard of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Known {
    pub(super) sequence: Sequence,
    /// When its last event was logged, in Unix milliseconds.
    pub(super) seen: i64,
}

/// What is known of one partition up to an offset.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Ledger {
    /// Offset after everything that it knows.
    pub(super) next: u64,
    /// When the last record before it was logged, in Unix milliseconds; 0 if that is not known.
    pub(super) last_logged: i64,
    sources: HashMap<SourceName, HashMap<Epoch, Known>>,
    pub(super) echoes: Echoes,
}

/// Where something ends, and by what its end is known again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    /// Offset after its last record.
    pub(super) next: u64,
    /// When the last record before it was logged, in Unix milliseconds; 0 if that is not known.
    pub(super) logged: i64,
}

/// A sequence that is not heard of for so long is forgotten, in milliseconds: nobody sends its events again.
const FORGET_MS: i64 = 90 * 24 * 3600 * 1000;

/// From how many sources on it looks for some that can be forgotten.
const MAX_SOURCES: usize = 100_000;

impl Ledger {
    /// One that knows nothing of what stands before an offset.
    pub(super) fn from(next: u64) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark {
            next: self.next,
            logged: self.last_logged,
        }
    }

    /// Goes on at a later offset. What stands before it is not known.
    pub(super) fn skip_to(&mut self, next: u64) {
        if next > self.next {
            self.next = next;
            self.last_logged = 0;
        }
    }

    /// Takes the record at an offset, which must be the next or later. Returns whether it is new.
    pub(super) fn absorb(&mut self, offset: u64, bytes: &[u8], logged: Timestamp) -> bool {
        self.next = offset + 1;
        self.last_logged = logged.as_millis();
        let Some(id) = Id::scan(bytes) else {
            return true;
        };
        let is_new = self.take(&id, logged.as_millis());
        if !is_new && self.echoes.push(offset) {
            warn!(
                offset,
                "more records stand in the log again than can be remembered: old ones may be read twice"
            );
        }
        is_new
    }

    fn take(&mut self, id: &Id<'_>, logged: i64) -> bool {
        if self.sources.len() > MAX_SOURCES {
            self.tidy(0);
        }
        let known = match self.sources.get_mut(id.source) {
            Some(epochs) => match epochs.get_mut(id.epoch) {
                Some(known) => known,
                None => match Epoch::new(id.epoch) {
                    Ok(epoch) => epochs.entry(epoch).or_default(),
                    Err(_) => return true,
                },
            },
            None => match (SourceName::new(id.source), Epoch::new(id.epoch)) {
                (Ok(source), Ok(epoch)) => self
                    .sources
                    .entry(source)
                    .or_default()
                    .entry(epoch)
                    .or_default(),
                _ => return true,
            },
        };
        known.seen = known.seen.max(logged);
        known.sequence.enter(id.seq)
    }

    pub(super) fn restore(&mut self, source: SourceName, epoch: Epoch, known: Known) {
        self.sources.entry(source).or_default().insert(epoch, known);
    }

    /// Every sequence.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&SourceName, &Epoch, &Known)> {
        self.sources.iter().flat_map(|(source, epochs)| {
            epochs
                .iter()
                .map(move |(epoch, known)| (source, epoch, known))
        })
    }

    /// Forgets what nobody will ask for: echoes that were trimmed, and sequences that ended long ago.
    pub(super) fn tidy(&mut self, low: u64) {
        self.echoes.forget_before(low);
        let oldest = self.last_logged - FORGET_MS;
        for epochs in self.sources.values_mut() {
            epochs.retain(|_, known| known.seen >= oldest);
        }
        self.sources.retain(|_, epochs| !epochs.is_empty());
    }
}

/// The sequences of all partitions together.
pub(super) fn join<'a>(
    ledgers: impl Iterator<Item = &'a Ledger>,
) -> HashMap<(SourceName, Epoch), Sequence> {
    let mut all: HashMap<(SourceName, Epoch), Sequence> = HashMap::new();
    for (source, epoch, known) in ledgers.flat_map(Ledger::iter) {
        all.entry((source.clone(), epoch.clone()))
            .and_modify(|sequence| sequence.join(&known.sequence))
            .or_insert_with(|| known.sequence.clone());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(source: &str, seq: u64) -> Vec<u8> {
        format!(r#"{{"schema":1,"source":"{source}","epoch":"e1","seq":{seq}}}"#).into_bytes()
    }

    #[test]
    fn what_comes_again_is_an_echo() {
        let mut ledger = Ledger::from(10);
        let logged = Timestamp::from_millis(1_700_000_000_000);
        let seqs = [1, 2, 2, 5, 1, 3, 3];
        let new: Vec<bool> = (10..)
            .zip(seqs)
            .map(|(offset, seq)| ledger.absorb(offset, &bytes("nas1", seq), logged))
            .collect();
        assert_eq!(new, [true, true, false, true, false, true, false]);
        assert!(ledger.absorb(17, b"no JSON", logged));
        assert!(ledger.absorb(18, b"no JSON", logged));
        assert_eq!(ledger.next, 19);
        let echoes: Vec<u64> = (10..19).filter(|o| ledger.echoes.contains(*o)).collect();
        assert_eq!(echoes, [12, 14, 16]);
        let joined = join([&ledger].into_iter());
        let sequence = joined.values().next().unwrap();
        assert_eq!(
            (sequence.last(), sequence.holes_text().as_str()),
            (5, "4-4")
        );
    }

    #[test]
    fn sequences_that_ended_long_ago_are_forgotten() {
        let mut ledger = Ledger::default();
        let then = Timestamp::from_millis(1_700_000_000_000);
        ledger.absorb(0, &bytes("old", 1), then);
        ledger.absorb(1, &bytes("nas1", 1), then.plus_millis(FORGET_MS + 1));
        ledger.tidy(0);
        let left: Vec<_> = ledger.iter().map(|(source, ..)| source.as_str()).collect();
        assert_eq!(left, ["nas1"]);
    }
}
