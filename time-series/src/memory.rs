//! A store in memory: every point in a sorted map, every answer computed from all of them. Simple enough to be believed, so
//! that the others can be compared with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use schemas::{
    EntityKey, FieldName, FieldValue, Fields, Labels, Position, SourceName, Timestamp,
    api::Agg,
    catalog::ValueType,
    name::{AgentName, EntityType, SourceKind},
};

use crate::{
    Capabilities, EntityState, Latest, PartitionedStore, Point, Purged, QueryError, RangeData,
    RangeQuery, Selection, Series, StateData, Stats, TimeSeries, WriteBatch, WriteError, Written,
    window::Windows,
};

/// One hour: how long before a range the sample may lie with which the first pair of a counter begins.
const LOOK_BACK_MS: i64 = 60 * 60 * 1000;

#[derive(Debug, Clone)]
struct Origin {
    kind: SourceKind,
    agent: Option<AgentName>,
    labels: Arc<Labels>,
}

#[derive(Debug)]
struct Entity {
    points: BTreeMap<Timestamp, (Origin, Fields)>,
    newest: (Timestamp, Origin),
    latest: BTreeMap<FieldName, Latest>,
}

#[derive(Debug, Default)]
struct Inner {
    entities: BTreeMap<EntityKey, Entity>,
    types: BTreeMap<(EntityType, FieldName), ValueType>,
    /// The next offset of every partition that something came of.
    partitions: BTreeMap<usize, u64>,
    closed: bool,
}

impl Inner {
    fn position(&self) -> Option<Position> {
        let last = *self.partitions.last_key_value()?.0;
        let next = |partition| self.partitions.get(&partition).copied().unwrap_or(0);
        Some(Position::from_offsets((0..=last).map(next).collect()))
    }

    fn points_of(&self, source: &SourceName) -> u64 {
        self.entities
            .iter()
            .filter(|(key, _)| key.source == *source)
            .map(|(_, entity)| entity.points.len() as u64)
            .sum()
    }

    fn take(&mut self, points: Vec<Point>) {
        for point in points {
            let origin = Origin {
                kind: point.kind,
                agent: point.agent,
                labels: point.labels,
            };
            for (name, value) in point.fields.iter() {
                let of = (point.key.entity_type.clone(), name.clone());
                self.types.entry(of).or_insert(match value {
                    FieldValue::F64(_) => ValueType::Float,
                    FieldValue::I64(_) | FieldValue::U64(_) => ValueType::Integer,
                    FieldValue::Bool(_) => ValueType::Bool,
                    FieldValue::Text(_) => ValueType::Text,
                });
            }
            let entity = self.entities.entry(point.key).or_insert_with(|| Entity {
                points: BTreeMap::new(),
                newest: (point.time, origin.clone()),
                latest: BTreeMap::new(),
            });
            if point.time >= entity.newest.0 {
                entity.newest = (point.time, origin.clone());
            }
            for (name, value) in point.fields.iter() {
                let latest = Latest {
                    value: value.clone(),
                    time: point.time,
                };
                match entity.latest.get_mut(name) {
                    Some(known) if known.time > point.time => {}
                    Some(known) => *known = latest,
                    None => drop(entity.latest.insert(name.clone(), latest)),
                }
            }
            let there = entity
                .points
                .entry(point.time)
                .or_insert_with(|| (origin.clone(), Fields::new()));
            there.0 = origin;
            there.1.merge(point.fields);
        }
    }
}

/// A store that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Inner>);

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<MutexGuard<'_, Inner>, QueryError> {
        let inner = self.lock();
        if inner.closed {
            Err(QueryError::Closed)
        } else {
            Ok(inner)
        }
    }
}

fn refuse(what: &'static str, asked: usize, limit: usize) -> Result<(), QueryError> {
    if asked <= limit {
        return Ok(());
    }
    Err(QueryError::TooLarge {
        what,
        asked: asked as u64,
        limit: limit as u64,
    })
}

/// An integer, or none.
fn whole(value: &FieldValue) -> Option<i128> {
    match value {
        FieldValue::I64(v) => Some((*v).into()),
        FieldValue::U64(v) => Some((*v).into()),
        FieldValue::F64(_) | FieldValue::Bool(_) | FieldValue::Text(_) => None,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the nearest float is what is asked for"
)]
fn to_float(value: i128) -> FieldValue {
    FieldValue::F64(value as f64)
}

fn from_whole(value: i128) -> FieldValue {
    i64::try_from(value)
        .map(FieldValue::I64)
        .or_else(|_| u64::try_from(value).map(FieldValue::U64))
        .unwrap_or_else(|_| to_float(value))
}

/// What the samples of a window become. `before` is the sample before the first.
#[expect(
    clippy::cast_precision_loss,
    reason = "nobody has 2^53 samples or milliseconds"
)]
fn value_of(
    agg: Agg,
    before: Option<(i64, FieldValue)>,
    samples: &[(i64, FieldValue)],
) -> Option<FieldValue> {
    let (first, last) = (&samples.first()?.1, &samples.last()?.1);
    let numbers: Vec<f64> = samples.iter().filter_map(|(_, v)| v.as_f64()).collect();
    let wholes: Vec<i128> = samples.iter().filter_map(|(_, v)| whole(v)).collect();
    let are_numbers = numbers.len() == samples.len();
    let are_whole = wholes.len() == samples.len();
    match agg {
        Agg::Count => Some(FieldValue::I64(i64::try_from(samples.len()).ok()?)),
        Agg::First => Some(first.clone()),
        Agg::Last => Some(last.clone()),
        Agg::Mean | Agg::Min | Agg::Max | Agg::Sum if !are_numbers => Some(last.clone()),
        Agg::Mean if are_whole => {
            FieldValue::float(wholes.iter().sum::<i128>() as f64 / samples.len() as f64).ok()
        }
        Agg::Mean => FieldValue::float(numbers.iter().sum::<f64>() / samples.len() as f64).ok(),
        Agg::Sum if are_whole => {
            let sum: i128 = wholes.iter().sum();
            Some(i64::try_from(sum).map_or_else(|_| to_float(sum), FieldValue::I64))
        }
        Agg::Sum => FieldValue::float(numbers.iter().sum()).ok(),
        Agg::Min if are_whole => wholes.into_iter().min().map(from_whole),
        Agg::Max if are_whole => wholes.into_iter().max().map(from_whole),
        Agg::Min => numbers
            .into_iter()
            .min_by(f64::total_cmp)
            .map(FieldValue::F64),
        Agg::Max => numbers
            .into_iter()
            .max_by(f64::total_cmp)
            .map(FieldValue::F64),
        Agg::Rate | Agg::Increase => {
            let readings: Vec<(i64, FieldValue)> = before
                .into_iter()
                .chain(samples.iter().cloned())
                .filter(|(_, value)| value.as_f64().is_some())
                .collect();
            let pairs = || readings.iter().zip(readings.iter().skip(1));
            let seconds: i64 = pairs().map(|(a, b)| b.0 - a.0).sum();
            pairs().next()?;
            let exact: Option<Vec<i128>> = pairs()
                .map(|(a, b)| {
                    let (a, b) = (whole(&a.1)?, whole(&b.1)?);
                    Some(if b >= a { b - a } else { b })
                })
                .collect();
            let increase = if let Some(exact) = exact {
                from_whole(exact.into_iter().sum())
            } else {
                let sum = pairs()
                    .filter_map(|(a, b)| {
                        let (a, b) = (a.1.as_f64()?, b.1.as_f64()?);
                        Some(if b >= a { b - a } else { b })
                    })
                    .sum();
                FieldValue::float(sum).ok()?
            };
            if agg == Agg::Increase {
                Some(increase)
            } else {
                FieldValue::float(increase.as_f64()? * 1000.0 / seconds as f64).ok()
            }
        }
    }
}

fn series_of(
    query: &RangeQuery,
    windows: Option<&Windows>,
    key: &EntityKey,
    entity: &Entity,
    field: &FieldName,
) -> Vec<Series> {
    let samples: Vec<(i64, FieldValue)> = entity
        .points
        .range(..query.to.max(Timestamp::from_millis(i64::MIN)))
        .filter_map(|(time, (_, fields))| {
            Some((time.as_millis(), fields.get(field.as_str())?.clone()))
        })
        .collect();
    let begin = samples.partition_point(|(time, _)| *time < query.from.as_millis());
    let inside = samples.get(begin..).unwrap_or_default();
    if inside.is_empty() {
        return Vec::new();
    }
    let series = |agg, times, values| Series {
        key: key.clone(),
        labels: Arc::clone(&entity.newest.1.labels),
        field: field.clone(),
        agg,
        times,
        values,
    };
    let Some(windows) = windows else {
        let times = inside.iter().map(|(time, _)| *time).collect();
        let values = inside
            .iter()
            .map(|(_, value)| Some(value.clone()))
            .collect();
        return vec![series(None, times, values)];
    };
    let mut aggs = query.aggs.clone();
    aggs.sort_unstable();
    aggs.dedup();
    let mut all = Vec::new();
    for agg in aggs {
        let values: Vec<Option<FieldValue>> = (0..windows.len())
            .map(|index| {
                let start = query.from.as_millis().max(*windows.starts().get(index)?);
                let from = samples.partition_point(|(time, _)| *time < start);
                let to = samples.partition_point(|(time, _)| *time < windows.end_of(index));
                let before = samples
                    .get(..from)?
                    .iter()
                    .rev()
                    .find(|(_, value)| value.as_f64().is_some())
                    .filter(|(time, _)| *time >= query.from.as_millis() - LOOK_BACK_MS)
                    .cloned();
                value_of(agg, before, samples.get(from..to)?)
            })
            .collect();
        if values.iter().any(Option::is_some) {
            all.push(series(Some(agg), Arc::clone(windows.starts()), values));
        }
    }
    all
}

#[async_trait]
impl TimeSeries for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            unsigned: true,
            exact_positions: true,
            purges: true,
        }
    }

    async fn position(&self) -> Result<Option<Position>, QueryError> {
        Ok(self.open()?.position())
    }

    async fn durable_position(&self) -> Result<Option<Position>, QueryError> {
        Ok(self.open()?.position())
    }

    async fn write(&self, batch: WriteBatch) -> Result<Written, WriteError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(WriteError::Closed);
        }
        inner.take(batch.points);
        inner.partitions = batch
            .position
            .offsets()
            .iter()
            .copied()
            .enumerate()
            .collect();
        Ok(Written::default())
    }

    async fn flush(&self) -> Result<(), WriteError> {
        if self.lock().closed {
            return Err(WriteError::Closed);
        }
        Ok(())
    }

    async fn range(&self, query: &RangeQuery) -> Result<RangeData, QueryError> {
        let inner = self.open()?;
        let windows = Windows::new(query.from, query.to, query.step, query.max_values)?;
        let mut series = Vec::new();
        for (key, entity) in &inner.entities {
            if !query.selection.wants(key) || query.from >= query.to {
                continue;
            }
            for field in entity.latest.keys() {
                if query.fields.is_empty() || query.fields.contains(field) {
                    series.extend(series_of(query, windows.as_ref(), key, entity, field));
                }
            }
        }
        refuse("series", series.len(), query.max_series)?;
        let what = if windows.is_none() {
            "samples"
        } else {
            "windows"
        };
        let values = series.iter().map(|series| series.values.len()).sum();
        refuse(what, values, query.max_values)?;
        Ok(RangeData {
            position: inner.position().unwrap_or(Position::start(1)),
            tier: "raw",
            series,
        })
    }

    async fn state(
        &self,
        selection: &Selection,
        at: Option<Timestamp>,
    ) -> Result<StateData, QueryError> {
        let inner = self.open()?;
        let at = at.unwrap_or(Timestamp::from_millis(i64::MAX));
        let entities = inner
            .entities
            .iter()
            .filter(|(key, _)| selection.wants(key))
            .filter_map(|(key, entity)| {
                let mut fields = BTreeMap::new();
                for (time, (_, values)) in entity.points.range(..=at) {
                    for (name, value) in values.iter() {
                        let latest = Latest {
                            value: value.clone(),
                            time: *time,
                        };
                        fields.insert(name.clone(), latest);
                    }
                }
                // what was trimmed stays known if it is the newest
                for (name, latest) in &entity.latest {
                    if latest.time <= at {
                        fields.insert(name.clone(), latest.clone());
                    }
                }
                let origin = if entity.newest.0 <= at {
                    &entity.newest.1
                } else {
                    &entity.points.range(..=at).next_back()?.1.0
                };
                Some(EntityState {
                    key: key.clone(),
                    kind: origin.kind.clone(),
                    agent: origin.agent.clone(),
                    labels: Arc::clone(&origin.labels),
                    fields,
                })
            })
            .collect();
        Ok(StateData {
            position: inner.position().unwrap_or(Position::start(1)),
            entities,
        })
    }

    async fn field_types(&self) -> Result<Vec<(EntityType, FieldName, ValueType)>, QueryError> {
        let inner = self.open()?;
        Ok(inner
            .types
            .iter()
            .map(|((entity_type, field), value)| (entity_type.clone(), field.clone(), *value))
            .collect())
    }

    async fn stats(&self) -> Result<Stats, QueryError> {
        let inner = self.open()?;
        let points = inner.entities.values().flat_map(|e| e.points.values());
        Ok(Stats {
            entities: inner.entities.len() as u64,
            samples: points.clone().map(|(_, fields)| fields.len() as u64).sum(),
            points: points.count() as u64,
            open_points: 0,
            bytes: 0,
        })
    }

    async fn trim(&self, before: Timestamp) -> Result<u64, WriteError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(WriteError::Closed);
        }
        let mut gone = 0;
        for entity in inner.entities.values_mut() {
            let kept = entity.points.split_off(&before);
            gone += entity.points.len() as u64;
            entity.points = kept;
        }
        Ok(gone)
    }

    async fn purge(&self, source: &SourceName) -> Result<Purged, WriteError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(WriteError::Closed);
        }
        let points = inner.points_of(source);
        inner.entities.retain(|key, _| key.source != *source);
        Ok(Purged::Points(points))
    }

    async fn points_of(&self, source: &SourceName) -> Result<u64, QueryError> {
        Ok(self.open()?.points_of(source))
    }

    async fn close(&self) -> Result<(), WriteError> {
        self.lock().closed = true;
        Ok(())
    }
}

#[async_trait]
impl PartitionedStore for Memory {
    async fn write_partition(
        &self,
        points: Vec<Point>,
        partition: usize,
        next: u64,
    ) -> Result<Written, WriteError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(WriteError::Closed);
        }
        inner.take(points);
        let there = inner.partitions.entry(partition).or_default();
        *there = next.max(*there);
        Ok(Written::default())
    }

    async fn partition_position(&self, partition: usize) -> Result<Option<u64>, QueryError> {
        Ok(self.open()?.partitions.get(&partition).copied())
    }

    async fn reset_partition(&self, partition: usize, next: u64) -> Result<(), WriteError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(WriteError::Closed);
        }
        inner.partitions.insert(partition, next);
        Ok(())
    }
}
