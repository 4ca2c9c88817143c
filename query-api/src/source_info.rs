//! What the API tells of sources, from the newest state of what they observe.

use std::collections::BTreeMap;

use schemas::{
    FieldValue, SourceName, Timestamp,
    api::{SourceInfo, SourceState},
    name::EntityType,
};
use time_series::{EntityState, RangeQuery, Selection, Step};

use crate::{
    ApiError, App,
    source_status::{ENTITY_TYPE, SourceStatus, removals},
};

/// How far back the begin of a state is looked for.
const SINCE_MS: i64 = 24 * 3_600_000;
/// Most readings that are looked at for it: one a minute, and those of moves.
const SINCE_READINGS: usize = 10_000;

/// The sources of entities as of a time: how each does, since when, and what it has.
pub(crate) async fn sources_of<'e>(
    app: &App,
    entities: impl Iterator<Item = &'e EntityState> + Clone,
    at: Timestamp,
) -> Result<BTreeMap<SourceName, SourceInfo>, ApiError> {
    let names = app.services.control.display_names().await?;
    let removals = removals(entities.clone());
    let mut sources: BTreeMap<SourceName, SourceInfo> = BTreeMap::new();
    for entity in entities {
        let source = sources
            .entry(entity.key.source.clone())
            .or_insert_with(|| SourceInfo {
                name: entity.key.source.to_string(),
                display_name: names.get(&entity.key.source).map(ToString::to_string),
                kind: entity.kind.to_string(),
                agent: entity.agent.as_ref().map(ToString::to_string),
                state: SourceState::Pushed,
                reason: None,
                class: None,
                fix: None,
                finding: None,
                since: None,
                last_event: None,
                interval_seconds: None,
                configured_interval_seconds: None,
                poll_seconds: None,
                busy_ratio: None,
                budget_ratio: None,
                skew_seconds: None,
                entities: 0,
            });
        source.last_event = source.last_event.max(last_seen(entity));
        match SourceStatus::of(entity, at) {
            Some(status) => {
                source.kind = status.kind.to_string();
                source.agent = status.agent;
                source.state = status.state;
                source.reason = status.reason;
                source.class = status.class;
                source.fix = status.fix;
                source.finding = status.finding;
                source.interval_seconds = status.interval_seconds;
                source.configured_interval_seconds = status.configured_interval_seconds;
                source.poll_seconds = status.poll_seconds;
                source.busy_ratio = status.busy_ratio;
                source.budget_ratio = status.budget_ratio;
                source.skew_seconds = status.skew_seconds;
                if status.state == SourceState::Stale {
                    source.since = Some(status.heard.as_millis());
                }
            }
            // the entity that tells of the source is not one of its things
            None => source.entities += 1,
        }
    }
    for (name, source) in &mut sources {
        let removed = removals.get(name).map(|at| at.as_millis());
        if removed.is_some_and(|at| source.last_event > Some(at)) {
            // whoever pushes says nothing else when it comes back
            source.state = SourceState::Pushed;
            source.reason = None;
        }
        if source.state == SourceState::Down {
            source.since = down_since(app, name, at).await?;
        }
    }
    Ok(sources)
}

/// When anything of an entity was last observed, Unix milliseconds.
pub(crate) fn last_seen(entity: &EntityState) -> Option<i64> {
    entity.fields.values().map(|l| l.time.as_millis()).max()
}

/// When a source that is down was first said to be so, if that was within a day.
async fn down_since(app: &App, name: &SourceName, at: Timestamp) -> Result<Option<i64>, ApiError> {
    let query = RangeQuery {
        selection: Selection {
            sources: vec![name.clone()],
            entity_types: vec![EntityType::new(ENTITY_TYPE).map_err(|e| ApiError::internal(&e))?],
            entities: Vec::new(),
        },
        fields: vec!["up".into()],
        from: at.plus_millis(-SINCE_MS),
        to: at.plus_millis(1),
        step: Step::Raw,
        aggs: Vec::new(),
        max_series: 1,
        max_values: SINCE_READINGS,
    };
    let data = match app.services.store.range(&query).await {
        Ok(data) => data,
        // a source that moves that often has no begin worth telling
        Err(time_series::QueryError::TooLarge { .. }) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let Some(series) = data.series.first() else {
        return Ok(None);
    };
    let readings = || series.times.iter().zip(&series.values).rev();
    let down = readings().take_while(|(_, value)| **value == Some(FieldValue::Bool(false)));
    let was_up = readings().any(|(_, value)| *value == Some(FieldValue::Bool(true)));
    // a source that was down all day began before that
    Ok(down.last().map(|(time, _)| *time).filter(|_| was_up))
}
