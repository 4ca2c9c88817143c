//! The laws of the port, as tests that run on every adapter.
//!
//! An adapter's test file names a [`Harness`] and gets one test for each law:
//!
//! ```text
//! time_series::conformance!(MyHarness::new());
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "every function here is a test"
)]

mod counters;
mod durability;
mod partitions;
mod past;
mod purge;
mod ranges;
mod windows;

pub use counters::*;
pub use durability::*;
pub use partitions::*;
pub use past::*;
pub use purge::*;
pub use ranges::*;
pub use windows::*;

use std::sync::Arc;

use async_trait::async_trait;
use schemas::{
    EntityKey, FieldName, FieldValue, Fields, Labels, Position, SourceName, Timestamp,
    api::Agg,
    name::{AgentName, EntityId, EntityType, SourceKind},
};

use crate::{Point, RangeData, RangeQuery, Selection, Step, TimeSeries, WriteBatch};

/// Makes stores for the laws.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens the store; when it was opened before (and closed or dropped) with what it kept.
    async fn open(&self) -> Arc<dyn TimeSeries>;

    /// Whether what was flushed is there when it is opened again.
    fn keeps(&self) -> bool;
}

/// 23 November 2026, 03:00 UTC.
pub(crate) const T: i64 = 1_795_402_800_000;

pub(crate) fn key(text: &str) -> EntityKey {
    text.parse().unwrap()
}

pub(crate) fn position(offset: u64) -> Position {
    Position::from_offsets(vec![offset])
}

pub(crate) fn point(entity: &str, time: i64, fields: &[(&'static str, FieldValue)]) -> Point {
    Point {
        key: key(entity),
        kind: SourceKind::new("synology").unwrap(),
        agent: Some(AgentName::new("hub").unwrap()),
        labels: Arc::default(),
        time: Timestamp::from_millis(time),
        fields: fields
            .iter()
            .map(|(name, value)| (FieldName::from(*name), value.clone()))
            .collect::<Fields>(),
    }
}

pub(crate) fn labelled(mut point: Point, name: &'static str, value: &str) -> Point {
    point.labels = Arc::new(Labels::from([(FieldName::from(name), Arc::from(value))]));
    point
}

pub(crate) fn int(value: i64) -> FieldValue {
    FieldValue::I64(value)
}

pub(crate) fn float(value: f64) -> FieldValue {
    FieldValue::F64(value)
}

pub(crate) fn text(value: &str) -> FieldValue {
    FieldValue::Text(Arc::from(value))
}

pub(crate) async fn write(store: &Arc<dyn TimeSeries>, offset: u64, points: Vec<Point>) {
    let position = position(offset);
    store.write(WriteBatch { points, position }).await.unwrap();
}

pub(crate) fn only(entity: &str) -> Selection {
    Selection {
        entities: vec![key(entity)],
        ..Selection::default()
    }
}

pub(crate) fn by_source(source: &str) -> Selection {
    Selection {
        sources: vec![SourceName::new(source).unwrap()],
        ..Selection::default()
    }
}

pub(crate) fn by_type(entity_type: &str) -> Selection {
    Selection {
        entity_types: vec![EntityType::new(entity_type).unwrap()],
        ..Selection::default()
    }
}

pub(crate) fn query(from: i64, to: i64, step: Step, aggs: &[Agg]) -> RangeQuery {
    RangeQuery {
        selection: Selection::default(),
        fields: Vec::new(),
        from: Timestamp::from_millis(from),
        to: Timestamp::from_millis(to),
        step,
        aggs: aggs.to_vec(),
        max_series: 1000,
        max_values: 100_000,
    }
}

pub(crate) async fn raw(store: &Arc<dyn TimeSeries>, from: i64, to: i64) -> RangeData {
    store.range(&query(from, to, Step::Raw, &[])).await.unwrap()
}

/// Times and values of one series.
pub(crate) fn samples(data: &RangeData, entity: &str, field: &str) -> Vec<(i64, FieldValue)> {
    data.series
        .iter()
        .filter(|series| series.key == key(entity) && series.field.as_str() == field)
        .flat_map(|series| series.times.iter().zip(&series.values))
        .filter_map(|(time, value)| Some((*time, value.clone()?)))
        .collect()
}

/// Values of one series, window by window.
pub(crate) fn values(data: &RangeData, field: &str, agg: Agg) -> Vec<Option<FieldValue>> {
    data.series
        .iter()
        .find(|series| series.field.as_str() == field && series.agg == Some(agg))
        .map(|series| series.values.clone())
        .unwrap_or_default()
}

/// An entity id that has to be encoded in a key.
pub(crate) fn odd_key() -> EntityKey {
    EntityKey {
        source: SourceName::new("nas1").unwrap(),
        entity_type: EntityType::new("disk").unwrap(),
        id: EntityId::new("a/b ü%").unwrap(),
    }
}

/// One test for each law.
#[macro_export]
macro_rules! conformance {
    ($harness:expr) => {
        $crate::conformance!($harness;
            a_new_store_has_no_position,
            points_and_position_move_together,
            an_empty_batch_moves_the_position,
            fields_of_one_time_merge_and_the_later_wins,
            repeating_changes_nothing,
            late_points_take_their_place,
            values_come_back_to_the_bit,
            a_range_begins_inclusive_and_ends_exclusive,
            series_are_in_order_and_those_without_values_left_out,
            selections_must_all_hold,
            limits_are_kept,
            aggregations_of_numbers,
            integers_stay_exact_in_windows,
            states_are_kept_and_their_last_counts,
            empty_windows_have_no_value,
            partial_windows_hold_only_the_range,
            days_follow_the_clocks_of_berlin,
            weeks_and_months_are_those_of_the_calendar,
            a_steady_counter_shows_its_exact_rate,
            resets_count_from_zero,
            the_sample_before_the_range_begins_the_first_pair,
            counters_of_the_whole_range_of_u64_are_exact,
            states_have_no_rate,
            the_newest_values_are_known,
            the_past_is_as_it_was,
            labels_are_those_of_their_time,
            a_field_that_seldom_changes_is_found,
            field_types_are_remembered,
            what_was_flushed_is_kept,
            what_was_not_durable_is_read_again,
            trimming_keeps_the_newest_value,
            a_purged_source_is_gone_and_may_come_back,
            statistics_count_what_is_there,
            a_closed_store_refuses,
            closing_answers_everybody,
            reads_while_writing_agree_with_their_position,
        );
    };
    ($harness:expr; $($law:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                $crate::conformance::$law(&$harness).await;
            }
        )+
    };
}
