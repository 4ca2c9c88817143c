use std::collections::HashMap;

use schemas::{Epoch, SourceName};

use crate::SequenceState;

/// Most ranges of missing seqs that are remembered of one writer.
pub const MAX_HOLES: usize = 1000;

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
    fn take(&mut self, seq: u64) {
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

    /// Takes a seq unless it was taken before, with room made for it where there is none. Returns whether it was new.
    pub(crate) fn enter(&mut self, seq: u64) -> bool {
        if self.place(seq) == Place::Taken {
            return false;
        }
        self.make_room(seq);
        self.take(seq);
        true
    }

    /// Closes what is missing longest, if a seq can be taken only so: a late event of that is then called a duplicate.
    fn make_room(&mut self, seq: u64) {
        if self.place(seq) != Place::TooManyHoles {
            return;
        }
        match self.holes.first_mut() {
            Some((from, to)) if (*from..=*to).contains(&seq) => *from = seq,
            Some(_) => {
                self.holes.remove(0);
            }
            None => {}
        }
    }

    /// Gives a seq back that was taken but did not come to be.
    pub(crate) fn give_back(&mut self, seq: u64) {
        if self.place(seq) != Place::Taken || seq == 0 {
            return;
        }
        let at = self.holes.partition_point(|&(_, to)| to < seq);
        self.holes.insert(at, (seq, seq));
        self.mend();
    }

    /// Takes all that another took.
    pub(crate) fn join(&mut self, other: &Self) {
        let last = self.last.max(other.last);
        let missing = |sequence: &Self| {
            let mut missing = sequence.holes.clone();
            if sequence.last < last {
                missing.push((sequence.last + 1, last));
            }
            missing
        };
        let (own, others) = (missing(self), missing(other));
        let mut holes = Vec::new();
        for &(from, to) in &own {
            let begin = others.partition_point(|&(_, end)| end < from);
            for &(other_from, other_to) in others.iter().skip(begin) {
                if other_from > to {
                    break;
                }
                holes.push((from.max(other_from), to.min(other_to)));
            }
        }
        // the oldest are closed, as they are one by one
        holes.drain(..holes.len().saturating_sub(MAX_HOLES));
        self.last = last;
        self.holes = holes;
    }

    /// Joins holes that touch, and moves the end back over one that reaches it.
    fn mend(&mut self) {
        self.holes.dedup_by(|next, hole| {
            let touch = hole.1 + 1 == next.0;
            if touch {
                hole.1 = next.1;
            }
            touch
        });
        if let Some(&(from, to)) = self.holes.last()
            && to >= self.last
        {
            self.last = from - 1;
            self.holes.pop();
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

/// What is told of many sequences, by source and epoch.
pub(crate) fn states(known: &HashMap<(SourceName, Epoch), Sequence>) -> Vec<SequenceState> {
    let mut states: Vec<_> = known
        .iter()
        .map(|((source, epoch), sequence)| sequence.state(source.clone(), epoch.clone()))
        .collect();
    states.sort_unstable_by(|a, b| (&a.source, &a.epoch).cmp(&(&b.source, &b.epoch)));
    states
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

    fn of(seqs: &BTreeSet<u64>) -> Sequence {
        let mut sequence = Sequence::default();
        for &seq in seqs {
            sequence.take(seq);
        }
        sequence
    }

    proptest! {
        #[test]
        fn what_is_given_back_was_never_there(
            seqs in proptest::collection::btree_set(1..40_u64, 0..40),
            back in proptest::collection::vec(1..40_u64, 0..40),
        ) {
            let mut sequence = of(&seqs);
            let mut left = seqs;
            for seq in back {
                sequence.give_back(seq);
                left.remove(&seq);
                prop_assert_eq!(&sequence, &of(&left));
            }
        }

        #[test]
        fn joined_sequences_know_what_either_took(
            a in proptest::collection::btree_set(1..50_u64, 0..40),
            b in proptest::collection::btree_set(1..50_u64, 0..40),
        ) {
            let mut joined = of(&a);
            joined.join(&of(&b));
            prop_assert_eq!(joined, of(&(&a | &b)));
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
    fn room_is_made_by_closing_the_oldest_hole() {
        let mut sequence = Sequence::default();
        for n in 1..=MAX_HOLES as u64 {
            sequence.take(n * 10);
        }
        let last = sequence.last;
        let mut split = sequence.clone();
        split.make_room(5);
        assert_eq!(split.place(5), Place::New, "the event itself still comes");
        split.take(5);
        assert_eq!(split.place(4), Place::Taken);
        assert_eq!(split.place(6), Place::New);

        let untouched = sequence.clone();
        sequence.make_room(last + 1);
        sequence.make_room(last);
        assert_eq!(sequence, untouched, "only what needs room makes some");
        sequence.make_room(15);
        sequence.take(15);
        assert_eq!(sequence.place(1), Place::Taken);
        assert_eq!(sequence.place(14), Place::New);
        sequence.make_room(last + 2);
        sequence.take(last + 2);
        assert_eq!(sequence.last, last + 2);
        assert_eq!(sequence.holes.len(), MAX_HOLES);
        let stored = Sequence::from_stored(sequence.last, &sequence.holes_text());
        assert_eq!(stored, Some(sequence));
    }

    #[test]
    fn what_breaks_the_rules_is_not_read() {
        for holes in ["5-3", "1-2,2-4", "0-1", "9-10", "x", "1", "1-2;4-5"] {
            assert_eq!(Sequence::from_stored(10, holes), None, "{holes}");
        }
    }
}
