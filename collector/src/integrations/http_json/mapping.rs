//! Which values of an answer are which fields of which entities: as it is configured, checked, and carried out.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{
    Entity, FieldName, FieldValue, Fields,
    name::{EntityId, EntityType, excerpt},
};
use serde::Deserialize;
use serde_json::Value;
use tracing::warn;

use super::{
    pointer::{Pointer, Text, plain},
    units::Conversion,
    value::{Kind, flag, number, state, typed},
};
use crate::{Batch, OpenError};

/// Most entities that one list becomes.
const MOST_ITEMS: usize = 1000;
/// Most fields of one entity of the mapping.
const MOST_FIELDS: usize = 256;
/// Most labels of one, and most names of states of one field.
const MOST_LABELS: usize = 32;
const MOST_STATES: usize = 64;

/// One `[[source.entity]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityParams {
    #[serde(rename = "type")]
    entity_type: EntityType,
    #[serde(default)]
    id: Option<Text>,
    #[serde(default)]
    pub(super) path: String,
    #[serde(default)]
    items: Option<Pointer>,
    #[serde(default)]
    labels: BTreeMap<FieldName, Text>,
    field: Vec<FieldParams>,
}

/// One `[[source.entity.field]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldParams {
    name: FieldName,
    at: Pointer,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    scale: Option<f64>,
    #[serde(default)]
    states: BTreeMap<String, String>,
    #[serde(default)]
    is: Option<String>,
}

/// What was told of one answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) entities: usize,
    pub(super) missing: usize,
    pub(super) left_out: usize,
    /// How many places of the mapping the answer has, also with nothing in them.
    pub(super) found: usize,
}

impl std::ops::AddAssign for Told {
    fn add_assign(&mut self, other: Self) {
        self.entities += other.entities;
        self.missing += other.missing;
        self.left_out += other.left_out;
        self.found += other.found;
    }
}

/// How values become entities of one type.
pub(super) struct Mapping {
    source: String,
    entity_type: EntityType,
    id: Text,
    items: Option<Pointer>,
    labels: Vec<(FieldName, Text)>,
    fields: Vec<Field>,
    warned_of_items: bool,
    warned_of_ids: bool,
}

struct Field {
    name: FieldName,
    at: Pointer,
    reading: Reading,
    warned: bool,
}

enum Reading {
    Number(Conversion),
    State(BTreeMap<String, String>),
    Flag,
    /// True where the word is this one.
    Is(String),
}

impl Mapping {
    /// Checks what is configured as `entity[index]`.
    pub(super) fn new(params: EntityParams, index: usize, source: &str) -> Result<Self, OpenError> {
        let at = |key: &str, message: &str| {
            OpenError::at(&format!("entity[{index}].{key}"), message.to_owned())
        };
        if params.entity_type.as_str() == super::HttpJson::TYPE {
            return Err(at(
                "type",
                "this type is the service itself: say what the thing is that the values are of",
            ));
        }
        let id = match (params.id, &params.items) {
            (Some(id), _) => id,
            (None, None) => Text::Written(source.to_owned()),
            (None, Some(_)) => {
                return Err(at(
                    "items",
                    "what tells the items apart is wanted: id = \"/…\", or id = \"@key\" for the name under which each stands",
                ));
            }
        };
        if let Text::Written(id) = &id
            && EntityId::new(id).is_err()
        {
            return Err(at(
                "id",
                "1 to 256 bytes without control characters are an id",
            ));
        }
        if matches!((&id, &params.items), (Text::Written(_), Some(_))) {
            return Err(at(
                "id",
                "all items would have this id: write where in an item its own stands, such as \"/id\"",
            ));
        }
        if params.labels.len() > MOST_LABELS {
            return Err(at("labels", "at most 32 labels can be told"));
        }
        if !(1..=MOST_FIELDS).contains(&params.field.len()) {
            return Err(at("field", "between 1 and 256 fields are wanted"));
        }
        let mut names = BTreeSet::new();
        let fields = params
            .field
            .into_iter()
            .enumerate()
            .map(|(nth, field)| {
                let within = |key: &str, message: String| {
                    OpenError::at(&format!("entity[{index}].field[{nth}].{key}"), message)
                };
                if !names.insert(field.name.clone()) {
                    return Err(within(
                        "name",
                        "there is another field of this name".to_owned(),
                    ));
                }
                field
                    .checked()
                    .map_err(|(key, message)| within(key, message))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            source: source.to_owned(),
            entity_type: params.entity_type,
            id,
            items: params.items,
            labels: params.labels.into_iter().collect(),
            fields,
            warned_of_items: false,
            warned_of_ids: false,
        })
    }

    /// Puts what an answer says into a batch.
    pub(super) fn tell(&mut self, answer: &Value, batch: &mut Batch) -> Told {
        let mut told = Told::default();
        let mut seen = BTreeSet::new();
        let Some(items) = self.items.clone() else {
            self.tell_item(answer, "", &mut seen, &mut told, batch);
            return told;
        };
        match items.find(answer) {
            Some(Value::Array(list)) => {
                told.found += 1;
                for (nth, item) in list.iter().enumerate() {
                    self.tell_item(item, &nth.to_string(), &mut seen, &mut told, batch);
                }
            }
            Some(Value::Object(table)) => {
                told.found += 1;
                for (key, item) in table {
                    self.tell_item(item, key, &mut seen, &mut told, batch);
                }
            }
            // a service without things writes null as well as []
            Some(Value::Null) => told.found += 1,
            other => {
                told.missing += 1;
                if !std::mem::replace(&mut self.warned_of_items, true) {
                    let what = if other.is_some() {
                        "is no list"
                    } else {
                        "is not there"
                    };
                    warn!(
                        source = %self.source,
                        "{}: {items} {what} in the answer: check `items`", self.source
                    );
                }
            }
        }
        if told.left_out > 0 && !std::mem::replace(&mut self.warned_of_ids, true) {
            warn!(
                source = %self.source,
                left_out = told.left_out,
                "{}: {} items of {items} are left out: they have no id, or that of another, or there are more than {MOST_ITEMS}",
                self.source, told.left_out
            );
        }
        told
    }

    fn tell_item(
        &mut self,
        item: &Value,
        key: &str,
        seen: &mut BTreeSet<EntityId>,
        told: &mut Told,
        batch: &mut Batch,
    ) {
        let id = self
            .id
            .read(item, key)
            .and_then(|id| EntityId::new(id).ok())
            .filter(|id| seen.len() < MOST_ITEMS && seen.insert(id.clone()));
        let Some(id) = id else {
            told.left_out += 1;
            return;
        };
        let mut fields = Fields::new();
        for field in &mut self.fields {
            match field.at.find(item) {
                Some(Value::Null) => told.found += 1,
                Some(value) => {
                    told.found += 1;
                    if let Some(read) = field.reading.read(field.name.as_str(), value) {
                        fields.set(field.name.clone(), read);
                    } else {
                        told.missing += 1;
                        field.warn(&self.source, Some(value));
                    }
                }
                None => {
                    told.missing += 1;
                    field.warn(&self.source, None);
                }
            }
        }
        if fields.is_empty() {
            return;
        }
        let mut entity = Entity::new(self.entity_type.clone(), id);
        for (name, label) in &self.labels {
            if let Some(value) = label.read(item, key) {
                entity = entity.with_label(name.clone(), &value);
            }
        }
        told.entities += 1;
        batch.sample(entity, fields);
    }
}

impl FieldParams {
    fn checked(self) -> Result<Field, (&'static str, String)> {
        let is_number = matches!(self.kind, Kind::Gauge | Kind::Counter);
        let grows = self.name.as_str().ends_with("_total");
        match self.kind {
            Kind::Counter if !grows => {
                return Err(("name", "the name of a counter ends in `_total`".to_owned()));
            }
            Kind::Gauge if grows => {
                return Err((
                    "name",
                    "a name that ends in `_total` is that of a counter: add kind = \"counter\", or call it otherwise".to_owned(),
                ));
            }
            _ => {}
        }
        if !is_number && (self.unit.is_some() || self.scale.is_some()) {
            let key = if self.unit.is_some() { "unit" } else { "scale" };
            return Err((key, "only numbers have one".to_owned()));
        }
        if self.kind != Kind::State && !self.states.is_empty() {
            return Err(("states", "these are for kind = \"state\"".to_owned()));
        }
        if self.kind != Kind::Flag && self.is.is_some() {
            return Err(("is", "this is for kind = \"flag\"".to_owned()));
        }
        if self.states.len() > MOST_STATES {
            return Err(("states", "at most 64 states can be named".to_owned()));
        }
        let scale = self.scale.unwrap_or(1.0);
        if !scale.is_normal() {
            return Err((
                "scale",
                "a number other than 0 is wanted, such as 0.1".to_owned(),
            ));
        }
        let reading = match (self.kind, self.is) {
            (Kind::Gauge | Kind::Counter, _) => Reading::Number(
                Conversion::new(self.unit.as_deref(), scale, self.name.as_str())
                    .map_err(|message| ("unit", message))?,
            ),
            (Kind::State, _) => Reading::State(self.states),
            (Kind::Flag, None) => Reading::Flag,
            (Kind::Flag, Some(word)) => Reading::Is(word),
        };
        Ok(Field {
            name: self.name,
            at: self.at,
            reading,
            warned: false,
        })
    }
}

impl Field {
    /// Tells once that a value is not there, or not what it should be: what every answer lacks would else be told for ever.
    fn warn(&mut self, source: &str, value: Option<&Value>) {
        if std::mem::replace(&mut self.warned, true) {
            return;
        }
        let (name, at) = (&self.name, &self.at);
        match value {
            None => warn!(
                source,
                "{source}: {at} is not in the answer, `{name}` is left out: check `at`"
            ),
            Some(value) => {
                let shown = match value {
                    Value::Array(_) => "a list".to_owned(),
                    Value::Object(_) => "a table".to_owned(),
                    other => format!("`{}`", excerpt(&other.to_string())),
                };
                let wanted = match self.reading {
                    Reading::Number(_) => "no number",
                    Reading::State(_) => "no word",
                    Reading::Flag | Reading::Is(_) => "neither true nor false",
                };
                warn!(
                    source,
                    "{source}: {at} is {shown}, {wanted}, `{name}` is left out: check `at` and `kind`"
                );
            }
        }
    }
}

impl Reading {
    fn read(&self, name: &str, value: &Value) -> Option<FieldValue> {
        match self {
            Self::Number(conversion) => typed(name, conversion.apply(number(value)?)),
            Self::State(names) => state(value, names),
            Self::Flag => flag(value).map(FieldValue::Bool),
            Self::Is(word) => {
                let is = plain(value)?.trim().eq_ignore_ascii_case(word);
                Some(FieldValue::Bool(is))
            }
        }
    }
}
