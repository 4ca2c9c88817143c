//! What every metric means: unit, kind and type, fixed per (entity type, field).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use crate::{
    fields::FieldValue,
    name::{EntityType, FieldName},
};

/// The type of a field's values.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// A number with a fraction.
    Float,
    /// A whole number.
    Integer,
    /// True or false.
    Bool,
    /// A text.
    Text,
}

impl ValueType {
    /// The name on the wire and on disk.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Bool => "bool",
            Self::Text => "text",
        }
    }

    /// Fits a value to this type: a whole number fits floats, a float without fraction whole numbers, since JSON makes no
    /// difference.
    ///
    /// # Errors
    /// It is of another type; the value comes back.
    pub fn fit(self, value: FieldValue) -> Result<FieldValue, FieldValue> {
        fit_to(self, value)
    }
}

/// How a metric behaves.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// Goes up and down; its mean is meaningful.
    Gauge,
    /// Only grows, until it starts again at zero; its rate is meaningful.
    Counter,
    /// One of a few values; only which one it is is meaningful.
    State,
}

/// What a number counts. The names are those that end a field's name, where it has one.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// No unit.
    None,
    /// Bytes.
    Bytes,
    /// A part of one; 1 is 100 %.
    Ratio,
    /// Degrees Celsius.
    Celsius,
    /// Seconds.
    Seconds,
    /// Hertz.
    Hertz,
    /// Things counted.
    Count,
    /// Volts.
    Volts,
    /// Amperes.
    Amperes,
    /// Watts.
    Watts,
    /// Watt hours.
    WattHours,
    /// Revolutions per minute.
    Rpm,
}

/// One metric as an integration declares it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetricDef {
    /// Type of the entity.
    pub entity_type: &'static str,
    /// Name of the field, ending in its unit. One `*` stands for a part that varies: `cpu_*_ratio`.
    pub field: &'static str,
    /// Unit.
    pub unit: Unit,
    /// Behaviour.
    pub kind: MetricKind,
    /// Type of its values.
    pub value: ValueType,
    /// What it means, one sentence.
    pub help: &'static str,
}

impl MetricDef {
    /// A gauge of floats.
    pub const fn gauge(
        entity_type: &'static str,
        field: &'static str,
        unit: Unit,
        help: &'static str,
    ) -> Self {
        Self {
            entity_type,
            field,
            unit,
            kind: MetricKind::Gauge,
            value: ValueType::Float,
            help,
        }
    }

    /// A gauge of whole numbers.
    pub const fn integer(
        entity_type: &'static str,
        field: &'static str,
        unit: Unit,
        help: &'static str,
    ) -> Self {
        Self {
            entity_type,
            field,
            unit,
            kind: MetricKind::Gauge,
            value: ValueType::Integer,
            help,
        }
    }

    /// A counter of whole numbers.
    pub const fn counter(
        entity_type: &'static str,
        field: &'static str,
        unit: Unit,
        help: &'static str,
    ) -> Self {
        Self {
            entity_type,
            field,
            unit,
            kind: MetricKind::Counter,
            value: ValueType::Integer,
            help,
        }
    }

    /// A state in words.
    pub const fn state(entity_type: &'static str, field: &'static str, help: &'static str) -> Self {
        Self {
            entity_type,
            field,
            unit: Unit::None,
            kind: MetricKind::State,
            value: ValueType::Text,
            help,
        }
    }

    /// A state that is true or false.
    pub const fn flag(entity_type: &'static str, field: &'static str, help: &'static str) -> Self {
        Self {
            entity_type,
            field,
            unit: Unit::None,
            kind: MetricKind::State,
            value: ValueType::Bool,
            help,
        }
    }
}

/// What is known about one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metric {
    /// Unit.
    pub unit: Unit,
    /// Behaviour.
    pub kind: MetricKind,
    /// Type of its values.
    pub value: ValueType,
    /// What it means; empty for a metric that was pushed.
    pub help: &'static str,
}

/// A value that does not fit the type its field has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` of `{entity_type}` holds {expected} values, this one is {found}", expected = expected.as_str(), found = found.as_str())]
pub struct TypeConflict {
    /// Type of the entity.
    pub entity_type: EntityType,
    /// The field.
    pub field: FieldName,
    /// The type it has.
    pub expected: ValueType,
    /// The type that came.
    pub found: ValueType,
}

/// Every metric: declared by integrations, or registered at first sight of a pushed one.
///
/// Shared between threads; look-ups take a read lock for a moment.
#[derive(Debug, Default)]
pub struct Catalog {
    declared: HashMap<&'static str, HashMap<&'static str, Metric>>,
    patterns: Vec<(&'static str, &'static str, &'static str, Metric)>,
    registered: RwLock<HashMap<EntityType, BTreeMap<FieldName, ValueType>>>,
    corrections: AtomicU64,
}

impl Catalog {
    /// A catalogue of declared metrics.
    pub fn new<'a>(defs: impl IntoIterator<Item = &'a MetricDef>) -> Self {
        let mut catalog = Self::default();
        for def in defs {
            let metric = Metric {
                unit: def.unit,
                kind: def.kind,
                value: def.value,
                help: def.help,
            };
            if let Some((before, after)) = def.field.split_once('*') {
                catalog
                    .patterns
                    .push((def.entity_type, before, after, metric));
            } else {
                catalog
                    .declared
                    .entry(def.entity_type)
                    .or_default()
                    .insert(def.field, metric);
            }
        }
        catalog
    }

    /// What integrations declare, in order: (entity type, field or pattern, metric).
    pub fn declared(&self) -> Vec<(&str, String, &Metric)> {
        let mut all: Vec<_> = self
            .declared
            .iter()
            .flat_map(|(entity_type, fields)| {
                fields
                    .iter()
                    .map(|(field, metric)| (*entity_type, (*field).to_owned(), metric))
            })
            .chain(
                self.patterns
                    .iter()
                    .map(|(entity_type, before, after, metric)| {
                        (*entity_type, format!("{before}*{after}"), metric)
                    }),
            )
            .collect();
        all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        all
    }

    /// What was registered at first sight: (entity type, field, type).
    pub fn registered(&self) -> Vec<(EntityType, FieldName, ValueType)> {
        let registered = self
            .registered
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = registered
            .iter()
            .flat_map(|(entity_type, fields)| {
                fields
                    .iter()
                    .map(|(field, value)| (entity_type.clone(), field.clone(), *value))
            })
            .collect();
        all.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        all
    }

    fn find_declared(&self, entity_type: &str, field: &str) -> Option<&Metric> {
        self.declared
            .get(entity_type)
            .and_then(|fields| fields.get(field))
            .or_else(|| {
                self.patterns
                    .iter()
                    .find(|(ty, before, after, _)| {
                        *ty == entity_type
                            && field.len() > before.len() + after.len()
                            && field.starts_with(before)
                            && field.ends_with(after)
                    })
                    .map(|(_, _, _, metric)| metric)
            })
    }

    /// What is known about a field: declared, registered, or `None`.
    pub fn metric(&self, entity_type: &str, field: &str) -> Option<Metric> {
        if let Some(metric) = self.find_declared(entity_type, field) {
            return Some(metric.clone());
        }
        let registered = self
            .registered
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let value = *registered.get(entity_type)?.get(field)?;
        Some(inferred(field, value))
    }

    /// Takes over registrations from a store, without a check; what is registered here already stays as it is.
    pub fn register_all(&self, types: Vec<(EntityType, FieldName, ValueType)>) {
        let mut registered = self
            .registered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for (entity_type, field, value) in types {
            registered
                .entry(entity_type)
                .or_default()
                .entry(field)
                .or_insert(value);
        }
    }

    /// Takes over a registration from a store that other workers write too: it knows what came first. Tells whether another
    /// type was registered here; what is declared stays as it is.
    pub fn correct(&self, entity_type: &EntityType, field: &FieldName, value: ValueType) -> bool {
        let mut registered = self
            .registered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let before = registered
            .entry(entity_type.clone())
            .or_default()
            .insert(field.clone(), value);
        let changed = before.is_some_and(|before| before != value);
        if changed {
            self.corrections.fetch_add(1, Ordering::Release);
        }
        changed
    }

    /// How often a registered type was corrected: whoever remembers types forgets them when this moves.
    pub fn corrections(&self) -> u64 {
        self.corrections.load(Ordering::Acquire)
    }

    /// The type of a field; registered by this value if it is seen for the first time.
    pub fn type_at_sight(
        &self,
        entity_type: &EntityType,
        field: &FieldName,
        value: &FieldValue,
    ) -> ValueType {
        if let Some(metric) = self.metric(entity_type.as_str(), field.as_str()) {
            return metric.value;
        }
        let first = first_sight(field.as_str(), value);
        let mut registered = self
            .registered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *registered
            .entry(entity_type.clone())
            .or_default()
            .entry(field.clone())
            .or_insert(first)
    }

    /// Fits a value to the type of its field, registering the field at first sight.
    ///
    /// A whole number fits a float field, and a float without fraction an integer field: JSON makes no difference.
    ///
    /// # Errors
    /// The field holds values of another type.
    pub fn fit(
        &self,
        entity_type: &EntityType,
        field: &FieldName,
        value: FieldValue,
    ) -> Result<FieldValue, TypeConflict> {
        let expected = self.type_at_sight(entity_type, field, &value);
        fit_to(expected, value).map_err(|value| TypeConflict {
            entity_type: entity_type.clone(),
            field: field.clone(),
            expected,
            found: type_of(&value),
        })
    }
}

/// The type of a value as it stands.
pub fn type_of(value: &FieldValue) -> ValueType {
    match value {
        FieldValue::F64(_) => ValueType::Float,
        FieldValue::I64(_) | FieldValue::U64(_) => ValueType::Integer,
        FieldValue::Bool(_) => ValueType::Bool,
        FieldValue::Text(_) => ValueType::Text,
    }
}

const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53

/// The type that a field registers when it is first seen: whole numbers are floats unless the name says that they count,
/// or they need more digits than a float has, since JSON writes 21 for 21.0.
fn first_sight(field: &str, value: &FieldValue) -> ValueType {
    let counts = ["_bytes", "_total", "_count"]
        .iter()
        .any(|suffix| field.ends_with(suffix));
    match value {
        FieldValue::I64(v) if !counts && v.unsigned_abs() <= 1 << 53 => ValueType::Float,
        other => type_of(other),
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "only within 2^53, where both are exact"
)]
fn fit_to(expected: ValueType, value: FieldValue) -> Result<FieldValue, FieldValue> {
    match (expected, value) {
        (ValueType::Float, FieldValue::I64(v)) if v.unsigned_abs() <= 1 << 53 => {
            Ok(FieldValue::F64(v as f64))
        }
        (ValueType::Integer, FieldValue::F64(v)) if v.fract() == 0.0 && v.abs() <= EXACT => {
            Ok(FieldValue::I64(v as i64))
        }
        (expected, value) if type_of(&value) == expected => Ok(value),
        (_, value) => Err(value),
    }
}

fn inferred(field: &str, value: ValueType) -> Metric {
    let unit = [
        ("_bytes_total", Unit::Bytes),
        ("_seconds_total", Unit::Seconds),
        ("_bytes", Unit::Bytes),
        ("_ratio", Unit::Ratio),
        ("_celsius", Unit::Celsius),
        ("_seconds", Unit::Seconds),
        ("_hertz", Unit::Hertz),
        ("_volts", Unit::Volts),
        ("_amperes", Unit::Amperes),
        ("_watts", Unit::Watts),
        ("_watt_hours", Unit::WattHours),
        ("_rpm", Unit::Rpm),
        ("_total", Unit::Count),
        ("_count", Unit::Count),
    ]
    .iter()
    .find(|(suffix, _)| field.ends_with(suffix))
    .map_or(Unit::None, |(_, unit)| *unit);
    let kind = match value {
        ValueType::Bool | ValueType::Text => MetricKind::State,
        ValueType::Float | ValueType::Integer if field.ends_with("_total") => MetricKind::Counter,
        ValueType::Float | ValueType::Integer => MetricKind::Gauge,
    };
    Metric {
        unit,
        kind,
        value,
        help: "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static DEFS: &[MetricDef] = &[
        MetricDef::gauge(
            "host",
            "cpu_ratio",
            Unit::Ratio,
            "share of all cores in use",
        ),
        MetricDef::gauge(
            "host",
            "cpu_*_ratio",
            Unit::Ratio,
            "share of one core in use",
        ),
        MetricDef::counter("host", "rx_bytes_total", Unit::Bytes, "bytes received"),
    ];

    fn fit(
        catalog: &Catalog,
        ty: &str,
        field: &str,
        value: impl Into<FieldValue>,
    ) -> Result<FieldValue, TypeConflict> {
        catalog.fit(
            &EntityType::new(ty).unwrap(),
            &FieldName::new(field).unwrap(),
            value.into(),
        )
    }

    #[test]
    fn declared_metrics_and_patterns_are_found() {
        let catalog = Catalog::new(DEFS);
        assert_eq!(
            catalog.metric("host", "cpu_3_ratio").unwrap().help,
            "share of one core in use"
        );
        assert_eq!(
            catalog.metric("host", "cpu_ratio").unwrap().help,
            "share of all cores in use"
        );
        assert_eq!(catalog.metric("disk", "cpu_ratio"), None);
    }

    #[test]
    fn whole_numbers_fit_floats_and_back() {
        let catalog = Catalog::new(DEFS);
        assert_eq!(
            fit(&catalog, "host", "cpu_ratio", 1_i64).unwrap(),
            FieldValue::F64(1.0)
        );
        assert_eq!(
            fit(&catalog, "host", "rx_bytes_total", FieldValue::F64(5.0)).unwrap(),
            FieldValue::I64(5)
        );
        assert!(fit(&catalog, "host", "rx_bytes_total", FieldValue::F64(5.5)).is_err());
    }

    #[test]
    fn a_pushed_field_keeps_the_type_of_its_first_sight() {
        let catalog = Catalog::new(DEFS);
        assert_eq!(
            fit(&catalog, "room", "temperature_celsius", 21_i64).unwrap(),
            FieldValue::F64(21.0)
        );
        assert_eq!(
            fit(
                &catalog,
                "room",
                "temperature_celsius",
                FieldValue::F64(21.5)
            )
            .unwrap(),
            FieldValue::F64(21.5)
        );
        let conflict = fit(&catalog, "room", "temperature_celsius", true).unwrap_err();
        assert_eq!(
            conflict.to_string(),
            "field `temperature_celsius` of `room` holds float values, this one is bool"
        );
        assert_eq!(
            fit(&catalog, "room", "visits_total", 3_i64).unwrap(),
            FieldValue::I64(3)
        );
        let metric = catalog.metric("room", "visits_total").unwrap();
        assert_eq!(
            (metric.kind, metric.unit),
            (MetricKind::Counter, Unit::Count)
        );
    }
}
