//! How points are laid out, so that people find their way in Grafana and everything comes back as it was:
//!
//! - the measurement is the type of the entity, the tags are `source` and `id`;
//! - fields have their own names; one that a reserved name would hide has `field_` before it;
//! - labels may change, so they are string fields: `label_image`;
//! - every point carries `homelog_origin`, which tells kind, agent and which labels it has: `docker|hub|image|name`.
//!
//! In names and ids `%` and `\` are percent-encoded, since line protocol has no form for a backslash at an end.

use std::borrow::Cow;

use schemas::{
    EntityKey, FieldName, FieldValue, Labels, SourceName, Timestamp,
    line_protocol::{Encoder, Parser, Precision},
    name::{AgentName, EntityId, EntityType, SourceKind},
};

use crate::{Point, Refused};

/// The tag with the source.
pub(super) const SOURCE: &str = "source";
/// The tag with the id.
pub(super) const ID: &str = "id";
/// The field that every point has.
pub(super) const ORIGIN: &str = "homelog_origin";
const LABEL: &str = "label_";
const FIELD: &str = "field_";
const OURS: &str = "homelog_";

/// Where positions are kept, in the bucket of what outlives retention. No entity type has a slash.
pub(super) const POSITIONS: &str = "homelog/position";
/// The tag of a position.
pub(super) const PARTITION: &str = "partition";
/// The field of a position.
pub(super) const NEXT: &str = "next";

/// The earliest time that InfluxDB holds, in Unix milliseconds.
pub(super) const MIN_MS: i64 = -9_223_372_036_854;
/// The latest.
pub(super) const MAX_MS: i64 = 9_223_372_036_854;

/// What a column of an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// A field of the entity.
    Field(FieldName),
    /// A label.
    Label(FieldName),
    /// Kind, agent and names of labels.
    Origin,
    /// Nothing of ours.
    Foreign,
}

/// Who observed an entity, and its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) kind: SourceKind,
    pub(super) agent: Option<AgentName>,
    pub(super) labels: Labels,
}

/// Buffers that are used again for every point.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    name: String,
    origin: String,
}

fn is_plain(text: &str) -> bool {
    !text.bytes().any(|byte| byte == b'%' || byte == b'\\')
}

fn push_encoded(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '%' => out.push_str("%25"),
            '\\' => out.push_str("%5C"),
            '|' => out.push_str("%7C"),
            c => out.push(c),
        }
    }
}

fn is_reserved(name: &str) -> bool {
    name.starts_with(LABEL)
        || name.starts_with(FIELD)
        || name.starts_with(OURS)
        || name.starts_with('_')
        || matches!(name, "time" | SOURCE | ID)
}

/// The column of a field.
pub(super) fn column_of_field<'a>(name: &'a str, scratch: &'a mut String) -> &'a str {
    if is_plain(name) && !is_reserved(name) {
        return name;
    }
    scratch.clear();
    if is_reserved(name) {
        scratch.push_str(FIELD);
    }
    push_encoded(scratch, name);
    scratch
}

fn column_of_label<'a>(name: &str, scratch: &'a mut String) -> &'a str {
    scratch.clear();
    scratch.push_str(LABEL);
    push_encoded(scratch, name);
    scratch
}

/// What a column of an answer holds.
pub(super) fn column(name: &str) -> Column {
    let named = |text: &str| FieldName::new(decoded(text)).ok();
    if name == ORIGIN {
        return Column::Origin;
    }
    if let Some(label) = name.strip_prefix(LABEL) {
        return named(label).map_or(Column::Foreign, Column::Label);
    }
    if name.starts_with(OURS) {
        return Column::Foreign;
    }
    let field = name.strip_prefix(FIELD).unwrap_or(name);
    named(field).map_or(Column::Foreign, Column::Field)
}

/// The id as a tag has it.
pub(super) fn tag_of_id(id: &EntityId) -> Cow<'_, str> {
    if is_plain(id.as_str()) {
        return Cow::Borrowed(id.as_str());
    }
    let mut out = String::new();
    for c in id.as_str().chars() {
        match c {
            '%' => out.push_str("%25"),
            '\\' => out.push_str("%5C"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.replace("%7C", "|")
            .replace("%5C", "\\")
            .replace("%25", "%"),
    )
}

/// The entity of a measurement and its tags; none if nobody of us wrote it.
pub(super) fn entity(measurement: &str, source: &str, id: &str) -> Option<EntityKey> {
    Some(EntityKey {
        source: SourceName::new(source).ok()?,
        entity_type: EntityType::new(measurement).ok()?,
        id: EntityId::new(decoded(id)).ok()?,
    })
}

/// The entity of a key of a series, as the index has it: `disk,id=sda,source=nas1`.
pub(super) fn series(key: &str) -> Option<EntityKey> {
    let line = format!("{key} none=0");
    let line = Parser::new(line.as_bytes(), Precision::Milliseconds)
        .next()?
        .ok()?;
    let tag = |name: &str| line.tags.iter().find(|(tag, _)| tag == name);
    entity(&line.measurement, &tag(SOURCE)?.1, &tag(ID)?.1)
}

/// Writes a point without the fields that `without` names; false if nothing of it was written. What cannot be kept is told.
pub(super) fn encode(
    lines: &mut Encoder,
    point: &Point,
    index: usize,
    without: &[FieldName],
    scratch: &mut Scratch,
    refused: &mut Vec<Refused>,
) -> bool {
    let mut refuse = |why: String| refused.push(Refused { index, why });
    let time = point.time.as_millis();
    if !(MIN_MS..=MAX_MS).contains(&time) {
        refuse(format!(
            "InfluxDB keeps times from 1677 to 2262, not {}",
            point.time
        ));
        return false;
    }
    lines.begin(point.key.entity_type.as_str());
    lines.tag(ID, &tag_of_id(&point.key.id));
    lines.tag(SOURCE, point.key.source.as_str());
    let mut there = point.fields.is_empty();
    for (name, value) in point.fields.iter() {
        if !without.is_empty() && without.contains(name) {
            continue;
        }
        if let FieldValue::U64(value) = value {
            refuse(format!(
                "InfluxDB keeps whole numbers up to {}, and `{name}` is {value}",
                i64::MAX
            ));
            continue;
        }
        there = true;
        lines.field(column_of_field(name.as_str(), &mut scratch.name), value);
    }
    if !there {
        return false;
    }
    encode_origin(
        lines,
        &point.kind,
        point.agent.as_ref(),
        &point.labels,
        scratch,
    );
    match lines.end(Some(time)) {
        Ok(()) => true,
        Err(unwritable) => {
            refuse(unwritable.to_string());
            false
        }
    }
}

fn encode_origin(
    lines: &mut Encoder,
    kind: &SourceKind,
    agent: Option<&AgentName>,
    labels: &Labels,
    scratch: &mut Scratch,
) {
    let origin = &mut scratch.origin;
    origin.clear();
    origin.push_str(kind.as_str());
    origin.push('|');
    origin.push_str(agent.map_or("", AgentName::as_str));
    for (name, value) in labels {
        origin.push('|');
        push_encoded(origin, name.as_str());
        lines.text(column_of_label(name.as_str(), &mut scratch.name), value);
    }
    lines.text(ORIGIN, origin);
}

/// Writes values that are put aside, at their time. They were in the store, so they have a form.
pub(super) fn encode_kept(
    lines: &mut Encoder,
    key: &EntityKey,
    time: Timestamp,
    fields: &[(&FieldName, &FieldValue)],
    origin: Option<&Origin>,
    scratch: &mut Scratch,
) {
    lines.begin(key.entity_type.as_str());
    lines.tag(ID, &tag_of_id(&key.id));
    lines.tag(SOURCE, key.source.as_str());
    for (name, value) in fields {
        lines.field(column_of_field(name.as_str(), &mut scratch.name), value);
    }
    if let Some(origin) = origin {
        encode_origin(
            lines,
            &origin.kind,
            origin.agent.as_ref(),
            &origin.labels,
            scratch,
        );
    }
    lines.end(Some(time.as_millis())).unwrap_or_default();
}

/// Reads `homelog_origin`; `label` gives the value of a label of the same point.
pub(super) fn origin(text: &str, label: impl Fn(&FieldName) -> Option<String>) -> Option<Origin> {
    let mut parts = text.split('|');
    let kind = SourceKind::new(parts.next()?).ok()?;
    let agent = AgentName::new(parts.next()?).ok();
    let labels = parts
        .filter_map(|name| {
            let name = FieldName::new(decoded(name)).ok()?;
            let value = label(&name)?;
            Some((name, value.into()))
        })
        .collect();
    Some(Origin {
        kind,
        agent,
        labels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_name_of_a_field_has_a_column_of_its_own(name in "(label_|field_|homelog_|_|)\\PC{1,12}") {
            if let Ok(field) = FieldName::new(&name) {
                let mut scratch = String::new();
                let written = column_of_field(&name, &mut scratch).to_owned();
                prop_assert_eq!(column(&written), Column::Field(field.clone()));
                let written = column_of_label(&name, &mut scratch).to_owned();
                prop_assert_eq!(column(&written), Column::Label(field));
            }
        }

        #[test]
        fn every_id_comes_back_from_its_tag(id in "[a-z%\\\\|5C27]{1,12}") {
            let id = EntityId::new(id).unwrap();
            let key = entity("disk", "nas1", &tag_of_id(&id)).unwrap();
            prop_assert_eq!(&key.id, &id);
            let mut lines = Encoder::new();
            lines.begin("disk");
            lines.tag(ID, &tag_of_id(&id));
            lines.tag(SOURCE, "nas1");
            lines.integer("none", 0);
            lines.end(None).unwrap();
            let line = std::str::from_utf8(lines.bytes()).unwrap();
            prop_assert_eq!(series(line.strip_suffix(" none=0i\n").unwrap()), Some(key));
        }
    }

    #[test]
    fn names_that_the_server_would_swallow_are_kept_apart() {
        let mut scratch = String::new();
        for (name, column) in [
            ("cpu_ratio", "cpu_ratio"),
            ("time", "field_time"),
            ("id", "field_id"),
            ("_field", "field__field"),
            ("label_x", "field_label_x"),
            ("a\\", "a%5C"),
        ] {
            assert_eq!(column_of_field(name, &mut scratch), column);
        }
    }
}
