//! Reads both stores anew and compares every value, by series and day.

use std::time::Duration;

use schemas::Timestamp;
use time_series::{Selection, Series, TimeSeries};

use super::{
    days::{DAY_MS, days, samples},
    points::since,
};
use crate::{
    commands::{progress, user::say},
    outcome::Failure,
};

/// Adds what differs.
pub(super) async fn compare(
    here: &dyn TimeSeries,
    there: &dyn TimeSeries,
    keep: Duration,
    differences: &mut Vec<String>,
) -> Result<(), Failure> {
    // what ages out while it is compared is in neither
    let since = since(keep) + DAY_MS / 24;
    let mut entities = here.state(&Selection::default(), None).await?.entities;
    entities.sort_by_key(|entity| entity.key.to_string());
    let bar = progress::bar(here.stats().await?.points, "compare points");
    let (mut series, mut values) = (0_u64, 0_u64);
    for entity in &entities {
        for day in days(here, &entity.key, since).await? {
            let mine = samples(here, &entity.key, day, since).await?;
            let other = samples(there, &entity.key, day, since).await?;
            for one in &mine {
                series += 1;
                values += one.times.len() as u64;
                let two = other.iter().find(|two| two.field == one.field);
                if let Some(what) = difference(one, two) {
                    differences.push(format!(
                        "{} {} on {}: {what}",
                        entity.key,
                        one.field,
                        date(day)
                    ));
                }
            }
            bar.inc(mine.iter().map(|s| s.times.len()).max().unwrap_or(0) as u64);
        }
    }
    bar.finish_and_clear();
    say(&format!(
        "points: {values} values in {series} series and days were read from both stores and compared"
    ))
}

fn date(day: i64) -> String {
    let text = Timestamp::from_millis(day).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

fn difference(one: &Series, two: Option<&Series>) -> Option<String> {
    let Some(two) = two else {
        return Some(format!("{} values, and none there", one.times.len()));
    };
    if one.times.len() != two.times.len() {
        return Some(format!(
            "{} values, and {} there",
            one.times.len(),
            two.times.len()
        ));
    }
    let samples = |series: &Series| -> Vec<_> {
        series
            .times
            .iter()
            .copied()
            .zip(series.values.iter().cloned())
            .collect()
    };
    samples(one)
        .into_iter()
        .zip(samples(two))
        .find_map(|((time, mine), (other_time, other))| {
            let same = time == other_time
                && match (&mine, &other) {
                    (Some(mine), Some(other)) => mine.same_as(other),
                    (None, None) => true,
                    _ => false,
                };
            (!same).then(|| {
                format!(
                    "{mine:?} at {}, and {other:?} at {} there",
                    Timestamp::from_millis(time),
                    Timestamp::from_millis(other_time)
                )
            })
        })
}
