use schemas::{Epoch, SourceName};

use crate::SequenceState;

/// Most ranges of missing seqs that are remembered of one writer.
pub(crate) const MAX_HOLES: usize = 1000;

/// Highest seq that may be: what a signed 64-bit integer holds.
const MAX_SEQ: u64 = i64::MAX.unsigned_abs();

/// What one writer's sequence knows of a seq.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// It was not in the log before.
    New,
    /// It is or was in the log.
    Taken,
    /// Taking it would leave more holes than are remembered.
    TooManyHoles,
}

/// Which seqs of one (source, epoch) were in the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sequence {
    last: u64,
    /// Inclusive, ascending, apart from each other, all below `last`.
    holes: Vec<(u64, u64)>,
}

impl Sequence {
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// The seq that the log assigns next, unless they are used up.
    pub(crate) fn next(&self) -> Option<u64> {
        (self.last < MAX_SEQ).then(|| self.last + 1)
    }

    fn hole_of(&self, seq: u64) -> Option<usize> {
        let at = self.holes.partition_point(|&(_, to)| to < seq);
        self.holes
            .get(at)
            .filter(|&&(from, _)| from <= seq)
            .map(|_| at)
    }

    /// Whether a seq can be taken. Changes nothing.
    pub(crate) fn place(&self, seq: u64) -> Place {
        let full = self.holes.len() >= MAX_HOLES;
        if seq > self.last {
            return if full && seq > self.last + 1 {
                Place::TooManyHoles
            } else {
                Place::New
            };
        }
        match self.hole_of(seq).and_then(|at| self.holes.get(at)) {
            Some(&(from, to)) if full && from < seq && seq < to => Place::TooManyHoles,
            Some(_) => Place::New,
            None => Place::Taken,
        }
    }

    /// Takes a seq that [`Sequence::place`] called new.
    pub(crate) fn take(&mut self, seq: u64) {
        if seq > self.last {
            if seq > self.last + 1 {
                self.holes.push((self.last + 1, seq - 1));
            }
            self.last = seq;
        } else if let Some(at) = self.hole_of(seq)
            && let Some(&(from, to)) = self.holes.get(at)
        {
            let left = (from < seq).then(|| (from, seq - 1));
            let right = (seq < to).then(|| (seq + 1, to));
            self.holes
                .splice(at..=at, [left, right].into_iter().flatten());
        }
    }

    /// The holes as they are stored: `3-5,9-9`.
    pub(crate) fn holes_text(&self) -> String {
        let ranges: Vec<String> = self
            .holes
            .iter()
            .map(|(from, to)| format!("{from}-{to}"))
            .collect();
        ranges.join(",")
    }

    /// Reads what was stored; `None` if it breaks a rule of this type.
    pub(crate) fn from_stored(last: u64, holes: &str) -> Option<Self> {
        let holes = holes
            .split(',')
            .filter(|range| !range.is_empty())
            .map(|range| {
                let (from, to) = range.split_once('-')?;
                Some((from.parse().ok()?, to.parse().ok()?))
            })
            .collect::<Option<Vec<(u64, u64)>>>()?;
        let mut end = 0;
        for &(from, to) in &holes {
            if from <= end || to < from || to >= last {
                return None;
            }
            end = to;
        }
        Some(Self { last, holes })
    }

    pub(crate) fn state(&self, source: SourceName, epoch: Epoch) -> SequenceState {
        SequenceState {
            source,
            epoch,
            last_seq: self.last,
            holes: self.holes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_knows_exactly_what_it_took(seqs in proptest::collection::vec(1..60_u64, 0..80)) {
            let mut sequence = Sequence::default();
            let mut taken = BTreeSet::new();
            for seq in seqs {
                let new = taken.insert(seq);
                prop_assert_eq!(sequence.place(seq) == Place::New, new);
                if new {
                    sequence.take(seq);
                }
                let stored = Sequence::from_stored(sequence.last, &sequence.holes_text());
                prop_assert_eq!(stored.as_ref(), Some(&sequence));
            }
            let last = taken.last().copied().unwrap_or(0);
            prop_assert_eq!(sequence.last, last);
            for seq in 1..=last {
                prop_assert_eq!(sequence.place(seq) == Place::Taken, taken.contains(&seq));
            }
        }
    }

    #[test]
    fn holes_are_bounded() {
        let mut sequence = Sequence::default();
        for n in 1..=MAX_HOLES as u64 {
            assert_eq!(sequence.place(n * 10), Place::New);
            sequence.take(n * 10);
        }
        let last = sequence.last;
        assert_eq!(sequence.place(last + 2), Place::TooManyHoles);
        assert_eq!(
            sequence.place(5),
            Place::TooManyHoles,
            "it would split a hole"
        );
        assert_eq!(sequence.place(1), Place::New, "it only shrinks a hole");
        assert_eq!(sequence.place(last + 1), Place::New);
    }

    #[test]
    fn what_breaks_the_rules_is_not_read() {
        for holes in ["5-3", "1-2,2-4", "0-1", "9-10", "x", "1", "1-2;4-5"] {
            assert_eq!(Sequence::from_stored(10, holes), None, "{holes}");
        }
    }
}
