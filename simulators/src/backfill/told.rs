//! What is told of a span, on its way to become events.

use schemas::{
    Entity, EventType, Fields,
    name::{EntityId, EntityType},
    time::Timestamp,
};

use crate::number::real;

/// One observation.
pub(super) struct Observation {
    pub(super) event_type: EventType,
    pub(super) time: Timestamp,
    pub(super) entity: Entity,
    pub(super) fields: Fields,
}

/// All of a span.
pub(super) struct Told {
    at: Timestamp,
    all: Vec<Observation>,
}

impl Told {
    /// Samples carry this time.
    pub(super) const fn at(at: Timestamp) -> Self {
        Self {
            at,
            all: Vec::new(),
        }
    }

    /// A reading; one without fields is none.
    pub(super) fn sample(&mut self, entity: Entity, fields: Fields) {
        self.push(EventType::Sample, self.at, entity, fields);
    }

    /// A state that moved.
    pub(super) fn change(&mut self, time: Timestamp, entity: Entity, fields: Fields) {
        self.push(EventType::Change, time, entity, fields);
    }

    /// How the source is.
    pub(super) fn source(&mut self, time: Timestamp, entity: Entity, fields: Fields) {
        self.push(EventType::Source, time, entity, fields);
    }

    fn push(&mut self, event_type: EventType, time: Timestamp, entity: Entity, fields: Fields) {
        if !fields.is_empty() {
            self.all.push(Observation {
                event_type,
                time,
                entity,
                fields,
            });
        }
    }

    /// Everything, in the order of time.
    pub(super) fn into_observations(self) -> Vec<Observation> {
        let mut all = self.all;
        all.sort_by_key(|one| one.time);
        all
    }
}

/// An entity without labels.
///
/// # Errors
/// A name that no entity may have.
pub(super) fn entity(entity_type: &'static str, id: &str) -> anyhow::Result<Entity> {
    Ok(Entity::new(
        EntityType::new(entity_type)?,
        EntityId::new(id)?,
    ))
}

/// A share of a whole, as `of` parts.
pub(super) fn share(part: i64, of: i64) -> f64 {
    if of == 0 { 0.0 } else { real(part) / real(of) }
}
