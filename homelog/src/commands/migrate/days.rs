//! What a store holds of an entity, day by day.

use std::collections::BTreeSet;

use schemas::{EntityKey, FieldValue, Timestamp, api::Agg, limits};
use time_series::{RangeQuery, Selection, Series, Step, TimeSeries};

pub(super) const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 366 * DAY_MS;

fn query(key: &EntityKey, from: i64, to: i64, step: Step) -> RangeQuery {
    RangeQuery {
        selection: Selection {
            entities: vec![key.clone()],
            ..Selection::default()
        },
        fields: Vec::new(),
        from: Timestamp::from_millis(from),
        to: Timestamp::from_millis(to),
        step,
        aggs: vec![Agg::Count],
        max_series: usize::MAX,
        max_values: usize::MAX,
    }
}

/// The windows of a width in which there is anything.
async fn filled(
    store: &dyn TimeSeries,
    key: &EntityKey,
    (from, to): (i64, i64),
    width: i64,
) -> anyhow::Result<BTreeSet<i64>> {
    let asked = query(key, from, to, Step::Millis(width));
    let mut windows = BTreeSet::new();
    for series in store.range(&asked).await?.series {
        for (time, value) in series.times.iter().zip(&series.values) {
            let count = value.as_ref().and_then(FieldValue::as_f64);
            if count.is_some_and(|count| count > 0.0) {
                windows.insert(*time);
            }
        }
    }
    Ok(windows)
}

/// The days (their first milliseconds) from one on in which a store has points of an entity.
pub(super) async fn days(
    store: &dyn TimeSeries,
    key: &EntityKey,
    since: i64,
) -> anyhow::Result<Vec<i64>> {
    let since = since.max(limits::EARLIEST_MS);
    let end = Timestamp::now().as_millis() + DAY_MS;
    let mut days = BTreeSet::new();
    for year in filled(store, key, (since, end), YEAR_MS).await? {
        let span = (year.max(since), (year + YEAR_MS).min(end));
        days.extend(filled(store, key, span, DAY_MS).await?);
    }
    Ok(days.into_iter().collect())
}

/// Every sample of an entity in one day, by field; only those from an instant on.
pub(super) async fn samples(
    store: &dyn TimeSeries,
    key: &EntityKey,
    day: i64,
    since: i64,
) -> anyhow::Result<Vec<Series>> {
    let asked = query(key, day.max(since), day + DAY_MS, Step::Raw);
    let mut series = store.range(&asked).await?.series;
    series.sort_by(|a, b| a.field.cmp(&b.field));
    Ok(series)
}
