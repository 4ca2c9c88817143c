//! From the vocabulary to the shapes of the API.

use std::collections::BTreeMap;

use schemas::{
    Event, Labels, Position, Timestamp,
    api::{ApiEntity, ApiEvent, ApiValue},
    codec,
};

/// An event as the API gives it.
pub fn api_event(event: &Event, logged: Timestamp, position: &Position) -> ApiEvent {
    ApiEvent {
        id: event.id().to_string(),
        source: event.source.to_string(),
        kind: event.kind.to_string(),
        epoch: event.epoch.to_string(),
        seq: event.seq,
        event_type: event.event_type,
        time: event.time.to_string(),
        logged: logged.to_string(),
        entity: ApiEntity {
            key: event.key().to_string(),
            entity_type: event.entity.entity_type.to_string(),
            id: event.entity.id.to_string(),
            labels: labels(&event.entity.labels),
        },
        fields: event
            .fields
            .iter()
            .map(|(name, value)| (name.to_string(), ApiValue(value.clone())))
            .collect(),
        schema: codec::VERSION,
        position: position.to_string(),
    }
}

/// Labels as the API gives them.
pub(crate) fn labels(labels: &Labels) -> BTreeMap<String, String> {
    labels
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}
