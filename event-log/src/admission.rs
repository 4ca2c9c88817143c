use std::collections::HashMap;

use schemas::{Draft, Epoch, Event, EventId, Identity, SourceName, codec, limits};

use crate::{
    Outcome, Receipt, SequenceState,
    sequence::{self, Place, Sequence},
};

/// Most (source, epoch) pairs that one log knows.
const MAX_SEQUENCES: usize = 100_000;
/// Why a draft is refused that would be the first of one more.
pub(crate) const FULL: &str =
    "the log already knows 100000 sequences: send with a source and epoch that it knows";

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

    /// Whether a draft with an identity is one that entered before.
    pub(crate) fn is_taken(&self, draft: &Draft) -> bool {
        let Some(identity) = &draft.identity else {
            return false;
        };
        let key = (draft.source.clone(), identity.epoch.clone());
        let known = self.changed.get(&key).or_else(|| self.kept.get(&key));
        known.is_some_and(|sequence| sequence.place(identity.seq) == Place::Taken)
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
            return Err(Outcome::Refused(FULL.to_owned()));
        }
        let unused = Sequence::default();
        let sequence = known.unwrap_or(&unused);
        let Some(seq) = named.or_else(|| sequence.next()) else {
            return Err(Outcome::Refused(
                "every seq of this source is used up: send with a new epoch".to_owned(),
            ));
        };
        match sequence.place(seq) {
            // a refusal would be for good, and so that of every event that follows
            Place::New | Place::TooManyHoles => {}
            Place::Taken => return Err(Outcome::Duplicate),
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
            sequence.enter(seq);
        }
        Ok(event)
    }

    /// What changed since the last keep or undo.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&SourceName, &Epoch, &Sequence)> {
        self.changed
            .iter()
            .map(|((source, epoch), sequence)| (source, epoch, sequence))
    }

    /// Writers that are known, with those of what changed.
    pub(crate) fn count(&self) -> usize {
        self.kept.len() + self.added
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

    /// Takes what another writer brought into the log.
    pub(crate) fn learn(&mut self, source: &SourceName, epoch: &Epoch, seq: u64) {
        self.kept
            .entry((source.clone(), epoch.clone()))
            .or_default()
            .enter(seq);
    }

    /// Gives an id back that was kept but did not come into the log.
    pub(crate) fn give_back(&mut self, id: &EventId) {
        let key = (id.source.clone(), id.identity.epoch.clone());
        if let Some(sequence) = self.kept.get_mut(&key) {
            sequence.give_back(id.identity.seq);
        }
    }

    /// Forgets everything but what is given and what this log itself assigned: a seq is never assigned twice.
    pub(crate) fn reset(&mut self, known: HashMap<(SourceName, Epoch), Sequence>) {
        self.undo();
        let own = &self.own_epoch;
        self.kept.retain(|(_, epoch), _| epoch == own);
        self.merge(known);
    }

    /// Takes what other writers brought into the log.
    pub(crate) fn merge(&mut self, known: HashMap<(SourceName, Epoch), Sequence>) {
        for (key, sequence) in known {
            self.kept
                .entry(key)
                .and_modify(|kept| kept.join(&sequence))
                .or_insert(sequence);
        }
    }

    /// Every sequence that was kept, by source and epoch.
    pub(crate) fn states(&self) -> Vec<SequenceState> {
        sequence::states(&self.kept)
    }
}

/// The receipt of an event that entered.
pub(crate) fn appended(event: &Event) -> Receipt {
    Receipt {
        id: Some(event.id()),
        outcome: Outcome::Appended,
    }
}

#[cfg(test)]
mod tests {
    use schemas::{
        Entity, EventType, FieldValue, Fields, Timestamp,
        name::{EntityId, EntityType, SourceKind},
    };

    use super::*;

    fn draft(epoch: &str, seq: u64) -> Draft {
        let mut fields = Fields::new();
        fields.set("value", FieldValue::I64(1));
        Draft {
            source: SourceName::new("nas").unwrap(),
            kind: SourceKind::new("push").unwrap(),
            agent: None,
            event_type: EventType::Sample,
            time: Timestamp::now(),
            entity: Entity::new(EntityType::new("t").unwrap(), EntityId::new("i").unwrap()),
            fields,
            identity: Some(Identity {
                epoch: Epoch::new(epoch).unwrap(),
                seq,
            }),
        }
    }

    fn enter(admission: &mut Admission, draft: Draft) {
        admission.admit(draft, &mut Vec::new()).unwrap();
        admission.keep();
    }

    #[test]
    fn a_source_with_many_holes_is_taken_on() {
        let mut admission = Admission::new(Epoch::new("own").unwrap());
        for n in 1..3000 {
            enter(&mut admission, draft("e1", n * 2));
        }
        let states = admission.states();
        assert_eq!(states[0].last_seq, 5998);
        assert_eq!(states[0].holes.len(), crate::MAX_HOLES);
        assert_eq!(states[0].holes.last(), Some(&(5997, 5997)));
        let again = admission.admit(draft("e1", 5998), &mut Vec::new());
        assert_eq!(again.unwrap_err().outcome, Outcome::Duplicate);
        enter(&mut admission, draft("e1", 5997));
    }

    #[test]
    fn one_more_sequence_than_there_may_be_is_refused_for_now() {
        let mut admission = Admission::new(Epoch::new("own").unwrap());
        let source = SourceName::new("nas").unwrap();
        for n in 0..MAX_SEQUENCES {
            let epoch = Epoch::new(format!("e{n}")).unwrap();
            admission.restore(source.clone(), epoch, Sequence::default());
        }
        let refused = admission
            .admit(draft("new", 1), &mut Vec::new())
            .unwrap_err();
        assert!(refused.outcome.is_for_now(), "{refused:?}");
        assert!(FULL.contains(&MAX_SEQUENCES.to_string()));
        let huge = Outcome::Refused("it is too large".to_owned());
        assert!(!huge.is_for_now() && !Outcome::Duplicate.is_for_now());
        enter(&mut admission, draft("e7", 1));
    }
}
