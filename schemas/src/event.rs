//! The immutable observation and its parts.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    fields::{Fields, InvalidValue},
    limits,
    name::{
        AgentName, EntityId, EntityType, Epoch, FieldName, InvalidName, SourceKind, SourceName,
        excerpt,
    },
    time::Timestamp,
};

/// What kind of observation an event is.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// A reading.
    Sample,
    /// A state that moved: a container died, a disk degraded.
    Change,
    /// A source went up or down, and what its polls cost.
    Source,
}

impl EventType {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Change => "change",
            Self::Source => "source",
        }
    }
}

impl FromStr for EventType {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text {
            "sample" => Ok(Self::Sample),
            "change" => Ok(Self::Change),
            "source" => Ok(Self::Source),
            _ => Err(InvalidName {
                what: "event type",
                shown: excerpt(text),
                rule: "sample, change or source",
            }),
        }
    }
}

/// Slow facts about an entity: `name`, `image`, `host`.
pub type Labels = BTreeMap<FieldName, Arc<str>>;

/// What was observed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// What it is.
    #[serde(rename = "type")]
    pub entity_type: EntityType,
    /// Which one.
    pub id: EntityId,
    /// Slow facts about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Labels,
}

impl Entity {
    /// An entity without labels.
    pub fn new(entity_type: EntityType, id: EntityId) -> Self {
        Self {
            entity_type,
            id,
            labels: Labels::new(),
        }
    }

    /// Adds a label, cut to its bound; an empty one is left out.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<FieldName>, value: &str) -> Self {
        let mut end = value.len().min(limits::LABEL_VALUE);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        if let Some(value) = value.get(..end).filter(|v| !v.is_empty()) {
            self.labels.insert(name.into(), Arc::from(value));
        }
        self
    }
}

/// Lab-wide key of an entity: `source/type/id`, with the id percent-encoded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityKey {
    /// The source that observes it.
    pub source: SourceName,
    /// What it is.
    pub entity_type: EntityType,
    /// Which one.
    pub id: EntityId,
}

const KEEP_IN_ID: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}",
            self.source,
            self.entity_type,
            utf8_percent_encode(self.id.as_str(), KEEP_IN_ID)
        )
    }
}

impl fmt::Debug for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A text that is no key of an entity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Not three parts.
    #[error("`{0}` is not an entity key: write source/type/id, with the id percent-encoded")]
    Shape(String),
    /// One part breaks its rule.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

impl FromStr for EntityKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let shape = || InvalidKey::Shape(excerpt(text));
        let mut parts = text.splitn(3, '/');
        let (Some(source), Some(entity_type), Some(id)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(shape());
        };
        let id = percent_decode_str(id).decode_utf8().map_err(|_| shape())?;
        Ok(Self {
            source: SourceName::new(source)?,
            entity_type: EntityType::new(entity_type)?,
            id: EntityId::new(&*id)?,
        })
    }
}

impl Serialize for EntityKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntityKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Place of an event in its writer's sequence.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// The writer's sequence state.
    pub epoch: Epoch,
    /// 1, 2, 3 … within the epoch.
    pub seq: u64,
}

/// Identity of an event: `source:epoch:seq`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EventId {
    /// The source.
    pub source: SourceName,
    /// Place in its sequence.
    pub identity: Identity,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.source, self.identity.epoch, self.identity.seq
        )
    }
}

/// One observation of one entity by one source at one instant, as it stands in the log for ever.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Who observed it.
    pub source: SourceName,
    /// What the source is.
    pub kind: SourceKind,
    /// The collector agent, or for pushed events nobody.
    pub agent: Option<AgentName>,
    /// The writer's sequence state.
    pub epoch: Epoch,
    /// 1, 2, 3 … within (source, epoch).
    pub seq: u64,
    /// What kind of observation.
    pub event_type: EventType,
    /// When it was observed.
    pub time: Timestamp,
    /// What was observed.
    pub entity: Entity,
    /// The readings.
    pub fields: Fields,
}

impl Event {
    /// The key of its entity.
    pub fn key(&self) -> EntityKey {
        EntityKey {
            source: self.source.clone(),
            entity_type: self.entity.entity_type.clone(),
            id: self.entity.id.clone(),
        }
    }

    /// Its identity.
    pub fn id(&self) -> EventId {
        EventId {
            source: self.source.clone(),
            identity: Identity {
                epoch: self.epoch.clone(),
                seq: self.seq,
            },
        }
    }

    /// The same event for another log, under the identity that it has.
    pub fn into_draft(self) -> Draft {
        Draft {
            source: self.source,
            kind: self.kind,
            agent: self.agent,
            event_type: self.event_type,
            time: self.time,
            entity: self.entity,
            fields: self.fields,
            identity: Some(Identity {
                epoch: self.epoch,
                seq: self.seq,
            }),
        }
    }
}

/// An event on its way to the log, which gives it its place in the sequence unless a writer brought one.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// Who observed it.
    pub source: SourceName,
    /// What the source is.
    pub kind: SourceKind,
    /// The collector agent, or for pushed events nobody.
    pub agent: Option<AgentName>,
    /// What kind of observation.
    pub event_type: EventType,
    /// When it was observed.
    pub time: Timestamp,
    /// What was observed.
    pub entity: Entity,
    /// The readings.
    pub fields: Fields,
    /// The writer's own place in its sequence; without one the log assigns it.
    pub identity: Option<Identity>,
}

/// What an event must not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// Nothing was observed.
    #[error("`fields` is empty: an event needs at least one field")]
    NoFields,
    /// A bound on the fields.
    #[error(transparent)]
    Value(#[from] InvalidValue),
    /// Too many labels.
    #[error("the entity has {0} labels, the limit is {max}", max = limits::LABELS)]
    TooManyLabels(usize),
    /// A label is too long.
    #[error("label `{0}` is {1} bytes long, the limit is {max}", max = limits::LABEL_VALUE)]
    LabelTooLong(String, usize),
    /// A clock that was never set.
    #[error("time {0} is outside 2000 to 2200: check the sender's clock")]
    Time(Timestamp),
    /// Sequences begin at 1.
    #[error("`seq` must be between 1 and 9223372036854775807")]
    Seq,
}

impl Draft {
    /// Checks every bound that can be checked without knowing other events.
    pub fn check(&self) -> Result<(), InvalidEvent> {
        if self.fields.is_empty() {
            return Err(InvalidEvent::NoFields);
        }
        self.fields.check()?;
        if self.entity.labels.len() > limits::LABELS {
            return Err(InvalidEvent::TooManyLabels(self.entity.labels.len()));
        }
        for (name, value) in &self.entity.labels {
            if value.len() > limits::LABEL_VALUE {
                return Err(InvalidEvent::LabelTooLong(
                    excerpt(name.as_str()),
                    value.len(),
                ));
            }
        }
        if !self.time.is_plausible() {
            return Err(InvalidEvent::Time(self.time));
        }
        if let Some(identity) = &self.identity
            && (identity.seq == 0 || i64::try_from(identity.seq).is_err())
        {
            return Err(InvalidEvent::Seq);
        }
        Ok(())
    }

    /// The event, once its place is known.
    pub fn into_event(self, identity: Identity) -> Event {
        Event {
            source: self.source,
            kind: self.kind,
            agent: self.agent,
            epoch: identity.epoch,
            seq: identity.seq,
            event_type: self.event_type,
            time: self.time,
            entity: self.entity,
            fields: self.fields,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_back(source in "[a-z][a-z0-9._-]{0,20}", ty in "[a-z_]{1,10}", id in "\\PC{1,60}") {
            let key = EntityKey {
                source: SourceName::new(source).unwrap(),
                entity_type: EntityType::new(ty).unwrap(),
                id: EntityId::new(id).unwrap(),
            };
            let text = key.to_string();
            prop_assert_eq!(text.matches('/').count(), 2);
            prop_assert_eq!(text.parse::<EntityKey>().unwrap(), key);
        }

        #[test]
        fn any_text_is_a_key_or_an_error(text in "\\PC{0,80}") {
            let _read = text.parse::<EntityKey>();
        }
    }

    #[test]
    fn labels_are_bounded() {
        let entity = Entity::new(
            EntityType::new("disk").unwrap(),
            EntityId::new("sda").unwrap(),
        )
        .with_label("model", &"x".repeat(600))
        .with_label("empty", "");
        assert_eq!(
            entity.labels.get("model").map(|v| v.len()),
            Some(limits::LABEL_VALUE)
        );
        assert!(!entity.labels.contains_key("empty"));
    }
}
