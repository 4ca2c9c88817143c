//! Points, entity by entity and day by day.

use std::{collections::BTreeMap, time::Duration};

use schemas::{Fields, Timestamp};
use time_series::{EntityState, PartitionedStore, Point, Selection, Series, TimeSeries};

use super::{
    days::{DAY_MS, days, samples},
    state::State,
};
use crate::{
    commands::{progress, state_file::StateFile, user::say},
    outcome::Failure,
};

/// Points of one write.
const BATCH: usize = 5_000;

/// The earliest instant that a store with that retention keeps, in Unix milliseconds.
pub(super) fn since(keep: Duration) -> i64 {
    let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    Timestamp::now().as_millis().saturating_sub(keep)
}

/// Copies what is not there yet; what is older than `keep` stays behind.
pub(super) async fn copy(
    here: &dyn TimeSeries,
    there: &dyn PartitionedStore,
    keep: Duration,
    file: &StateFile,
    state: &mut State,
) -> Result<(), Failure> {
    if !state.points_begun && state.entity.is_none() {
        let found = there.stats().await?.points;
        if found > 0 {
            return Err(anyhow::anyhow!(
                "the bucket of `[store]` already holds {found} points that are not of this move: name an empty one"
            )
            .into());
        }
        state.points_begun = true;
        file.write(state)?;
    }
    let since = since(keep);
    let mut entities = here.state(&Selection::default(), None).await?.entities;
    entities.sort_by_key(|entity| entity.key.to_string());
    let bar = progress::bar(here.stats().await?.points, "points");
    let (mut copied, mut refused) = (0_u64, Vec::new());
    for entity in &entities {
        let name = entity.key.to_string();
        if state.entity.as_ref().is_some_and(|done| name <= *done) {
            continue;
        }
        for day in days(here, &entity.key, since).await? {
            let then = at_end_of(here, entity, day).await?;
            let points = points(&then, samples(here, &entity.key, day, since).await?);
            for part in points.chunks(BATCH) {
                refused.extend(write(there, part).await?);
                copied += part.len() as u64;
                bar.inc(part.len() as u64);
            }
        }
        state.entity = Some(name);
        file.write(state)?;
    }
    bar.finish_and_clear();
    for why in refused.iter().take(super::SHOWN) {
        eprintln!("homelog: the store refuses a point: {why}");
    }
    say(&format!(
        "points: {copied} of {} entities were copied",
        entities.len()
    ))
}

/// The entity as it was on that day: its labels then.
async fn at_end_of(
    store: &dyn TimeSeries,
    entity: &EntityState,
    day: i64,
) -> anyhow::Result<EntityState> {
    let selection = Selection {
        entities: vec![entity.key.clone()],
        ..Selection::default()
    };
    let end = Timestamp::from_millis(day + DAY_MS - 1);
    let then = store.state(&selection, Some(end)).await?.entities.pop();
    Ok(then.unwrap_or_else(|| entity.clone()))
}

fn points(entity: &EntityState, series: Vec<Series>) -> Vec<Point> {
    let mut by_time: BTreeMap<i64, Fields> = BTreeMap::new();
    for series in series {
        for (time, value) in series.times.iter().zip(series.values) {
            if let Some(value) = value {
                by_time
                    .entry(*time)
                    .or_default()
                    .set(series.field.clone(), value);
            }
        }
    }
    by_time
        .into_iter()
        .map(|(time, fields)| Point {
            key: entity.key.clone(),
            kind: entity.kind.clone(),
            agent: entity.agent.clone(),
            labels: entity.labels.clone(),
            time: Timestamp::from_millis(time),
            fields,
        })
        .collect()
}

/// Writes points without moving any position: what is in the log is ingested from there once more, which changes nothing.
async fn write(there: &dyn PartitionedStore, points: &[Point]) -> anyhow::Result<Vec<String>> {
    let mut wait = Duration::from_millis(200);
    loop {
        match there.write_partition(points.to_vec(), 0, 0).await {
            Ok(written) => {
                return Ok(written
                    .refused
                    .into_iter()
                    .map(|refused| match points.get(refused.index) {
                        Some(point) => format!("{} at {}: {}", point.key, point.time, refused.why),
                        None => refused.why,
                    })
                    .collect());
            }
            Err(e) if e.is_transient() && wait.as_secs() < 60 => {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            Err(e) => return Err(e.into()),
        }
    }
}
