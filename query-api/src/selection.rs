//! Which events and entities a request asks for.

use event_log::Filter;
use schemas::{EntityKey, EventType, SourceName, api::RealtimeFilter, name::EntityType};

use crate::{
    ApiError,
    params::{Params, parse_list},
};

/// The filter of `source`, `entity`, `type` and `event`.
///
/// `type` names types of entities; its values `sample` and `change`, which no entity is, name types of events as `event` does.
pub(crate) fn filter_of(params: &Params) -> Result<Filter, ApiError> {
    let mut filter = Filter {
        sources: params.list("source")?,
        entities: params.list("entity")?,
        entity_types: Vec::new(),
        event_types: params.list("event")?,
        from: None,
        to: None,
    };
    add_types(params.list("type")?, &mut filter);
    Ok(filter)
}

/// The filter of a subscription over the WebSocket.
pub(crate) fn filter_of_subscription(wanted: &RealtimeFilter) -> Result<Filter, ApiError> {
    fn list<T>(name: &str, text: Option<&String>) -> Result<Vec<T>, ApiError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let mut values = Vec::new();
        if let Some(text) = text.filter(|t| !t.is_empty()) {
            parse_list(name, text, &mut values)?;
        }
        Ok(values)
    }
    let mut filter = Filter {
        sources: list::<SourceName>("source", wanted.source.as_ref())?,
        entities: list::<EntityKey>("entity", wanted.entity.as_ref())?,
        entity_types: Vec::new(),
        event_types: list("event", wanted.event.as_ref())?,
        from: None,
        to: None,
    };
    add_types(list("type", wanted.entity_type.as_ref())?, &mut filter);
    Ok(filter)
}

fn add_types(types: Vec<EntityType>, filter: &mut Filter) {
    for name in types {
        match name.as_str() {
            "sample" => filter.event_types.push(EventType::Sample),
            "change" => filter.event_types.push(EventType::Change),
            _ => filter.entity_types.push(name),
        }
    }
}
