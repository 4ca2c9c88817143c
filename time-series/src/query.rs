use std::sync::Arc;

use schemas::{
    EntityKey, FieldName, FieldValue, Labels, Position, SourceName, Timestamp, api::Agg,
    name::EntityType,
};

/// Which entities are meant. An empty list asks for nothing in particular; different lists must all hold.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Selection {
    /// These.
    pub entities: Vec<EntityKey>,
    /// Of one of these types.
    pub entity_types: Vec<EntityType>,
    /// Of one of these sources.
    pub sources: Vec<SourceName>,
}

impl Selection {
    /// Whether an entity is meant.
    pub fn wants(&self, key: &EntityKey) -> bool {
        (self.entities.is_empty() || self.entities.contains(key))
            && (self.entity_types.is_empty() || self.entity_types.contains(&key.entity_type))
            && (self.sources.is_empty() || self.sources.contains(&key.source))
    }
}

/// A unit of the civil calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CalendarUnit {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

/// How wide windows are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// No windows: every sample.
    Raw,
    /// That many milliseconds, aligned to the epoch.
    Millis(i64),
    /// Days, weeks or months as a time zone has them.
    Calendar(CalendarUnit, chrono_tz::Tz),
}

/// What history is asked for: `[from, to)`.
#[derive(Clone, PartialEq, Debug)]
pub struct RangeQuery {
    /// Of which entities.
    pub selection: Selection,
    /// Of which fields; empty for all.
    pub fields: Vec<FieldName>,
    /// Begin, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
    /// Windows. A window that only partly lies in the range holds only the samples that do.
    pub step: Step,
    /// Aggregations, at least one; ignored when raw. Of texts and flags, mean, min, max and sum are the last; rate and
    /// increase give no series.
    pub aggs: Vec<Agg>,
    /// Most series the answer may have.
    pub max_series: usize,
    /// Most values the answer may have.
    pub max_values: usize,
}

/// One series.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// The entity.
    pub key: EntityKey,
    /// Slow facts about it, newest.
    pub labels: Arc<Labels>,
    /// The field.
    pub field: FieldName,
    /// How a window became a value; none when raw.
    pub agg: Option<Agg>,
    /// Starts of all windows in the range (those of `1d` and up begin at or before `from`); when raw the times of the samples.
    pub times: Arc<[i64]>,
    /// A value for each time; none where a window is empty.
    pub values: Vec<Option<FieldValue>>,
}

/// History and the log position that it reflects.
#[derive(Clone, PartialEq, Debug)]
pub struct RangeData {
    /// The position.
    pub position: Position,
    /// The tier that was read.
    pub tier: &'static str,
    /// By key, field, aggregation. A series without any value in the range is left out.
    pub series: Vec<Series>,
}
