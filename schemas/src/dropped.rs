//! Events that say which other events will never come: so that a hole in a sequence is known for what it is.

use crate::{
    event::{Draft, Entity, Event, EventType},
    fields::{FieldValue, Fields},
    name::{AgentName, EntityId, EntityType, Epoch, InvalidName, SourceKind, SourceName},
    time::Timestamp,
};

/// Type of the entity of a declaration; its id is the epoch.
pub const ENTITY_TYPE: &str = "dropped";

/// A declaration that events `from_seq` to `to_seq` (inclusive) of a source's epoch were dropped on purpose.
///
/// It is a `change` of the entity `dropped/<epoch>` with the fields `from_seq`, `to_seq` and `reason`, in the sequence of the
/// source that it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dropped {
    /// Whose.
    pub source: SourceName,
    /// In which sequence.
    pub epoch: Epoch,
    /// The first.
    pub from_seq: u64,
    /// The last.
    pub to_seq: u64,
    /// Why, as a stable name: `spool_full`, `spool_age`, `refused`.
    pub reason: String,
}

impl Dropped {
    /// The event that declares it, without an identity: the agent's log gives it one.
    ///
    /// # Errors
    /// Never for an epoch, which is a valid id.
    pub fn draft(
        &self,
        kind: SourceKind,
        agent: Option<AgentName>,
        now: Timestamp,
    ) -> Result<Draft, InvalidName> {
        let mut fields = Fields::new();
        fields
            .set("from_seq", FieldValue::unsigned(self.from_seq))
            .set("to_seq", FieldValue::unsigned(self.to_seq))
            .set_text("reason", &self.reason);
        Ok(Draft {
            source: self.source.clone(),
            kind,
            agent,
            event_type: EventType::Change,
            time: now,
            entity: Entity::new(
                EntityType::new(ENTITY_TYPE)?,
                EntityId::new(self.epoch.as_str())?,
            ),
            fields,
            identity: None,
        })
    }

    /// What an event declares, if it is a declaration.
    pub fn of(event: &Event) -> Option<Self> {
        if event.event_type != EventType::Change || event.entity.entity_type.as_str() != ENTITY_TYPE
        {
            return None;
        }
        let seq = |name: &str| match event.fields.get(name)? {
            FieldValue::I64(value) => u64::try_from(*value).ok(),
            FieldValue::U64(value) => Some(*value),
            _ => None,
        };
        let (from_seq, to_seq) = (seq("from_seq")?, seq("to_seq")?);
        if from_seq == 0 || to_seq < from_seq {
            return None;
        }
        Some(Self {
            source: event.source.clone(),
            epoch: Epoch::new(event.entity.id.as_str()).ok()?,
            from_seq,
            to_seq,
            reason: match event.fields.get("reason") {
                Some(FieldValue::Text(reason)) => reason.to_string(),
                _ => String::new(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Identity;

    #[test]
    fn a_declaration_is_read_as_it_was_made() {
        let dropped = Dropped {
            source: SourceName::new("nas1").unwrap(),
            epoch: Epoch::new("e1").unwrap(),
            from_seq: 3,
            to_seq: 9,
            reason: "spool_full".to_owned(),
        };
        let draft = dropped
            .draft(SourceKind::new("synology").unwrap(), None, Timestamp::now())
            .unwrap();
        draft.check().unwrap();
        let mut event = draft.into_event(Identity {
            epoch: Epoch::new("e1").unwrap(),
            seq: 10,
        });
        assert_eq!(Dropped::of(&event), Some(dropped));
        event.fields.set("to_seq", FieldValue::I64(2));
        assert_eq!(Dropped::of(&event), None, "a range ends after its begin");
        event.event_type = EventType::Sample;
        assert_eq!(Dropped::of(&event), None);
    }
}
