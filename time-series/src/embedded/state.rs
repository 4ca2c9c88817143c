//! What the store holds in memory: the newest of every entity, and the points that are not on disk yet.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use schemas::{
    EntityKey, FieldName, FieldValue, Labels, Position, SourceName, Timestamp,
    catalog::ValueType,
    name::{AgentName, EntityType, SourceKind},
};
use tokio::sync::oneshot;

use super::{chunk::Chunk, key, options::Options, origin::Origin};
use crate::{Point, QueryError, Selection, WriteBatch, WriteError};

/// A flush that a full disk refused is tried again after this.
const RETRY: Duration = Duration::from_secs(30);
/// Chunks that are full do not make everything be flushed more often than this.
const BREATH: Duration = Duration::from_mins(1);

/// What is known of a field of an entity.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: FieldName,
    /// Its newest value.
    pub(super) value: FieldValue,
    /// When that was observed.
    pub(super) time: i64,
    /// When it was first observed.
    pub(super) first: i64,
}

/// One entity.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    /// The number it has on disk.
    pub(super) id: i64,
    /// Its key.
    pub(super) key: EntityKey,
    /// As in its newest point.
    pub(super) origin: Arc<Origin>,
    /// Time of its newest point.
    pub(super) last_time: i64,
    /// By name.
    pub(super) fields: Vec<Field>,
    /// Points that are not on disk.
    pub(super) open: Option<Arc<Chunk>>,
    /// Points that are being written to disk.
    pub(super) flushing: Option<Arc<Chunk>>,
    dirty: bool,
}

impl Entity {
    /// An entity as it stands on disk.
    pub(super) const fn stored(
        id: i64,
        key: EntityKey,
        origin: Arc<Origin>,
        last_time: i64,
        fields: Vec<Field>,
    ) -> Self {
        Self {
            id,
            key,
            origin,
            last_time,
            fields,
            open: None,
            flushing: None,
            dirty: false,
        }
    }

    /// Points in memory, the earlier written first.
    pub(super) fn in_memory(&self) -> impl Iterator<Item = &Arc<Chunk>> {
        self.flushing.iter().chain(&self.open)
    }
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Points.
    pub(super) points: usize,
    /// Values.
    pub(super) samples: usize,
    /// Bytes, about.
    pub(super) bytes: usize,
}

/// What is on disk, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Points.
    pub(super) points: u64,
    /// Values.
    pub(super) samples: u64,
    /// What was observed before this may be gone.
    pub(super) trimmed_before: Option<i64>,
}

/// Everything that one transaction brings to disk.
#[derive(Debug)]
pub(super) struct Flush {
    /// Counts flushes.
    pub(super) generation: i64,
    /// Of the log.
    pub(super) position: Option<Position>,
    /// Those that changed, by number.
    pub(super) entities: Vec<(usize, Entity)>,
    /// Fields seen for the first time.
    pub(super) types: Vec<(EntityType, FieldName, ValueType)>,
    load: Load,
}

/// What others want of the writer.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Everything to disk, and tell.
    pub(super) flushes: Vec<oneshot::Sender<Result<(), WriteError>>>,
    /// Old points away, and tell how many.
    pub(super) trims: Vec<(Timestamp, oneshot::Sender<Result<u64, WriteError>>)>,
    /// Everything of a source away, and tell how many points went.
    pub(super) purges: Vec<(SourceName, oneshot::Sender<Result<u64, WriteError>>)>,
    /// Everything to disk.
    pub(super) nudge: bool,
    /// The end.
    pub(super) stop: bool,
}

/// The whole.
#[derive(Debug)]
pub(super) struct State {
    entities: Vec<Entity>,
    by_key: BTreeMap<EntityKey, usize>,
    types: BTreeMap<(EntityType, FieldName), ValueType>,
    new_types: Vec<(EntityType, FieldName, ValueType)>,
    position: Option<Position>,
    durable: Option<Position>,
    generation: i64,
    open: Load,
    since: Option<Instant>,
    dirty: Vec<usize>,
    flushing: Option<Arc<Flush>>,
    last_flush: Option<Instant>,
    refused: bool,
    /// What is on disk.
    pub(super) disk: Totals,
    /// Why no more is taken.
    pub(super) end: Option<WriteError>,
    /// For the writer.
    pub(super) requests: Requests,
}

/// What is read from a file when it is opened.
#[derive(Debug)]
pub(super) struct Stored {
    /// In the order of their numbers.
    pub(super) entities: Vec<Entity>,
    /// Types of all fields.
    pub(super) types: BTreeMap<(EntityType, FieldName), ValueType>,
    /// Of the log.
    pub(super) position: Option<Position>,
    /// Counts flushes.
    pub(super) generation: i64,
    /// What there is.
    pub(super) totals: Totals,
}

fn type_of(value: &FieldValue) -> ValueType {
    match value {
        FieldValue::F64(_) => ValueType::Float,
        FieldValue::I64(_) | FieldValue::U64(_) => ValueType::Integer,
        FieldValue::Bool(_) => ValueType::Bool,
        FieldValue::Text(_) => ValueType::Text,
    }
}

impl State {
    /// Begins with what is on disk.
    pub(super) fn new(stored: Stored) -> Self {
        let by_key = stored
            .entities
            .iter()
            .enumerate()
            .map(|(index, entity)| (entity.key.clone(), index))
            .collect();
        Self {
            entities: stored.entities,
            by_key,
            types: stored.types,
            new_types: Vec::new(),
            position: stored.position.clone(),
            durable: stored.position,
            generation: stored.generation + 1,
            open: Load::default(),
            since: None,
            dirty: Vec::new(),
            flushing: None,
            last_flush: None,
            refused: false,
            disk: stored.totals,
            end: None,
            requests: Requests::default(),
        }
    }

    /// Of the last write.
    pub(super) const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Of the last flush.
    pub(super) const fn durable(&self) -> Option<&Position> {
        self.durable.as_ref()
    }

    /// The flush that will bring the open points to disk.
    pub(super) const fn generation(&self) -> i64 {
        self.generation
    }

    /// How many entities there are.
    pub(super) fn len(&self) -> usize {
        self.entities.len()
    }

    /// Types of all fields.
    pub(super) const fn types(&self) -> &BTreeMap<(EntityType, FieldName), ValueType> {
        &self.types
    }

    /// What is in memory alone.
    pub(super) fn load(&self) -> Load {
        let flushing = self.flushing.as_ref().map(|f| f.load).unwrap_or_default();
        Load {
            points: self.open.points + flushing.points,
            samples: self.open.samples + flushing.samples,
            bytes: self.open.bytes + flushing.bytes,
        }
    }

    /// Entities that are meant, by key.
    pub(super) fn select(&self, selection: &Selection) -> Vec<&Entity> {
        let of = |index: &usize| self.entities.get(*index);
        if selection.entities.is_empty() {
            return self
                .by_key
                .iter()
                .filter(|(key, _)| selection.wants(key))
                .filter_map(|(_, index)| of(index))
                .collect();
        }
        let mut wanted: Vec<&EntityKey> = selection
            .entities
            .iter()
            .filter(|key| selection.wants(key))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
            .into_iter()
            .filter_map(|key| self.by_key.get(key).and_then(of))
            .collect()
    }

    /// Whether so many more points have to wait for the disk.
    pub(super) fn is_full(&self, more: usize, options: &Options) -> bool {
        let load = self.load();
        load.points > 0
            && (load.points + more > options.max_open_points
                || load.bytes >= options.max_open_bytes)
    }

    /// Why nothing can be read.
    pub(super) fn readable(&self) -> Result<(), QueryError> {
        match self.end {
            Some(WriteError::Closed) => Err(QueryError::Closed),
            _ => Ok(()),
        }
    }

    /// Takes a batch. Whether it is time to flush.
    ///
    /// # Errors
    /// There would be too many entities; nothing was taken.
    pub(super) fn apply(
        &mut self,
        batch: WriteBatch,
        path: &str,
        options: &Options,
    ) -> Result<bool, WriteError> {
        let most = usize::try_from(key::MAX_ENTITIES).unwrap_or(usize::MAX);
        if self.entities.len() + batch.points.len() > most
            && self.entities.len() + self.unknown(&batch.points) > most
        {
            return Err(WriteError::Failed {
                path: path.to_owned(),
                cause: format!("there cannot be more than {most} entities"),
            });
        }
        let mut fullest = 0;
        for point in batch.points {
            if key::fits(point.time.as_millis()) {
                options.metrics.points.inc();
                options.metrics.samples.inc_by(point.fields.len() as u64);
                fullest = fullest.max(self.insert(point));
            } else {
                options.metrics.refused_points.inc();
                tracing::error!(
                    entity = %point.key, time = %point.time,
                    "a point was left out: its time is outside 1970 to 2248"
                );
            }
        }
        self.position = Some(batch.position);
        self.since.get_or_insert_with(Instant::now);
        let load = self.load();
        options.metrics.open_points.set(number(load.points));
        options.metrics.open_bytes.set(number(load.bytes));
        let rested = self.last_flush.is_none_or(|last| last.elapsed() >= BREATH);
        Ok(fullest >= options.chunk_points
            || (fullest >= options.flush_points && rested)
            || load.points * 2 >= options.max_open_points
            || load.bytes * 2 >= options.max_open_bytes)
    }

    fn unknown(&self, points: &[Point]) -> usize {
        let unknown: std::collections::BTreeSet<&EntityKey> = points
            .iter()
            .map(|point| &point.key)
            .filter(|key| !self.by_key.contains_key(*key))
            .collect();
        unknown.len()
    }

    /// Takes a point; how many points its chunk has now.
    fn insert(&mut self, point: Point) -> usize {
        let time = point.time.as_millis();
        let index = match self.by_key.get(&point.key) {
            Some(&index) => index,
            None => self.add(&point),
        };
        let Some(entity) = self.entities.get_mut(index) else {
            return 0;
        };
        let origin = shared_origin(entity, &point.kind, point.agent.as_ref(), &point.labels);
        if time >= entity.last_time {
            entity.last_time = time;
            entity.origin = Arc::clone(&origin);
        }
        for (name, value) in point.fields.iter() {
            match entity.fields.binary_search_by(|f| f.name.cmp(name)) {
                Ok(at) => {
                    if let Some(field) = entity.fields.get_mut(at) {
                        field.first = field.first.min(time);
                        if time >= field.time {
                            field.time = time;
                            field.value = value.clone();
                        }
                    }
                }
                Err(at) => {
                    let of = (entity.key.entity_type.clone(), name.clone());
                    if let std::collections::btree_map::Entry::Vacant(vacant) = self.types.entry(of)
                    {
                        let (entity_type, name) = vacant.key().clone();
                        self.new_types.push((entity_type, name, type_of(value)));
                        vacant.insert(type_of(value));
                    }
                    entity.fields.insert(
                        at,
                        Field {
                            name: name.clone(),
                            value: value.clone(),
                            time,
                            first: time,
                        },
                    );
                }
            }
        }
        let chunk = Arc::make_mut(entity.open.get_or_insert_default());
        let before = (chunk.len(), chunk.samples(), chunk.bytes());
        let before = if before.0 == 0 { (0, 0, 0) } else { before };
        chunk.insert(time, origin, point.fields);
        self.open.points += chunk.len() - before.0;
        self.open.samples += chunk.samples() - before.1;
        self.open.bytes += chunk.bytes().saturating_sub(before.2);
        let points = chunk.len();
        if !entity.dirty {
            entity.dirty = true;
            self.dirty.push(index);
        }
        points
    }

    fn add(&mut self, point: &Point) -> usize {
        let index = self.entities.len();
        let id = self.entities.last().map_or(1, |last| last.id + 1);
        let origin = Arc::new(Origin {
            kind: point.kind.clone(),
            agent: point.agent.clone(),
            labels: Arc::clone(&point.labels),
        });
        self.entities.push(Entity::stored(
            id,
            point.key.clone(),
            origin,
            point.time.as_millis(),
            Vec::new(),
        ));
        self.by_key.insert(point.key.clone(), index);
        index
    }

    /// How long the writer may sleep; none for as long as nothing happens.
    pub(super) fn rest(&self, age: Duration) -> Option<Duration> {
        if self.requests.nudge
            || self.requests.stop
            || !self.requests.flushes.is_empty()
            || !self.requests.trims.is_empty()
            || !self.requests.purges.is_empty()
        {
            return Some(Duration::ZERO);
        }
        if self.end.is_some() {
            return None;
        }
        if self.refused {
            return Some(
                RETRY.saturating_sub(
                    self.last_flush
                        .map_or(Duration::ZERO, |last| last.elapsed()),
                ),
            );
        }
        // without open points it looks again after the longest time that one may be open
        Some(
            self.since
                .map_or(age, |since| age.saturating_sub(since.elapsed())),
        )
    }

    /// What is to be written to disk next: again what a full disk refused, or else all that is open.
    pub(super) fn take(&mut self) -> Option<Arc<Flush>> {
        if let Some(refused) = &self.flushing {
            return Some(Arc::clone(refused));
        }
        if self.dirty.is_empty() && self.position == self.durable {
            self.since = None;
            return None;
        }
        let mut entities = Vec::with_capacity(self.dirty.len());
        self.dirty.sort_unstable();
        for index in std::mem::take(&mut self.dirty) {
            if let Some(entity) = self.entities.get_mut(index) {
                entity.flushing = entity.open.take();
                entity.dirty = false;
                entities.push((index, entity.clone()));
            }
        }
        let flush = Arc::new(Flush {
            generation: self.generation,
            position: self.position.clone(),
            entities,
            types: std::mem::take(&mut self.new_types),
            load: std::mem::take(&mut self.open),
        });
        self.generation += 1;
        self.since = None;
        self.flushing = Some(Arc::clone(&flush));
        Some(flush)
    }

    /// Forgets a source, of which nothing is being written and nothing is on disk any more; how many open points that were. What
    /// is read from here on has seen the file as it is now.
    pub(super) fn forget(&mut self, source: &SourceName) -> u64 {
        let mut gone = Load::default();
        self.entities.retain(|entity| {
            if entity.key.source != *source {
                return true;
            }
            if let Some(open) = &entity.open {
                gone.points += open.len();
                gone.samples += open.samples();
                gone.bytes += open.bytes();
            }
            false
        });
        let index = || self.entities.iter().enumerate();
        self.by_key = index()
            .map(|(index, entity)| (entity.key.clone(), index))
            .collect();
        self.dirty = index()
            .filter(|(_, entity)| entity.dirty)
            .map(|(index, _)| index)
            .collect();
        self.open.points = self.open.points.saturating_sub(gone.points);
        self.open.samples = self.open.samples.saturating_sub(gone.samples);
        self.open.bytes = self.open.bytes.saturating_sub(gone.bytes);
        self.generation += 1;
        gone.points as u64
    }

    /// Whether what is to be written was refused before.
    pub(super) const fn was_refused(&self) -> bool {
        self.refused
    }

    /// It is on disk.
    pub(super) fn flushed(&mut self, flush: &Flush, totals: Totals) {
        for (index, _) in &flush.entities {
            if let Some(entity) = self.entities.get_mut(*index) {
                entity.flushing = None;
            }
        }
        self.durable.clone_from(&flush.position);
        self.disk = totals;
        self.flushing = None;
        self.last_flush = Some(Instant::now());
        self.refused = false;
    }

    /// It is not on disk.
    pub(super) fn refused(&mut self, error: &WriteError) {
        self.last_flush = Some(Instant::now());
        self.refused = true;
        if !error.is_transient() && self.end.is_none() {
            self.end = Some(error.clone());
        }
    }
}

fn shared_origin(
    entity: &Entity,
    kind: &SourceKind,
    agent: Option<&AgentName>,
    labels: &Arc<Labels>,
) -> Arc<Origin> {
    if entity.origin.is(kind, agent, labels) {
        Arc::clone(&entity.origin)
    } else {
        Arc::new(Origin {
            kind: kind.clone(),
            agent: agent.cloned(),
            labels: Arc::clone(labels),
        })
    }
}

/// A count as a gauge shows it.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
