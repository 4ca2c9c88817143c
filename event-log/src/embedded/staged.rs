use std::sync::Arc;

use schemas::{Draft, Event, Timestamp};

use super::{
    block::Lines,
    command::{Consumers, Reply},
    letters::Change,
};
use crate::{
    Appended, Outcome,
    admission::{Admission, appended},
};

/// What becomes durable together, and who waits for it.
#[derive(Default)]
pub(super) struct Staged {
    pub(super) logged: Timestamp,
    pub(super) lines: Lines,
    /// One for each line, with its length as JSON.
    pub(super) events: Vec<(Arc<Event>, usize)>,
    pub(super) consumers: Consumers,
    pub(super) letters: Vec<Change>,
    pub(super) duplicates: u64,
    pub(super) refused: u64,
    pub(super) answers: Vec<Answer>,
}

/// Who waits, and what to say when all is durable.
pub(super) enum Answer {
    Append(Reply<Appended>, Appended),
    Done(Reply<()>),
}

impl Staged {
    pub(super) fn new(logged: Timestamp) -> Self {
        Self {
            logged,
            ..Self::default()
        }
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.consumers.is_empty() && self.letters.is_empty()
    }

    /// Adds the drafts of one append; `next` is the offset of the first line of this transaction.
    pub(super) fn append(
        &mut self,
        drafts: Vec<Draft>,
        admission: &mut Admission,
        next: u64,
    ) -> Appended {
        let mut receipts = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let json = self.lines.begin(self.logged);
            let start = json.len();
            match admission.admit(draft, json) {
                Ok(event) => {
                    let encoded = json.len() - start;
                    self.lines.end(self.logged, event.time);
                    receipts.push(appended(&event));
                    self.events.push((Arc::new(event), encoded));
                }
                Err(receipt) => {
                    self.lines.abandon();
                    match receipt.outcome {
                        Outcome::Duplicate => self.duplicates += 1,
                        _ => self.refused += 1,
                    }
                    receipts.push(receipt);
                }
            }
        }
        Appended {
            receipts,
            position: schemas::Position::from_offsets(vec![next + self.events.len() as u64]),
        }
    }
}
