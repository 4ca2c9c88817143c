use schemas::{EntityKey, Event, EventType, SourceName, Timestamp, name::EntityType};

/// Which events a reader wants. An empty list asks for nothing in particular; different lists must all hold.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Filter {
    /// Of one of these sources.
    pub sources: Vec<SourceName>,
    /// Of one of these entities.
    pub entities: Vec<EntityKey>,
    /// Of entities of one of these types.
    pub entity_types: Vec<EntityType>,
    /// Of one of these types.
    pub event_types: Vec<EventType>,
    /// Observed at or after this.
    pub from: Option<Timestamp>,
    /// Observed before this.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// Whether every event is wanted.
    pub fn is_all(&self) -> bool {
        self.sources.is_empty()
            && self.entities.is_empty()
            && self.entity_types.is_empty()
            && self.event_types.is_empty()
            && self.from.is_none()
            && self.to.is_none()
    }

    /// Whether an event is wanted.
    pub fn wants(&self, event: &Event) -> bool {
        fn among<T>(list: &[T], is: impl Fn(&T) -> bool) -> bool {
            list.is_empty() || list.iter().any(is)
        }
        among(&self.sources, |s| *s == event.source)
            && among(&self.entity_types, |t| *t == event.entity.entity_type)
            && among(&self.event_types, |t| *t == event.event_type)
            && among(&self.entities, |k| {
                k.source == event.source
                    && k.entity_type == event.entity.entity_type
                    && k.id == event.entity.id
            })
            && self.from.is_none_or(|from| event.time >= from)
            && self.to.is_none_or(|to| event.time < to)
    }
}
