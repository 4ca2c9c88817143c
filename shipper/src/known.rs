use std::collections::HashMap;

use event_log::SequenceState;
use schemas::{Epoch, Event, SourceName};

/// What the destination said that it has.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<SourceName, HashMap<Epoch, Sequence>>);

#[derive(Debug)]
struct Sequence {
    last: u64,
    /// Inclusive.
    holes: Vec<(u64, u64)>,
}

impl Known {
    pub(crate) fn new(states: Vec<SequenceState>) -> Self {
        let mut known: HashMap<SourceName, HashMap<_, _>> = HashMap::new();
        for state in states {
            known.entry(state.source).or_default().insert(
                state.epoch,
                Sequence {
                    last: state.last_seq,
                    holes: state.holes,
                },
            );
        }
        Self(known)
    }

    /// The highest seq of a writer, 0 for none.
    pub(crate) fn last(&self, source: &SourceName, epoch: &Epoch) -> u64 {
        self.0
            .get(source)
            .and_then(|epochs| epochs.get(epoch))
            .map_or(0, |sequence| sequence.last)
    }

    /// Whether an event is there.
    pub(crate) fn has(&self, event: &Event) -> bool {
        let Some(sequence) = self
            .0
            .get(&event.source)
            .and_then(|epochs| epochs.get(&event.epoch))
        else {
            return false;
        };
        event.seq <= sequence.last
            && !sequence
                .holes
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&event.seq))
    }
}
