use std::collections::HashMap;

use schemas::{Draft, Epoch, Event, EventId, Identity, SourceName, codec, limits};

use crate::{
    Outcome, Receipt, SequenceState,
    sequence::{MAX_HOLES, Place, Sequence},
};

/// Most (source, epoch) pairs that one log knows.
const MAX_SEQUENCES: usize = 100_000;

/// Decides which drafts enter the log and under which id: a transaction of many drafts that is kept or undone as a whole.
#[derive(Debug)]
pub(crate) struct Admission {
    own_epoch: Epoch,
    kept: HashMap<(SourceName, Epoch), Sequence>,
    changed: HashMap<(SourceName, Epoch), Sequence>,
    /// How many of `changed` are not in `kept`.
    added: usize,
}

impl Admission {
    pub(crate) fn new(own_epoch: Epoch) -> Self {
        Self {
            own_epoch,
            kept: HashMap::new(),
            changed: HashMap::new(),
            added: 0,
        }
    }

    /// Brings back a sequence that was stored.
    pub(crate) fn restore(&mut self, source: SourceName, epoch: Epoch, sequence: Sequence) {
        self.kept.insert((source, epoch), sequence);
    }

    /// Decides about one draft; the JSON of one that enters is added to `json`.
    ///
    /// # Errors
    /// It does not enter: the receipt says why.
    pub(crate) fn admit(&mut self, draft: Draft, json: &mut Vec<u8>) -> Result<Event, Receipt> {
        let id = draft.identity.clone().map(|identity| EventId {
            source: draft.source.clone(),
            identity,
        });
        self.decide(draft, json)
            .map_err(|outcome| Receipt { id, outcome })
    }

    fn decide(&mut self, draft: Draft, json: &mut Vec<u8>) -> Result<Event, Outcome> {
        draft.check().map_err(|e| Outcome::Refused(e.to_string()))?;
        let (epoch, named) = match &draft.identity {
            Some(identity) => (identity.epoch.clone(), Some(identity.seq)),
            None => (self.own_epoch.clone(), None),
        };
        let key = (draft.source.clone(), epoch);
        let known = self.changed.get(&key).or_else(|| self.kept.get(&key));
        let is_new = known.is_none();
        if is_new && self.kept.len() + self.added >= MAX_SEQUENCES {
            return Err(Outcome::Refused(format!(
                "the log already knows {MAX_SEQUENCES} sequences: send with a source and epoch that it knows"
            )));
        }
        let unused = Sequence::default();
        let sequence = known.unwrap_or(&unused);
        let Some(seq) = named.or_else(|| sequence.next()) else {
            return Err(Outcome::Refused(
                "every seq of this source is used up: send with a new epoch".to_owned(),
            ));
        };
        match sequence.place(seq) {
            Place::New => {}
            Place::Taken => return Err(Outcome::Duplicate),
            Place::TooManyHoles => {
                return Err(Outcome::Refused(format!(
                    "seq {seq} would leave more than {MAX_HOLES} holes in a sequence that has reached {}: \
                     send what is missing first, in order",
                    sequence.last()
                )));
            }
        }
        let event = draft.into_event(Identity {
            epoch: key.1.clone(),
            seq,
        });
        let start = json.len();
        let encoded = codec::encode(&event, json);
        let length = json.len() - start;
        if let Err(e) = encoded {
            json.truncate(start);
            return Err(Outcome::Refused(format!(
                "it cannot be written as JSON: {e}"
            )));
        }
        if length > limits::EVENT_BYTES {
            json.truncate(start);
            return Err(Outcome::Refused(format!(
                "it is {length} bytes long, the limit is {}",
                limits::EVENT_BYTES
            )));
        }
        if !self.changed.contains_key(&key) {
            let base = self.kept.get(&key).cloned().unwrap_or_default();
            self.changed.insert(key.clone(), base);
            self.added += usize::from(is_new);
        }
        if let Some(sequence) = self.changed.get_mut(&key) {
            sequence.take(seq);
        }
        Ok(event)
    }

    /// What changed since the last keep or undo.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&SourceName, &Epoch, &Sequence)> {
        self.changed
            .iter()
            .map(|((source, epoch), sequence)| (source, epoch, sequence))
    }

    /// Keeps what changed.
    pub(crate) fn keep(&mut self) {
        self.kept.extend(self.changed.drain());
        self.added = 0;
    }

    /// Forgets what changed.
    pub(crate) fn undo(&mut self) {
        self.changed.clear();
        self.added = 0;
    }

    /// Every sequence that was kept, by source and epoch.
    pub(crate) fn states(&self) -> Vec<SequenceState> {
        let mut states: Vec<_> = self
            .kept
            .iter()
            .map(|((source, epoch), sequence)| sequence.state(source.clone(), epoch.clone()))
            .collect();
        states.sort_unstable_by(|a, b| (&a.source, &a.epoch).cmp(&(&b.source, &b.epoch)));
        states
    }
}

/// The receipt of an event that entered.
pub(crate) fn appended(event: &Event) -> Receipt {
    Receipt {
        id: Some(event.id()),
        outcome: Outcome::Appended,
    }
}
