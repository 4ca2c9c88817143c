//! Whether every event that was ever numbered is in the log, or went for a reason that is known.

use std::collections::BTreeMap;

use event_log::{MAX_HOLES, SequenceState};
use schemas::{Dropped, Epoch, Event, Purge, SourceName};

/// The seqs of every (source, epoch) that were found in the log.
#[derive(Default)]
pub(super) struct Found {
    by_writer: BTreeMap<(SourceName, Epoch), Seen>,
    /// Ranges that events declare as dropped on purpose.
    declared: BTreeMap<(SourceName, Epoch), Vec<(u64, u64)>>,
    /// Sources that are marked as purged, and of each writer the first seq that came after the last mark.
    purged: BTreeMap<SourceName, BTreeMap<Epoch, u64>>,
}

/// Inclusive ranges, ascending and apart from each other.
#[derive(Default)]
struct Seen {
    ranges: Vec<(u64, u64)>,
    twice: Vec<u64>,
}

impl Seen {
    fn add(&mut self, seq: u64) {
        // nearly always the next one
        if let Some((_, last)) = self.ranges.last_mut()
            && last.checked_add(1) == Some(seq)
        {
            *last = seq;
            return;
        }
        let at = self.ranges.partition_point(|&(_, to)| to < seq);
        if self.ranges.get(at).is_some_and(|&(from, _)| from <= seq) {
            self.twice.push(seq);
            return;
        }
        self.ranges.insert(at, (seq, seq));
        self.join(at);
        if let Some(before) = at.checked_sub(1) {
            self.join(before);
        }
    }

    fn join(&mut self, at: usize) {
        let (Some(&(from, to)), Some(&(next, end))) =
            (self.ranges.get(at), self.ranges.get(at + 1))
        else {
            return;
        };
        if to + 1 == next {
            self.ranges.remove(at + 1);
            if let Some(range) = self.ranges.get_mut(at) {
                *range = (from, end);
            }
        }
    }
}

/// What was found about one writer.
#[derive(Default, Debug, PartialEq)]
pub(super) struct Verdict {
    /// Events that were numbered.
    pub(super) produced: u64,
    /// Of them, events that retention dropped.
    pub(super) trimmed: u64,
    /// Events that never came, which their agent declared.
    pub(super) declared: u64,
    /// What is wrong, in words.
    pub(super) faults: Vec<String>,
}

impl Found {
    /// Takes an event of the log.
    pub(super) fn add(&mut self, event: &Event) {
        if Purge::is(event) {
            self.purged.insert(event.source.clone(), BTreeMap::new());
        }
        if let Some(firsts) = self.purged.get_mut(&event.source) {
            let first = firsts.entry(event.epoch.clone()).or_insert(event.seq);
            *first = event.seq.min(*first);
        }
        self.by_writer
            .entry((event.source.clone(), event.epoch.clone()))
            .or_default()
            .add(event.seq);
        if let Some(dropped) = Dropped::of(event) {
            self.declared
                .entry((dropped.source, dropped.epoch))
                .or_default()
                .push((dropped.from_seq, dropped.to_seq));
        }
    }

    /// Compares what was found with what the log says was there; `trimmed` events were dropped from its beginning, and `purged`
    /// events of sources that are marked so were taken out of it.
    pub(super) fn compare(
        mut self,
        states: &[SequenceState],
        trimmed: u64,
        purged: u64,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let mut missing = Vec::new();
        let mut marked = 0_u64;
        for state in states {
            let name = format!("source {}, epoch {}", state.source, state.epoch);
            let writer = (state.source.clone(), state.epoch.clone());
            let seen = self.by_writer.remove(&writer).unwrap_or_default();
            let declared = self.declared.remove(&writer).unwrap_or_default();
            let first = match self.purged.get(&state.source) {
                Some(firsts) => firsts.get(&state.epoch).copied(),
                None => seen.ranges.first().map(|&(from, _)| from),
            };
            let is_purged = self.purged.contains_key(&state.source);
            let first = first.unwrap_or(u64::MAX);
            for seq in &seen.twice {
                verdict
                    .faults
                    .push(format!("{name}: seq {seq} is in the log twice"));
            }
            let lost = without(&state.holes, &declared);
            for &(from, to) in &lost {
                // the declaration of what came before the trimmed beginning, or before a purge, went with it
                if (trimmed == 0 && !is_purged) || to > first {
                    verdict
                        .faults
                        .push(format!("{name}: seq {} never came", range(from, to)));
                }
            }
            verdict.declared += count(&state.holes) - count(&lost);
            if let Some(&(_, last)) = seen.ranges.last()
                && last > state.last_seq
            {
                verdict.faults.push(format!(
                    "{name}: seq {} is in the log, which says that it ends at {}",
                    range(state.last_seq + 1, last),
                    state.last_seq
                ));
            }
            verdict.produced += state.last_seq.saturating_sub(count(&state.holes));
            // of so many holes the log forgot the oldest: what is absent before them may never have come
            let forgotten = match state.holes.first() {
                Some(&(from, _)) if state.holes.len() >= MAX_HOLES => from - 1,
                _ => 0,
            };
            for (from, to) in absent(&seen.ranges, &state.holes, state.last_seq) {
                let from = from.max(forgotten + 1);
                if from > to {
                    continue;
                }
                if is_purged {
                    marked += to - from + 1;
                } else {
                    missing.push((name.clone(), from, to));
                }
            }
        }
        for (source, epoch) in self.by_writer.keys() {
            verdict.faults.push(format!(
                "source {source}, epoch {epoch}: events are in the log, which does not know this writer"
            ));
        }
        // of a purged source, whatever is absent beyond what the log says was taken out went with its trimmed beginning
        let rest = marked.saturating_sub(purged);
        let absent: u64 = missing.iter().map(|(_, from, to)| to - from + 1).sum();
        let absent = absent + rest;
        if missing.is_empty() && rest > trimmed {
            verdict.faults.push(format!(
                "{} events of purged sources are missing from the log, which has not taken them out",
                rest - trimmed
            ));
        }
        verdict.trimmed = absent.min(trimmed);
        // each offset was one event: whatever is missing beyond the trimmed beginning was lost
        if absent > trimmed {
            verdict
                .faults
                .extend(missing.iter().map(|(name, from, to)| {
                    format!("{name}: seq {} is missing from the log", range(*from, *to))
                }));
        }
        verdict
    }
}

/// How many seqs there are in ranges.
fn count(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().map(|(from, to)| to - from + 1).sum()
}

/// What is in `holes` and not in `declared`, which may be in any order and overlap.
fn without(holes: &[(u64, u64)], declared: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut declared = declared.to_vec();
    declared.sort_unstable();
    let mut left = Vec::new();
    for &(from, to) in holes {
        let mut next = from;
        for &(begin, end) in &declared {
            if end < next || begin > to {
                continue;
            }
            if begin > next {
                left.push((next, begin - 1));
            }
            next = end.saturating_add(1);
        }
        if next <= to {
            left.push((next, to));
        }
    }
    left
}

fn range(from: u64, to: u64) -> String {
    if from == to {
        from.to_string()
    } else {
        format!("{from} to {to}")
    }
}

/// What is neither in `seen` nor in `holes` from 1 to `last`, or to the last of them.
fn absent(seen: &[(u64, u64)], holes: &[(u64, u64)], last: u64) -> Vec<(u64, u64)> {
    let known = [seen, holes].concat();
    // nothing is absent from the beginning of the last range on
    let before = known.iter().map(|&(from, _)| from.saturating_sub(1)).max();
    without(&[(1, before.unwrap_or(0).max(last))], &known)
}

#[cfg(test)]
mod tests {
    use schemas::{
        Entity, EventType, Fields, Timestamp,
        name::{EntityId, EntityType, SourceKind},
    };

    use super::*;

    fn event(seq: u64) -> Event {
        Event {
            source: SourceName::new("nas1").unwrap(),
            kind: SourceKind::new("push").unwrap(),
            agent: None,
            epoch: Epoch::new("e").unwrap(),
            seq,
            event_type: EventType::Sample,
            time: Timestamp::from_millis(1_795_406_700_000),
            entity: Entity::new(EntityType::new("t").unwrap(), EntityId::new("i").unwrap()),
            fields: Fields::default(),
        }
    }

    fn found(seqs: &[u64]) -> Found {
        let mut found = Found::default();
        for &seq in seqs {
            found.add(&event(seq));
        }
        found
    }

    /// A mark of a purge, and what came after it.
    fn purged(mark: u64, after: &[u64]) -> Found {
        let purge = Purge {
            source: SourceName::new("nas1").unwrap(),
            by: "admin".to_owned(),
        };
        let kind = SourceKind::new("push").unwrap();
        let draft = purge.draft(kind, Timestamp::now()).unwrap();
        let mut found = Found::default();
        found.add(&draft.into_event(schemas::Identity {
            epoch: Epoch::new("e").unwrap(),
            seq: mark,
        }));
        for &seq in after {
            found.add(&event(seq));
        }
        found
    }

    fn state(last_seq: u64, holes: &[(u64, u64)]) -> [SequenceState; 1] {
        [SequenceState {
            source: SourceName::new("nas1").unwrap(),
            epoch: Epoch::new("e").unwrap(),
            last_seq,
            holes: holes.to_vec(),
        }]
    }

    #[test]
    fn a_whole_sequence_has_no_fault_in_any_order() {
        let verdict = found(&[1, 2, 5, 4, 3, 6]).compare(&state(6, &[]), 0, 0);
        assert_eq!(
            verdict,
            Verdict {
                produced: 6,
                ..Verdict::default()
            }
        );
    }

    #[test]
    fn a_loss_is_named_with_its_range() {
        let verdict = found(&[1, 2, 6]).compare(&state(6, &[]), 0, 0);
        assert_eq!(
            verdict.faults,
            ["source nas1, epoch e: seq 3 to 5 is missing from the log"]
        );
        let verdict = found(&[1, 2]).compare(&state(4, &[]), 0, 0);
        assert_eq!(verdict.faults.len(), 1, "also at the end");
    }

    #[test]
    fn a_hole_that_the_log_knows_is_told_once() {
        let verdict = found(&[1, 4]).compare(&state(4, &[(2, 3)]), 0, 0);
        assert_eq!(
            verdict.faults,
            ["source nas1, epoch e: seq 2 to 3 never came"]
        );
        assert_eq!(verdict.produced, 2);
    }

    #[test]
    fn before_a_full_list_of_holes_nothing_is_known_of_others() {
        let holes: Vec<_> = (10..).step_by(2).take(MAX_HOLES).map(|n| (n, n)).collect();
        let (_, last) = *holes.last().unwrap();
        let seqs: Vec<_> = (1..=last + 1)
            .filter(|n| *n < 10 || n % 2 == 1)
            .filter(|n| ![3, 13].contains(n))
            .collect();
        let verdict = found(&seqs).compare(&state(last + 1, &holes), 0, 0);
        let missing: Vec<_> = verdict
            .faults
            .iter()
            .filter(|fault| fault.contains("missing"))
            .collect();
        assert_eq!(
            missing,
            ["source nas1, epoch e: seq 13 is missing from the log"]
        );
        let verdict = found(&seqs).compare(&state(last + 1, &holes[1..]), 0, 0);
        assert!(
            verdict
                .faults
                .iter()
                .any(|f| f.contains("seq 3 is missing"))
        );
    }

    #[test]
    fn what_retention_dropped_is_no_loss() {
        let verdict = found(&[4, 5]).compare(&state(5, &[]), 3, 0);
        assert_eq!((verdict.faults.len(), verdict.trimmed), (0, 3));
        let verdict = found(&[4, 5]).compare(&state(5, &[]), 2, 0);
        assert_eq!(verdict.faults.len(), 1, "one more than was dropped");
    }

    #[test]
    fn an_event_that_is_there_twice_is_a_fault() {
        let verdict = found(&[1, 2, 2]).compare(&state(2, &[]), 0, 0);
        assert_eq!(
            verdict.faults,
            ["source nas1, epoch e: seq 2 is in the log twice"]
        );
    }

    #[test]
    fn what_its_agent_declared_as_dropped_is_no_hole() {
        let declared = |ranges: &[(u64, u64)]| {
            let mut found = found(&[1, 7, 8]);
            for (n, (from_seq, to_seq)) in ranges.iter().enumerate() {
                let dropped = Dropped {
                    source: SourceName::new("nas1").unwrap(),
                    epoch: Epoch::new("e").unwrap(),
                    from_seq: *from_seq,
                    to_seq: *to_seq,
                    reason: "spool_full".to_owned(),
                };
                let kind = SourceKind::new("push").unwrap();
                let draft = dropped.draft(kind, None, Timestamp::now()).unwrap();
                found.add(&draft.into_event(schemas::Identity {
                    epoch: Epoch::new("e").unwrap(),
                    seq: 9 + n as u64,
                }));
            }
            found
        };
        let verdict = declared(&[(2, 6)]).compare(&state(9, &[(2, 6)]), 0, 0);
        assert_eq!((verdict.faults.len(), verdict.declared), (0, 5));
        let verdict = declared(&[(2, 3), (5, 5)]).compare(&state(10, &[(2, 6)]), 0, 0);
        assert_eq!(
            verdict.faults,
            [
                "source nas1, epoch e: seq 4 never came",
                "source nas1, epoch e: seq 6 never came"
            ]
        );
        let verdict = found(&[7, 8]).compare(&state(8, &[(2, 5)]), 2, 0);
        assert_eq!(verdict.faults.len(), 0, "its declaration was trimmed");
        let verdict = found(&[1, 7, 8]).compare(&state(8, &[(2, 6)]), 2, 0);
        assert_eq!(verdict.faults.len(), 1, "nothing before it was trimmed");
    }

    #[test]
    fn what_was_purged_is_no_loss_and_nothing_else_is_excused() {
        let verdict = purged(4, &[5]).compare(&state(5, &[]), 0, 3);
        assert_eq!((verdict.faults.len(), verdict.trimmed), (0, 0));
        let verdict = purged(4, &[5]).compare(&state(5, &[]), 1, 2);
        assert_eq!((verdict.faults.len(), verdict.trimmed), (0, 1));
        let verdict = purged(4, &[5]).compare(&state(5, &[]), 0, 2);
        assert_eq!(verdict.faults.len(), 1, "one more than was taken out");
        // what an agent declared before is purged as well
        let verdict = purged(9, &[10]).compare(&state(10, &[(2, 6)]), 0, 3);
        assert_eq!(verdict.faults.len(), 0);
        let verdict = purged(9, &[14]).compare(&state(14, &[(10, 13)]), 0, 8);
        assert_eq!(verdict.faults.len(), 1, "a hole after the mark is one");
        // of another source nothing may be absent
        let verdict = found(&[1, 2, 6]).compare(&state(6, &[]), 0, 3);
        assert_eq!(verdict.faults.len(), 1);
    }

    #[test]
    fn events_the_log_does_not_know_are_faults() {
        assert_eq!(found(&[1]).compare(&[], 0, 0).faults.len(), 1);
        assert_eq!(found(&[1, 2]).compare(&state(1, &[]), 0, 0).faults.len(), 1);
    }
}
