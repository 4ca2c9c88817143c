use std::collections::BTreeMap;

/// Most ranges that are remembered of a partition.
const MAX_RANGES: usize = 4096;

/// Offsets of records that stand in a partition again: what they hold came before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Echoes {
    /// Ranges that do not touch: the first offset, and the offset after the last.
    ranges: BTreeMap<u64, u64>,
}

impl Echoes {
    pub(super) fn contains(&self, offset: u64) -> bool {
        self.ranges
            .range(..=offset)
            .next_back()
            .is_some_and(|(_, end)| offset < *end)
    }

    /// Adds an offset after all that are there. Returns whether an older range had to be forgotten.
    pub(super) fn push(&mut self, offset: u64) -> bool {
        if let Some(mut last) = self.ranges.last_entry()
            && *last.get() >= offset
        {
            let end = (*last.get()).max(offset + 1);
            last.insert(end);
            return false;
        }
        self.ranges.insert(offset, offset + 1);
        self.ranges.len() > MAX_RANGES && self.ranges.pop_first().is_some()
    }

    /// Forgets what is not in the partition any more.
    pub(super) fn forget_before(&mut self, low: u64) {
        while let Some(first) = self.ranges.first_entry()
            && *first.get() <= low
        {
            first.remove();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(from, to)| (*from, *to))
    }

    /// Adds a range that was stored; it must come after all that are there.
    pub(super) fn restore(&mut self, from: u64, to: u64) -> bool {
        let after = self
            .ranges
            .last_key_value()
            .is_none_or(|(_, end)| from > *end);
        if after && to > from && self.ranges.len() < MAX_RANGES {
            self.ranges.insert(from, to);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_exactly_what_was_pushed(steps in proptest::collection::vec(1..5_u64, 0..60), low in 0..120_u64) {
            let mut echoes = Echoes::default();
            let mut wanted = BTreeSet::new();
            let mut offset = 0;
            for step in steps {
                offset += step;
                echoes.push(offset);
                wanted.insert(offset);
            }
            for at in 0..=offset + 1 {
                prop_assert_eq!(echoes.contains(at), wanted.contains(&at));
            }
            let mut again = Echoes::default();
            for (from, to) in echoes.iter() {
                prop_assert!(again.restore(from, to));
            }
            prop_assert_eq!(&again, &echoes);
            echoes.forget_before(low);
            for at in low..=offset + 1 {
                prop_assert_eq!(echoes.contains(at), wanted.contains(&at));
            }
        }
    }

    #[test]
    fn they_are_bounded() {
        let mut echoes = Echoes::default();
        for n in 0..MAX_RANGES as u64 {
            assert!(!echoes.push(n * 2));
        }
        assert!(echoes.push(1_000_000));
        assert!(!echoes.contains(0) && echoes.contains(2) && echoes.contains(1_000_000));
    }
}
