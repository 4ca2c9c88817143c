use event_log::{Body, DeadLetter, Record};
use schemas::{
    Catalog, EntityKey, Event, FieldName, FieldValue, Fields, Purge,
    catalog::{TypeConflict, type_of},
    codec, limits,
};
use time_series::Point;

use crate::known::{Known, KnownEntities};

/// What a store takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most entities of one source.
    pub entities_per_source: usize,
    /// Most fields that one entity may have over time.
    pub fields_per_entity: usize,
    /// Whether whole numbers above `i64::MAX` can be kept.
    pub unsigned: bool,
    /// How long samples are kept, in milliseconds; what was older when it was logged has no place.
    pub keep_millis: Option<i64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entities_per_source: 10_000,
            fields_per_entity: 1_000,
            unsigned: true,
            keep_millis: None,
        }
    }
}

/// What became of one entry of the log.
#[derive(Debug, Default, PartialEq)]
pub struct Projection {
    /// The point, if anything of it could be used.
    pub point: Option<Point>,
    /// What could not be used.
    pub letters: Vec<DeadLetter>,
    /// How far its time was ahead of its arrival, in milliseconds, if it was corrected.
    pub ahead_millis: Option<i64>,
}

/// Flags a point whose time was so far ahead that it is stored at its arrival: by how many seconds.
const AHEAD: &str = "clock_ahead_seconds";

/// Makes a point of an entry of the log; of a mark of a purge, none. Depends only on its arguments.
pub fn project(
    record: &Record,
    catalog: &Catalog,
    known: &mut KnownEntities,
    limits: &Limits,
) -> Projection {
    let event = match &record.body {
        Body::Event(event) => event,
        Body::Unreadable { bytes, reason } => {
            let letter = letter(record, None, "undecodable", reason.clone(), bytes.to_vec());
            return Projection {
                letters: vec![letter],
                ..Projection::default()
            };
        }
    };
    let whole = |reason: &str, message: String| Projection {
        letters: vec![letter(record, None, reason, message, encoded(event))],
        ..Projection::default()
    };

    if Purge::is(event) {
        // it tells what is to go, and nothing of what is
        return Projection::default();
    }
    known.follow(catalog.corrections());
    let key = event.key();
    let Some(entity) = known.admit(&key, limits.entities_per_source) else {
        return whole(
            "cardinality",
            format!(
                "source `{}` already has {} entities: give its entities stable ids, or split it into several sources",
                event.source, limits.entities_per_source
            ),
        );
    };
    if let Some(keep) = limits.keep_millis
        && record.logged.since(event.time) > keep
    {
        return whole(
            "too_old",
            format!(
                "observed at {}, older than [retention] raw when it was logged at {}",
                event.time, record.logged
            ),
        );
    }

    let (mut fields, letters) = use_fields(record, event, &key, catalog, entity, limits);
    if fields.is_empty() {
        return Projection {
            letters,
            ..Projection::default()
        };
    }

    let ahead = event.time.since(record.logged);
    let ahead_millis = (ahead > limits::FUTURE_SKEW_MS).then_some(ahead);
    let time = if let Some(ahead) = ahead_millis {
        if let Ok(seconds) = catalog.fit(
            &event.entity.entity_type,
            &FieldName::from(AHEAD),
            FieldValue::I64(ahead / 1000),
        ) {
            fields.set(AHEAD, seconds);
        }
        record.logged
    } else {
        event.time
    };
    let point = Point {
        key,
        kind: event.kind.clone(),
        agent: event.agent.clone(),
        labels: entity.share_labels(&event.entity.labels),
        time,
        fields,
    };
    Projection {
        point: Some(point),
        letters,
        ahead_millis,
    }
}

/// The fields that can be used, in the types of the catalogue, and letters for the others.
fn use_fields(
    record: &Record,
    event: &Event,
    key: &EntityKey,
    catalog: &Catalog,
    entity: &mut Known,
    limits: &Limits,
) -> (Fields, Vec<DeadLetter>) {
    // by far the most events have only known fields with values of their types: one walk along both, then one copy
    if fits_as_it_is(event, entity, limits) {
        return (event.fields.clone(), Vec::new());
    }
    let mut letters = Vec::new();
    let mut fields = Fields::new();
    for (name, value) in event.fields.iter() {
        match use_field(event, key, name, value, catalog, entity, limits) {
            Ok(value) => {
                fields.set(name.clone(), value);
            }
            Err((reason, message)) => {
                letters.push(letter(record, Some(name), reason, message, encoded(event)));
            }
        }
    }
    (fields, letters)
}

fn fits_as_it_is(event: &Event, entity: &Known, limits: &Limits) -> bool {
    let mut known = entity.fields.iter();
    event.fields.iter().all(|(name, value)| {
        let value_type = known
            .by_ref()
            .find(|(known, _)| known >= name)
            .filter(|(known, _)| known == name)
            .and_then(|(_, value_type)| *value_type);
        value_type == Some(type_of(value))
            && (limits.unsigned || !matches!(value, FieldValue::U64(_)))
    })
}

fn use_field(
    event: &Event,
    key: &EntityKey,
    name: &FieldName,
    value: &FieldValue,
    catalog: &Catalog,
    entity: &mut Known,
    limits: &Limits,
) -> Result<FieldValue, (&'static str, String)> {
    if matches!(value, FieldValue::U64(_)) && !limits.unsigned {
        return Err((
            "out_of_range",
            format!(
                "field `{name}`: the store keeps whole numbers up to {}",
                i64::MAX
            ),
        ));
    }
    let entity_type = &event.entity.entity_type;
    let place = entity.fields.binary_search_by(|(known, _)| known.cmp(name));
    let remembered = place
        .ok()
        .and_then(|place| entity.fields.get(place))
        .and_then(|(_, value_type)| *value_type);
    let expected = remembered.unwrap_or_else(|| catalog.type_at_sight(entity_type, name, value));
    let value = expected.fit(value.clone()).map_err(|value| {
        let conflict = TypeConflict {
            entity_type: entity_type.clone(),
            field: name.clone(),
            expected,
            found: type_of(&value),
        };
        ("type_conflict", conflict.to_string())
    })?;
    match place {
        Ok(place) => {
            if let Some((_, value_type)) = entity.fields.get_mut(place) {
                *value_type = Some(expected);
            }
        }
        Err(_) if entity.fields.len() >= limits.fields_per_entity => {
            return Err((
                "cardinality",
                format!(
                    "entity `{key}` already has {} fields: keep names of fields stable",
                    limits.fields_per_entity
                ),
            ));
        }
        Err(place) => entity.fields.insert(place, (name.clone(), Some(expected))),
    }
    Ok(value)
}

pub(crate) fn letter(
    record: &Record,
    field: Option<&FieldName>,
    reason: &str,
    message: String,
    bytes: Vec<u8>,
) -> DeadLetter {
    DeadLetter {
        partition: record.partition,
        offset: record.offset,
        field: field.map(ToString::to_string),
        time: record.logged,
        reason: reason.to_owned(),
        message,
        bytes,
    }
}

/// The bytes of a record as they stand in the log.
pub(crate) fn original(record: &Record) -> Vec<u8> {
    match &record.body {
        Body::Event(event) => encoded(event),
        Body::Unreadable { bytes, .. } => bytes.to_vec(),
    }
}

fn encoded(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    // an event that came from the log can be written again; if not, its letter still names it
    if codec::encode(event, &mut bytes).is_err() {
        bytes = event.id().to_string().into_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use schemas::{
        Entity, EventType, MetricDef, SourceName, Timestamp,
        catalog::Unit,
        name::{EntityId, EntityType, Epoch, SourceKind},
    };

    use super::*;

    static DEFS: &[MetricDef] = &[MetricDef::gauge(
        "room",
        "temperature_celsius",
        Unit::Celsius,
        "air temperature",
    )];
    const LOGGED: Timestamp = Timestamp::from_millis(1_795_406_700_000);

    fn record(id: &str, time: Timestamp, fields: Fields) -> Record {
        Record {
            partition: 0,
            offset: 7,
            logged: LOGGED,
            body: Body::Event(Arc::new(Event {
                source: SourceName::new("lab").unwrap(),
                kind: SourceKind::new("push").unwrap(),
                agent: None,
                epoch: Epoch::new("e").unwrap(),
                seq: 1,
                event_type: EventType::Sample,
                time,
                entity: Entity::new(EntityType::new("room").unwrap(), EntityId::new(id).unwrap())
                    .with_label("floor", "1"),
                fields,
            })),
        }
    }

    fn fields(pairs: &[(&'static str, FieldValue)]) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in pairs {
            fields.set(*name, value.clone());
        }
        fields
    }

    fn run(record: &Record, known: &mut KnownEntities, limits: &Limits) -> Projection {
        project(record, &Catalog::new(DEFS), known, limits)
    }

    #[test]
    fn a_reading_becomes_a_point_with_the_types_of_the_catalogue() {
        let made = run(
            &record(
                "hall",
                LOGGED,
                fields(&[("temperature_celsius", FieldValue::I64(21))]),
            ),
            &mut KnownEntities::default(),
            &Limits::default(),
        );
        let point = made.point.unwrap();
        assert_eq!(
            point.fields.get("temperature_celsius"),
            Some(&FieldValue::F64(21.0))
        );
        assert_eq!(point.time, LOGGED);
        assert_eq!(made.letters, []);
    }

    #[test]
    fn a_field_of_the_wrong_type_is_put_aside_and_the_rest_is_kept() {
        let sent = fields(&[
            ("temperature_celsius", FieldValue::Text("warm".into())),
            ("humidity_ratio", FieldValue::F64(0.5)),
        ]);
        let made = run(
            &record("hall", LOGGED, sent),
            &mut KnownEntities::default(),
            &Limits::default(),
        );
        let [letter] = &made.letters[..] else {
            panic!("{:?}", made.letters)
        };
        assert_eq!(
            (letter.reason.as_str(), letter.field.as_deref()),
            ("type_conflict", Some("temperature_celsius"))
        );
        assert!(
            codec::decode(&letter.bytes).is_ok(),
            "the original is kept whole"
        );
        let point = made.point.unwrap();
        assert_eq!(point.fields.len(), 1);
    }

    #[test]
    fn a_time_far_ahead_is_stored_at_its_arrival_and_flagged() {
        let sent = fields(&[("temperature_celsius", FieldValue::F64(21.0))]);
        let ahead = run(
            &record("hall", LOGGED.plus_millis(3_600_000), sent.clone()),
            &mut KnownEntities::default(),
            &Limits::default(),
        );
        let point = ahead.point.unwrap();
        assert_eq!(point.time, LOGGED);
        assert_eq!(point.fields.get(AHEAD), Some(&FieldValue::F64(3600.0)));
        let near = run(
            &record("hall", LOGGED.plus_millis(200_000), sent),
            &mut KnownEntities::default(),
            &Limits::default(),
        );
        assert_eq!(near.point.unwrap().time, LOGGED.plus_millis(200_000));
    }

    #[test]
    fn a_source_cannot_have_entities_without_end() {
        let limits = Limits {
            entities_per_source: 2,
            ..Limits::default()
        };
        let mut known = KnownEntities::default();
        let sent = || fields(&[("temperature_celsius", FieldValue::F64(21.0))]);
        for id in ["a", "b", "a"] {
            assert!(
                run(&record(id, LOGGED, sent()), &mut known, &limits)
                    .point
                    .is_some()
            );
        }
        let refused = run(&record("c", LOGGED, sent()), &mut known, &limits);
        assert_eq!(
            refused.letters.first().map(|l| l.reason.as_str()),
            Some("cardinality")
        );
        assert!(refused.point.is_none());
    }

    #[test]
    fn what_cannot_be_read_keeps_its_bytes() {
        let mut broken = record("hall", LOGGED, Fields::new());
        broken.body = Body::Unreadable {
            bytes: Arc::from(&b"\x00garbage"[..]),
            reason: "no json".into(),
        };
        let made = run(&broken, &mut KnownEntities::default(), &Limits::default());
        assert_eq!(
            made.letters.first().map(|l| l.bytes.as_slice()),
            Some(&b"\x00garbage"[..])
        );
    }

    #[test]
    fn late_beyond_retention_is_put_aside() {
        let limits = Limits {
            keep_millis: Some(1000),
            ..Limits::default()
        };
        let sent = fields(&[("temperature_celsius", FieldValue::F64(21.0))]);
        let made = run(
            &record("hall", LOGGED.plus_millis(-5000), sent),
            &mut KnownEntities::default(),
            &limits,
        );
        assert_eq!(
            made.letters.first().map(|l| l.reason.as_str()),
            Some("too_old")
        );
    }
}
