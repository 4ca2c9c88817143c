//! Events that say that everything which came of their source before them is to be gone, from the log as from what was made of it.

use crate::{
    event::{Draft, Entity, Event, EventType},
    fields::{FieldValue, Fields},
    name::{EntityId, EntityType, InvalidName, SourceKind, SourceName},
    time::Timestamp,
};

/// Type of the entity of a source, whose id is the source's name.
const ENTITY_TYPE: &str = "source";
/// What its field `state` says.
const STATE: &str = "purged";

/// A mark in the sequence of a source: what came of it before is purged, what comes later is new.
///
/// It is an event of type `source` of the entity `source/<source>` with the fields `state` = `purged` and `reason`, which tells
/// who wanted it. It says nothing else of the source, makes no point, and outlives the purges that follow it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Purge {
    /// Whose.
    pub source: SourceName,
    /// Who wanted it.
    pub by: String,
}

impl Purge {
    /// The event that marks it, without an identity: the log gives it one.
    ///
    /// # Errors
    /// Never for a source's name, which is a valid id.
    pub fn draft(&self, kind: SourceKind, now: Timestamp) -> Result<Draft, InvalidName> {
        let mut fields = Fields::new();
        fields
            .set_text("state", STATE)
            .set_text("reason", &format!("`{}` purged it", self.by));
        Ok(Draft {
            source: self.source.clone(),
            kind,
            agent: None,
            event_type: EventType::Source,
            time: now,
            entity: Entity::new(
                EntityType::new(ENTITY_TYPE)?,
                EntityId::new(self.source.as_str())?,
            ),
            fields,
            identity: None,
        })
    }

    /// Whether an event is such a mark.
    pub fn is(event: &Event) -> bool {
        marks(
            &event.source,
            event.event_type,
            &event.entity,
            &event.fields,
        )
    }

    /// Whether a draft is to become such a mark.
    pub fn is_drafted(draft: &Draft) -> bool {
        marks(
            &draft.source,
            draft.event_type,
            &draft.entity,
            &draft.fields,
        )
    }
}

fn marks(source: &SourceName, event_type: EventType, entity: &Entity, fields: &Fields) -> bool {
    event_type == EventType::Source
        && entity.entity_type.as_str() == ENTITY_TYPE
        && entity.id.as_str() == source.as_str()
        && matches!(fields.get("state"), Some(FieldValue::Text(state)) if &**state == STATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Identity;
    use crate::name::Epoch;

    #[test]
    fn a_mark_is_known_by_all_of_its_parts() {
        let purge = Purge {
            source: SourceName::new("nas1").unwrap(),
            by: "admin".to_owned(),
        };
        let draft = purge
            .draft(SourceKind::new("synology").unwrap(), Timestamp::now())
            .unwrap();
        draft.check().unwrap();
        assert!(Purge::is_drafted(&draft));
        let event = draft.into_event(Identity {
            epoch: Epoch::new("e1").unwrap(),
            seq: 1,
        });
        assert!(Purge::is(&event));
        let but = |change: &dyn Fn(&mut Event)| {
            let mut other = event.clone();
            change(&mut other);
            Purge::is(&other)
        };
        assert!(!but(&|e| e.event_type = EventType::Change));
        assert!(!but(&|e| e.source = SourceName::new("nas2").unwrap()));
        assert!(!but(&|e| {
            e.fields.set_text("state", "removed");
        }));
        assert!(!but(&|e| {
            e.entity.entity_type = EntityType::new("disk").unwrap();
        }));
    }
}
