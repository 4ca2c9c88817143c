//! Series become entities and fields: the labels of a series say which entity it is of, its name is the field.

use std::collections::{BTreeMap, btree_map::Entry};

use schemas::{
    Entity, FieldName, FieldValue, Fields, limits,
    name::{EntityId, EntityType, InvalidName},
};

use super::{
    exposition::{Exposition, Kind},
    identity::identity,
    line::Sample,
    names::{Part, field},
};
use crate::{Batch, pattern::Patterns};

/// Most fields of one entity: as many as the store keeps of one.
const MOST_FIELDS: usize = 1000;
/// Most fields of one event; further ones come in a second event, which is merged with the first.
const TOGETHER: usize = 256;
/// Most labels that the target has of its info metrics.
const MOST_INFO: usize = 48;

/// Which series are told, and as what.
pub(super) struct Mapping {
    pub(super) include: Patterns,
    pub(super) exclude: Patterns,
    pub(super) entity_labels: Patterns,
    pub(super) ignore_labels: Patterns,
    pub(super) buckets: bool,
    pub(super) max_series: usize,
    /// What series without labels are of.
    pub(super) target: EntityId,
    pub(super) series_type: EntityType,
    pub(super) target_type: EntityType,
}

/// One field of an entity while series are gathered.
struct Cell {
    value: f64,
    is_counter: bool,
    /// Whether its labels are not all of its series'.
    reduced: bool,
    /// How many series it is of; more than one gauge cannot be told apart.
    series: usize,
    ambiguous: bool,
}

#[derive(Default)]
struct Found {
    labels: Vec<(String, String)>,
    cells: BTreeMap<String, Cell>,
}

/// What became of a scrape.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Series that are told.
    pub(super) series: usize,
    /// Series that were wanted, but found no place.
    pub(super) left_out: usize,
}

/// What a series is to us.
enum Role<'a> {
    /// A field: the name that it is made of, what it is, and the label that is in the field's name already.
    Field(&'a str, Part<'a>, &'a str),
    /// A fact about the target: the beginning of its name.
    Info(&'a str),
    /// Nothing that is told.
    Nothing,
}

impl Mapping {
    pub(super) fn new(source: &str) -> Result<Self, InvalidName> {
        Ok(Self {
            include: Patterns::new(&["*"]),
            exclude: Patterns::default(),
            entity_labels: Patterns::new(&["*"]),
            ignore_labels: Patterns::default(),
            buckets: false,
            max_series: 2000,
            target: EntityId::new(source)?,
            series_type: EntityType::new("prometheus")?,
            target_type: EntityType::new("prometheus_target")?,
        })
    }

    /// Puts all of a scrape that is wanted and fits into a batch.
    pub(super) fn tell(&self, scrape: &Exposition<'_>, batch: &mut Batch) -> Told {
        let mut told = Told {
            series: 0,
            left_out: scrape.too_many,
        };
        let mut entities: BTreeMap<String, Found> = BTreeMap::new();
        let mut infos: BTreeMap<&str, Option<&Sample<'_>>> = BTreeMap::new();
        let mut cells = 0;
        for sample in &scrape.samples {
            let (family, kind, suffix) = scrape.family(&sample.name);
            let names = [family, &*sample.name];
            if !names.iter().any(|name| self.include.matches(name))
                || names.iter().any(|name| self.exclude.matches(name))
                || !sample.value.is_finite()
            {
                continue;
            }
            match self.role(sample, family, kind, suffix) {
                Role::Nothing => {}
                Role::Info(name) => {
                    infos
                        .entry(name)
                        .and_modify(|known| *known = None)
                        .or_insert(Some(sample));
                }
                Role::Field(name, part, in_name) => {
                    let placed = self.place(sample, name, part, in_name, &mut entities, cells);
                    match placed {
                        Some(new) => cells += usize::from(new),
                        None => told.left_out += 1,
                    }
                }
            }
        }
        for (id, found) in entities {
            self.tell_entity(&id, found, &mut told, batch);
        }
        self.tell_target(scrape, &infos, &told, batch);
        told
    }

    fn role<'a>(
        &self,
        sample: &'a Sample<'_>,
        family: &'a str,
        kind: Kind,
        suffix: &str,
    ) -> Role<'a> {
        let name = &*sample.name;
        let gauge = Role::Field(name, Part::Gauge, "");
        match (kind, suffix) {
            (_, "_created") | (Kind::GaugeHistogram, "_bucket") => Role::Nothing,
            (Kind::Info, _) => Role::Info(family),
            (Kind::Counter, _) => Role::Field(name, Part::Counter, ""),
            (Kind::Histogram | Kind::Summary, "_count") => Role::Field(family, Part::Count, ""),
            (Kind::Histogram | Kind::Summary, "_sum") => Role::Field(family, Part::Sum, ""),
            (Kind::Histogram, "_bucket") => match sample.label("le") {
                // the last one is the count
                Some(most) if self.buckets && most != "+Inf" => {
                    Role::Field(family, Part::Bucket(most), "le")
                }
                _ => Role::Nothing,
            },
            (Kind::Summary, _) => match sample.label("quantile") {
                Some(quantile) => Role::Field(family, Part::Quantile(quantile), "quantile"),
                None => gauge,
            },
            (Kind::StateSet, _) => match sample.label(family) {
                Some(state) => Role::Field(family, Part::State(state), family),
                None => gauge,
            },
            (Kind::Gauge | Kind::Unknown, _) => match name.strip_suffix("_info") {
                Some(fact) if sample.value.to_bits() == 1_f64.to_bits() => Role::Info(fact),
                _ if kind == Kind::Unknown && name.ends_with("_total") => {
                    Role::Field(name, Part::Counter, "")
                }
                _ => gauge,
            },
            (Kind::Histogram | Kind::GaugeHistogram, _) => gauge,
        }
    }

    /// Adds a series to its entity; says whether it is a new field there, nothing if there is no place for it.
    fn place(
        &self,
        sample: &Sample<'_>,
        name: &str,
        part: Part<'_>,
        in_name: &str,
        entities: &mut BTreeMap<String, Found>,
        cells: usize,
    ) -> Option<bool> {
        let in_base = match part {
            // 1, 1.0 and 1e+00 are one bound
            Part::Bucket(most) => field(name, Part::Bucket(&plain(most)?), sample.value),
            Part::Quantile(of) => field(name, Part::Quantile(&plain(of)?), sample.value),
            other => field(name, other, sample.value),
        };
        let (field, value) = in_base;
        FieldName::new(&field).ok()?;
        let mut reduced = false;
        let mut labels = Vec::new();
        for (label, value) in &sample.labels {
            if label == in_name {
                continue;
            }
            if self.entity_labels.matches(label) && !self.ignore_labels.matches(label) {
                labels.push((&**label, &**value));
            } else {
                reduced = true;
            }
        }
        let id = identity(&labels).unwrap_or_else(|| self.target.as_str().to_owned());
        let is_full = cells >= self.max_series;
        if is_full && !entities.contains_key(&id) {
            return None;
        }
        let found = entities.entry(id).or_insert_with(|| Found {
            labels: labels
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            cells: BTreeMap::new(),
        });
        let is_full = is_full || found.cells.len() >= MOST_FIELDS;
        match found.cells.entry(field) {
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(cell) => {
                cell.insert(Cell {
                    value,
                    is_counter: part.is_counter(),
                    reduced,
                    series: 1,
                    ambiguous: false,
                });
                Some(true)
            }
            Entry::Occupied(cell) => {
                cell.into_mut().add(value, part.is_counter(), reduced);
                Some(false)
            }
        }
    }

    fn tell_entity(&self, id: &str, found: Found, told: &mut Told, batch: &mut Batch) {
        let Ok(id) = EntityId::new(id) else {
            return;
        };
        let mut entity = Entity::new(self.series_type.clone(), id);
        for (name, value) in found.labels.iter().take(limits::LABELS) {
            if let Ok(name) = FieldName::new(name) {
                entity = entity.with_label(name, value);
            }
        }
        let mut fields = Fields::new();
        for (name, cell) in found.cells {
            let value = FieldValue::float(cell.value).ok();
            match (FieldName::new(&name), value) {
                (Ok(name), Some(value)) if !cell.ambiguous => {
                    told.series += cell.series;
                    fields.set(name, value);
                }
                _ => told.left_out += cell.series,
            }
            if fields.len() >= TOGETHER {
                batch.sample(entity.clone(), std::mem::take(&mut fields));
            }
        }
        batch.sample(entity, fields);
    }

    /// What is true of the whole target: how much it told, and what its info metrics say, where one name says one thing.
    fn tell_target(
        &self,
        scrape: &Exposition<'_>,
        infos: &BTreeMap<&str, Option<&Sample<'_>>>,
        told: &Told,
        batch: &mut Batch,
    ) {
        let mut entity = Entity::new(self.target_type.clone(), self.target.clone());
        let facts = infos
            .iter()
            .filter_map(|(name, info)| Some((*name, (*info)?)));
        let labels = facts.flat_map(|(name, info)| {
            info.labels
                .iter()
                .map(move |(label, value)| (format!("{name}_{label}"), value))
        });
        for (name, value) in labels.take(MOST_INFO) {
            if let Ok(name) = FieldName::new(&name) {
                entity = entity.with_label(name, value);
            }
        }
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let mut fields = Fields::new();
        fields
            .set("series_count", count(told.series))
            .set("series_left_out_count", count(told.left_out))
            .set("garbled_lines_count", count(scrape.garbled));
        batch.sample(entity, fields);
    }
}

impl Cell {
    /// Takes in a further series of the same entity and field.
    fn add(&mut self, value: f64, is_counter: bool, reduced: bool) {
        self.series += 1;
        if !self.reduced && !reduced {
            // two names that mean the same
            self.value = value;
        } else if self.is_counter && is_counter {
            self.value += value;
        } else {
            self.ambiguous = true;
        }
        self.reduced |= reduced;
    }
}

/// A number of a label as it stands in a name.
fn plain(number: &str) -> Option<String> {
    let number: f64 = number.parse().ok()?;
    number.is_finite().then(|| number.to_string())
}
