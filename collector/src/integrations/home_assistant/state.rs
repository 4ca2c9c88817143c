//! One state as Home Assistant tells it.

use schemas::{Timestamp, name::EntityId};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

/// The state of one entity.
#[derive(Debug)]
pub(super) struct State {
    /// `domain.name`.
    pub(super) id: EntityId,
    /// Always text.
    pub(super) text: String,
    pub(super) attributes: Map<String, Value>,
    /// When the text became this one.
    pub(super) changed: Option<Timestamp>,
    /// When the text or an attribute became this one.
    pub(super) updated: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Written {
    entity_id: String,
    state: Value,
    #[serde(default)]
    attributes: Value,
    #[serde(default)]
    last_changed: Value,
    #[serde(default)]
    last_updated: Value,
}

impl State {
    /// Reads one; nothing of what is none.
    pub(super) fn read(row: &RawValue) -> Option<Self> {
        let written: Written = serde_json::from_str(row.get()).ok()?;
        let (domain, name) = written.entity_id.split_once('.')?;
        if domain.is_empty() || name.is_empty() {
            return None;
        }
        let text = match written.state {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let attributes = match written.attributes {
            Value::Object(attributes) => attributes,
            _ => Map::new(),
        };
        Some(Self {
            id: EntityId::new(&written.entity_id).ok()?,
            text,
            attributes,
            changed: time(&written.last_changed),
            updated: time(&written.last_updated),
        })
    }

    /// What kind of thing it is: `sensor`, `light`.
    pub(super) fn domain(&self) -> &str {
        domain_of(self.id.as_str())
    }

    /// An attribute that is text.
    pub(super) fn text_of(&self, attribute: &str) -> &str {
        let value = self.attributes.get(attribute);
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// An attribute that is a number, also where it is written as text.
    pub(super) fn number_of(&self, attribute: &str) -> Option<f64> {
        match self.attributes.get(attribute)? {
            Value::Number(number) => number.as_f64().filter(|n| n.is_finite()),
            Value::String(text) => number(text),
            _ => None,
        }
    }
}

/// The part of an entity's id before the point.
pub(super) fn domain_of(id: &str) -> &str {
    id.split_once('.').map_or(id, |(domain, _)| domain)
}

/// A finite number.
pub(super) fn number(text: &str) -> Option<f64> {
    const LONGEST: usize = 64;
    if text.len() > LONGEST {
        return None;
    }
    let read: f64 = text.trim().parse().ok()?;
    read.is_finite().then_some(read)
}

fn time(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?;
    // not what only people write, as `now`
    if !text.contains('T') {
        return None;
    }
    Timestamp::parse(text, Timestamp::now()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: &str) -> Option<State> {
        State::read(&RawValue::from_string(row.to_owned()).unwrap())
    }

    #[test]
    fn a_state_is_read_and_what_is_unknown_passed_over() {
        let state = read(
            r#"{"entity_id":"sensor.attic","state":"21.5","attributes":{"unit_of_measurement":"°C","x":"7.5","y":8},
                "last_changed":"2026-11-23T00:00:12.767553+00:00","last_updated":"2026-11-23T01:00:13+01:00",
                "last_reported":1,"context":{"id":"1"}}"#,
        )
        .unwrap();
        assert_eq!((state.domain(), state.text.as_str()), ("sensor", "21.5"));
        assert_eq!(state.text_of("unit_of_measurement"), "°C");
        assert_eq!(state.number_of("x"), Some(7.5));
        assert_eq!(state.number_of("y"), Some(8.0));
        assert_eq!(state.number_of("unit_of_measurement"), None);
        let (changed, updated) = (state.changed.unwrap(), state.updated.unwrap());
        assert_eq!(updated.since(changed), 233);
    }

    #[test]
    fn a_garbled_row_is_no_state() {
        for row in [
            "7",
            "null",
            "{}",
            r#"{"entity_id":7,"state":"1"}"#,
            r#"{"entity_id":"sensor","state":"1"}"#,
            r#"{"entity_id":"sensor.","state":"1"}"#,
            r#"{"entity_id":"sensor.a\u0007","state":"1"}"#,
            r#"{"entity_id":"sensor.a"}"#,
            r#"{"entity_id":"sensor.a","state":null}"#,
            r#"{"entity_id":"sensor.a","state":{}}"#,
        ] {
            assert!(read(row).is_none(), "{row}");
        }
        assert!(
            read(&format!(
                r#"{{"entity_id":"sensor.{}","state":"1"}}"#,
                "x".repeat(300)
            ))
            .is_none()
        );
        let odd = read(r#"{"entity_id":"sensor.a","state":1.5,"attributes":[],"last_changed":"now","last_updated":7}"#).unwrap();
        assert_eq!(odd.text, "1.5");
        assert!(odd.changed.is_none() && odd.updated.is_none() && odd.attributes.is_empty());
    }

    #[test]
    fn a_row_that_is_too_deep_is_no_state() {
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        assert!(
            read(&format!(
                r#"{{"entity_id":"sensor.a","state":"1","attributes":{{"x":{deep}}}}}"#
            ))
            .is_none()
        );
    }

    #[test]
    fn numbers_are_finite_and_have_a_point() {
        assert_eq!(number(" 12.5 "), Some(12.5));
        assert_eq!(number("-3e2"), Some(-300.0));
        for text in ["", "nan", "inf", "-inf", "12,5", "12,5 MB", "1e999", "on"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
