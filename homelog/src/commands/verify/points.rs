//! Whether the store holds what the log says: the part of the log that the store has taken is projected once more and
//! compared, value by value.

use std::collections::BTreeMap;

use event_log::{DeadLetter, Record};
use ingest::{KnownEntities, Limits, project};
use schemas::{
    Catalog, EntityKey, FieldName, FieldValue, Fields, Purge, SourceName, Timestamp, limits,
};
use time_series::{RangeQuery, Selection, Series, Step, TimeSeries};

/// Points that are compared at a time.
const BATCH: usize = 20_000;
/// Values that are remembered because a later event may have replaced them.
const MAX_REPLACED: usize = 200_000;
/// Points may be missing at the beginning of an entity when they are older than the shortest retention.
const SHORTEST_RETENTION_MS: i64 = 3_600_000;

type Place = (EntityKey, i64, FieldName);

/// Points that were not found in the store.
struct Missing {
    points: u64,
    first: i64,
    last: i64,
}

/// The comparison.
pub(super) struct Points<'a> {
    store: &'a dyn TimeSeries,
    catalog: Catalog,
    known: KnownEntities,
    limits: Limits,
    batch: BTreeMap<EntityKey, BTreeMap<i64, Fields>>,
    waiting: usize,
    /// Values that are not those of the store, unless a later event replaces them.
    different: BTreeMap<Place, (FieldValue, FieldValue)>,
    missing: BTreeMap<EntityKey, Missing>,
    /// What was found.
    pub(super) tally: Tally,
}

/// Counts of a comparison.
#[derive(Default, Debug, PartialEq)]
pub(super) struct Tally {
    /// Points that the log makes; several events of one entity and time make one.
    pub(super) expected: u64,
    /// Of them, points that are in the store with every value.
    pub(super) stored: u64,
    /// Of them, points that retention dropped from the store.
    pub(super) trimmed: u64,
    /// Dead letters that the log makes.
    pub(super) dead_letters: u64,
    /// What is wrong, in words.
    pub(super) faults: Vec<String>,
}

impl<'a> Points<'a> {
    /// A comparison with a store; `whole` when the log still begins with its first event.
    pub(super) async fn new(store: &'a dyn TimeSeries, whole: bool) -> anyhow::Result<Self> {
        let catalog = Catalog::new(collector::catalog());
        catalog.register_all(store.field_types().await?);
        let mut known = KnownEntities::default();
        if !whole {
            // what came before is not in the log any more, but bounds which entities were let in
            known.take_over(store.state(&Selection::default(), None).await?.entities);
        }
        Ok(Self {
            store,
            catalog,
            known,
            limits: Limits {
                unsigned: store.capabilities().unsigned,
                ..Limits::default()
            },
            batch: BTreeMap::new(),
            waiting: 0,
            different: BTreeMap::new(),
            missing: BTreeMap::new(),
            tally: Tally::default(),
        })
    }

    /// Takes an entry that the store has taken.
    pub(super) async fn add(&mut self, record: &Record) -> anyhow::Result<()> {
        if let Some(event) = record.event().filter(|event| Purge::is(event)) {
            self.forget(&event.source);
        }
        let projected = project(record, &self.catalog, &mut self.known, &self.limits);
        let letters: &[DeadLetter] = &projected.letters;
        self.tally.dead_letters += letters.len() as u64;
        let Some(point) = projected.point else {
            return Ok(());
        };
        let time = point.time.as_millis();
        if !self.different.is_empty() {
            for (field, _) in point.fields.iter() {
                self.different
                    .remove(&(point.key.clone(), time, field.clone()));
            }
        }
        let of_entity = self.batch.entry(point.key).or_default();
        match of_entity.entry(time) {
            std::collections::btree_map::Entry::Occupied(mut there) => {
                for (field, value) in point.fields.iter() {
                    there.get_mut().set(field.clone(), value.clone());
                }
            }
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(point.fields);
                self.waiting += 1;
            }
        }
        if self.waiting >= BATCH {
            self.compare().await?;
        }
        Ok(())
    }

    /// Expects nothing of what came of a source so far: it is purged.
    fn forget(&mut self, source: &SourceName) {
        self.batch.retain(|key, points| {
            let stays = key.source != *source;
            if !stays {
                self.waiting = self.waiting.saturating_sub(points.len());
            }
            stays
        });
        self.different
            .retain(|(key, _, _), _| key.source != *source);
        let expected = &mut self.tally.expected;
        self.missing.retain(|key, missing| {
            let stays = key.source != *source;
            if !stays {
                *expected = expected.saturating_sub(missing.points);
            }
            stays
        });
        self.known.forget(source);
    }

    /// Compares what waits.
    async fn compare(&mut self) -> anyhow::Result<()> {
        self.waiting = 0;
        for (key, points) in std::mem::take(&mut self.batch) {
            let (Some((&first, _)), Some((&last, _))) =
                (points.first_key_value(), points.last_key_value())
            else {
                continue;
            };
            let stored = self.stored(&key, first, last).await?;
            for (time, fields) in points {
                self.tally.expected += 1;
                if self.compare_point(&key, time, &fields, &stored) {
                    self.tally.stored += 1;
                }
            }
        }
        Ok(())
    }

    async fn stored(
        &self,
        key: &EntityKey,
        first: i64,
        last: i64,
    ) -> anyhow::Result<BTreeMap<FieldName, Series>> {
        let query = RangeQuery {
            selection: Selection {
                entities: vec![key.clone()],
                ..Selection::default()
            },
            fields: Vec::new(),
            from: Timestamp::from_millis(first),
            to: Timestamp::from_millis(last + 1),
            step: Step::Raw,
            aggs: Vec::new(),
            max_series: usize::MAX,
            max_values: usize::MAX,
        };
        let series = self.store.range(&query).await?.series;
        Ok(series.into_iter().map(|s| (s.field.clone(), s)).collect())
    }

    /// Whether the store has the point; a value that differs may yet be replaced by a later event of the log.
    fn compare_point(
        &mut self,
        key: &EntityKey,
        time: i64,
        fields: &Fields,
        stored: &BTreeMap<FieldName, Series>,
    ) -> bool {
        let mut complete = true;
        for (field, value) in fields.iter() {
            let found = stored.get(field).and_then(|series| {
                let at = series.times.binary_search(&time).ok()?;
                series.values.get(at)?.as_ref()
            });
            match found {
                Some(found) if found.same_as(value) => {}
                Some(found) => {
                    if self.different.len() < MAX_REPLACED {
                        self.different.insert(
                            (key.clone(), time, field.clone()),
                            (value.clone(), found.clone()),
                        );
                    }
                }
                None => complete = false,
            }
        }
        if !complete {
            let missing = self.missing.entry(key.clone()).or_insert(Missing {
                points: 0,
                first: time,
                last: time,
            });
            missing.points += 1;
            missing.first = missing.first.min(time);
            missing.last = missing.last.max(time);
        }
        complete
    }

    /// Ends the comparison.
    pub(super) async fn finish(mut self) -> anyhow::Result<Tally> {
        self.compare().await?;
        let long_ago = Timestamp::now().as_millis() - SHORTEST_RETENTION_MS;
        for (key, missing) in std::mem::take(&mut self.missing) {
            let earlier = self
                .stored(&key, limits::EARLIEST_MS, missing.first - 1)
                .await?;
            let trimmed = missing.last < long_ago && earlier.is_empty();
            if trimmed {
                self.tally.trimmed += missing.points;
                continue;
            }
            self.tally.faults.push(format!(
                "entity {key}: {} points between {} and {} are in the log and not in the store",
                missing.points,
                Timestamp::from_millis(missing.first),
                Timestamp::from_millis(missing.last)
            ));
        }
        for ((key, time, field), (expected, found)) in self.different {
            self.tally.faults.push(format!(
                "entity {key}, field {field} at {}: the log says {expected:?}, the store {found:?}",
                Timestamp::from_millis(time)
            ));
        }
        Ok(self.tally)
    }
}
