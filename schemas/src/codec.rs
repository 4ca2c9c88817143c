//! The JSON form of an event in the log, with its version.
//!
//! Every older version stays readable: an upcaster lifts its document to the next version, step by step, before it is
//! read. Golden files in `schemas/golden` hold one of each.

mod decoder;

pub use decoder::Decoder;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    event::{Entity, Event, EventType},
    fields::Fields,
    limits,
    name::{AgentName, Epoch, SourceKind, SourceName},
    time::Timestamp,
};

/// The version that is written.
pub const VERSION: u16 = 1;

/// Bytes that are no event this program can read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Larger than any event may be.
    #[error("the event is {0} bytes long, the limit is {max}", max = limits::EVENT_BYTES)]
    TooLong(usize),
    /// Not JSON, or not of the form its version has.
    #[error("the event is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a later release.
    #[error("the event has schema {found}, this release reads up to {VERSION}: update homelog")]
    Newer {
        /// The version it names.
        found: u64,
    },
    /// No `schema`.
    #[error("the event names no schema")]
    NoVersion,
    /// A value that no event may hold.
    #[error("the event's time {0} is outside 2000 to 2200")]
    Time(i64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireV1<'a> {
    schema: u16,
    #[serde(borrow)]
    source: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<AgentName>,
    epoch: Epoch,
    seq: u64,
    #[serde(rename = "type")]
    event_type: EventType,
    /// Unix milliseconds.
    time: i64,
    entity: Entity,
    fields: Fields,
}

#[derive(Serialize)]
struct WriteV1<'a> {
    schema: u16,
    source: &'a SourceName,
    kind: &'a SourceKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a AgentName>,
    epoch: &'a Epoch,
    seq: u64,
    #[serde(rename = "type")]
    event_type: EventType,
    time: i64,
    entity: &'a Entity,
    fields: &'a Fields,
}

#[derive(Deserialize)]
struct Version {
    schema: Option<u64>,
}

/// Writes an event in the current version, as one line of JSON without a line break.
///
/// # Errors
/// Only if the event holds a number that JSON cannot hold, which its constructors prevent.
pub fn encode(event: &Event, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    serde_json::to_writer(
        out,
        &WriteV1 {
            schema: VERSION,
            source: &event.source,
            kind: &event.kind,
            agent: event.agent.as_ref(),
            epoch: &event.epoch,
            seq: event.seq,
            event_type: event.event_type,
            time: event.time.as_millis(),
            entity: &event.entity,
            fields: &event.fields,
        },
    )
}

/// Reads an event of any version up to the current one.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    if bytes.len() > limits::EVENT_BYTES {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    // the current version is by far the most frequent: one pass over the bytes
    match serde_json::from_slice::<WireV1<'_>>(bytes) {
        Ok(wire) if wire.schema == VERSION => from_v1(wire),
        other => {
            let found = serde_json::from_slice::<Version>(bytes)?
                .schema
                .ok_or(DecodeError::NoVersion)?;
            if found > u64::from(VERSION) {
                return Err(DecodeError::Newer { found });
            }
            if found == u64::from(VERSION) {
                return other.map_err(DecodeError::Malformed).and_then(from_v1);
            }
            let lifted = upcast(serde_json::from_slice(bytes)?, found).to_string();
            from_v1(serde_json::from_str::<WireV1<'_>>(&lifted)?)
        }
    }
}

fn from_v1(wire: WireV1<'_>) -> Result<Event, DecodeError> {
    let time = Timestamp::from_millis(wire.time);
    if !time.is_plausible() {
        return Err(DecodeError::Time(wire.time));
    }
    let name = |e: crate::name::InvalidName| DecodeError::Malformed(serde::de::Error::custom(e));
    Ok(Event {
        source: SourceName::new(wire.source).map_err(name)?,
        kind: SourceKind::new(wire.kind).map_err(name)?,
        agent: wire.agent,
        epoch: wire.epoch,
        seq: wire.seq,
        event_type: wire.event_type,
        time,
        entity: wire.entity,
        fields: wire.fields,
    })
}

/// Lifts a document to the current version, one step a version.
///
/// Version 0 was the form before the first release: `at` held seconds instead of `time` in milliseconds.
fn upcast(mut document: Value, from: u64) -> Value {
    if from == 0
        && let Some(map) = document.as_object_mut()
    {
        if let Some(seconds) = map.remove("at").as_ref().and_then(Value::as_i64) {
            map.insert("time".into(), seconds.saturating_mul(1000).into());
        }
        map.insert("schema".into(), 1.into());
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fields::FieldValue,
        name::{EntityId, EntityType, FieldName},
    };
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = FieldValue> {
        prop_oneof![
            any::<f64>().prop_filter_map("finite", |v| FieldValue::float(v).ok()),
            any::<i64>().prop_map(FieldValue::I64),
            any::<u64>().prop_map(FieldValue::unsigned),
            any::<bool>().prop_map(FieldValue::Bool),
            "\\PC{0,40}".prop_map(|t| FieldValue::text(t).unwrap()),
        ]
    }

    prop_compose! {
        fn event()(
            source in "[a-z][a-z0-9._-]{0,20}",
            agent in proptest::option::of("[a-z]{1,8}"),
            seq in 1..i64::MAX as u64,
            time in limits::EARLIEST_MS..limits::LATEST_MS,
            event_type in prop_oneof![Just(EventType::Sample), Just(EventType::Change), Just(EventType::Source)],
            id in "\\PC{1,40}",
            labels in proptest::collection::btree_map("[a-z_]{1,10}", "\\PC{1,40}", 0..4),
            fields in proptest::collection::btree_map("\\PC{1,20}", value(), 1..8),
        ) -> Event {
            Event {
                source: SourceName::new(source).unwrap(),
                kind: SourceKind::new("host").unwrap(),
                agent: agent.map(|a| AgentName::new(a).unwrap()),
                epoch: Epoch::new("00ff").unwrap(),
                seq,
                event_type,
                time: Timestamp::from_millis(time),
                entity: Entity {
                    entity_type: EntityType::new("host").unwrap(),
                    id: EntityId::new(id).unwrap(),
                    labels: labels.into_iter().map(|(k, v)| (FieldName::new(k).unwrap(), v.into())).collect(),
                },
                fields: fields.into_iter().map(|(k, v)| (FieldName::new(k).unwrap(), v)).collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_to_the_last_bit(event in event()) {
            let mut bytes = Vec::new();
            encode(&event, &mut bytes).unwrap();
            prop_assert!(!bytes.contains(&b'\n'));
            let back = decode(&bytes).unwrap();
            for ((_, a), (_, b)) in event.fields.iter().zip(back.fields.iter()) {
                prop_assert!(a.same_as(b), "{a:?} became {b:?}");
            }
            prop_assert_eq!(back, event);
        }

        /// One decoder reads all of them, so that what it remembers of one could spoil another.
        #[test]
        fn a_decoder_answers_as_decode_does(
            events in proptest::collection::vec(event(), 1..20),
            damage in proptest::collection::vec((0..400_usize, any::<u8>()), 20),
        ) {
            let mut decoder = Decoder::new();
            for (event, (at, with)) in events.iter().zip(damage) {
                let mut bytes = Vec::new();
                encode(event, &mut bytes).unwrap();
                let back = decoder.decode(&bytes).unwrap();
                for ((_, a), (_, b)) in event.fields.iter().zip(back.fields.iter()) {
                    prop_assert!(a.same_as(b), "{a:?} became {b:?}");
                }
                prop_assert_eq!(&back, event);
                let at = at % bytes.len();
                bytes[at] = with;
                let answer = |read: Result<Event, DecodeError>| read.map_err(|e| e.to_string());
                prop_assert_eq!(answer(decoder.decode(&bytes)), answer(decode(&bytes)));
            }
        }

        #[test]
        fn hostile_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&bytes).is_err());
        }

        #[test]
        fn a_damaged_event_never_panics(event in event(), at in 0..400_usize, with in any::<u8>()) {
            let mut bytes = Vec::new();
            encode(&event, &mut bytes).unwrap();
            let at = at % bytes.len();
            bytes[at] = with;
            let _read = decode(&bytes);
            bytes.truncate(at);
            prop_assert!(decode(&bytes).is_err());
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let bytes = "[".repeat(200_000);
        assert!(decode(bytes.as_bytes()).is_err());
    }

    #[test]
    fn golden_files_of_every_version_stay_readable() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
        for version in 0..=VERSION {
            let text =
                std::fs::read_to_string(format!("{directory}/event.v{version}.json")).unwrap();
            let event = decode(text.trim().as_bytes()).unwrap();
            assert_eq!(
                Decoder::new().decode(text.trim().as_bytes()).unwrap(),
                event
            );
            let mut again = Vec::new();
            encode(&event, &mut again).unwrap();
            let current =
                std::fs::read_to_string(format!("{directory}/event.v{VERSION}.json")).unwrap();
            assert_eq!(
                String::from_utf8(again).unwrap(),
                current.trim(),
                "version {version}"
            );
        }
    }

    #[test]
    fn a_later_version_says_what_to_do() {
        let message = decode(br#"{"schema":9,"anything":true}"#)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("schema 9") && message.contains("update homelog"),
            "{message}"
        );
    }
}
