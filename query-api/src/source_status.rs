//! How a source does, from what the collector said about it last.

use std::collections::HashMap;

use schemas::{
    Draft, Entity, EventType, FieldValue, Fields, Labels, SourceName, Timestamp,
    api::SourceState,
    name::{EntityId, EntityType, SourceKind},
};
use time_series::EntityState;

/// Type of the entity under which a collector tells how its source does.
pub(crate) const ENTITY_TYPE: &str = "source";

/// A source that is silent for this long is stale, whatever its interval: collectors speak every minute.
const SILENCE_MS: i64 = 3 * 60_000;
/// Of how many intervals.
const MISSED: f64 = 3.0;

/// What a collector said last about one source.
#[derive(Clone, Debug)]
pub(crate) struct SourceStatus {
    pub(crate) name: SourceName,
    pub(crate) kind: SourceKind,
    pub(crate) agent: Option<String>,
    pub(crate) state: SourceState,
    pub(crate) reason: Option<String>,
    /// Of the failure, while it is down.
    pub(crate) class: Option<String>,
    pub(crate) fix: Option<String>,
    /// What it found to be down, while it is up.
    pub(crate) finding: Option<String>,
    /// When it was said.
    pub(crate) heard: Timestamp,
    pub(crate) interval_seconds: Option<f64>,
    pub(crate) configured_interval_seconds: Option<f64>,
    pub(crate) poll_seconds: Option<f64>,
    pub(crate) busy_ratio: Option<f64>,
    pub(crate) budget_ratio: Option<f64>,
    pub(crate) skew_seconds: Option<f64>,
}

impl SourceStatus {
    /// Reads the state of an entity of type `source`; none for another entity, or one that never said `up`.
    pub(crate) fn of(entity: &EntityState, now: Timestamp) -> Option<Self> {
        if entity.key.entity_type.as_str() != ENTITY_TYPE
            || entity.key.id.as_str() != entity.key.source.as_str()
        {
            return None;
        }
        let number = |name: &str| entity.fields.get(name).and_then(|l| l.value.as_f64());
        let text = |name: &str| match entity.fields.get(name).map(|l| &l.value) {
            Some(FieldValue::Text(text)) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        };
        let up = entity.fields.get("up")?;
        let interval_seconds = number("interval_seconds");
        let state = if text("state").as_deref() == Some("removed") {
            SourceState::Removed
        } else if now.since(up.time) > patience_ms(interval_seconds) {
            SourceState::Stale
        } else if up.value == FieldValue::Bool(true) {
            SourceState::Up
        } else {
            SourceState::Down
        };
        Some(Self {
            name: entity.key.source.clone(),
            kind: entity.kind.clone(),
            agent: entity.agent.as_ref().map(ToString::to_string),
            reason: match state {
                SourceState::Stale => Some(format!(
                    "nothing was heard of it since {}: is its collector running?",
                    up.time
                )),
                _ => text("reason"),
            },
            class: text("class").filter(|_| state == SourceState::Down),
            fix: text("fix").filter(|_| state == SourceState::Down),
            finding: text("finding").filter(|_| state == SourceState::Up),
            state,
            heard: up.time,
            interval_seconds,
            configured_interval_seconds: number("configured_interval_seconds"),
            poll_seconds: number("poll_seconds"),
            busy_ratio: number("busy_ratio"),
            budget_ratio: number("budget_ratio"),
            skew_seconds: number("skew_seconds"),
        })
    }
}

/// When each source was removed that is.
pub(crate) fn removals<'e>(
    entities: impl Iterator<Item = &'e EntityState>,
) -> HashMap<SourceName, Timestamp> {
    entities
        .filter_map(|entity| SourceStatus::of(entity, Timestamp::now()))
        .filter(|status| status.state == SourceState::Removed)
        .map(|status| (status.name, status.heard))
        .collect()
}

/// Whether nothing of an entity was observed since its source was removed.
pub(crate) fn is_removed(entity: &EntityState, removals: &HashMap<SourceName, Timestamp>) -> bool {
    removals
        .get(&entity.key.source)
        .is_some_and(|at| entity.fields.values().all(|latest| latest.time <= *at))
}

/// The event that takes a source out of current views, from what is known of it; none if nothing is.
pub fn removal(
    entities: &[EntityState],
    name: &SourceName,
    now: Timestamp,
    by: &str,
) -> Option<Draft> {
    let is_status = |entity: &&EntityState| entity.key.entity_type.as_str() == ENTITY_TYPE;
    let like = entities.iter().find(is_status).or(entities.first())?;
    let mut entity = Entity::new(
        EntityType::new(ENTITY_TYPE).ok()?,
        EntityId::new(name.as_str()).ok()?,
    );
    if is_status(&like) {
        entity.labels = Labels::clone(&like.labels);
    }
    let mut fields = Fields::new();
    fields
        .set("up", false)
        .set_text("state", "removed")
        .set_text("class", "")
        .set_text("fix", "")
        .set_text("finding", "")
        .set_text("reason", &format!("`{by}` removed it"));
    Some(Draft {
        source: name.clone(),
        kind: like.kind.clone(),
        agent: like.agent.clone(),
        event_type: EventType::Source,
        time: now,
        entity,
        fields,
        identity: None,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to a month just before"
)]
fn patience_ms(interval_seconds: Option<f64>) -> i64 {
    let missed = interval_seconds.unwrap_or(0.0) * MISSED * 1000.0;
    (missed.clamp(0.0, 31.0 * 86_400_000.0) as i64).max(SILENCE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, sync::Arc};
    use time_series::Latest;

    fn entity(up: bool, interval: f64) -> EntityState {
        let latest = |value| Latest {
            value,
            time: Timestamp::from_millis(1_795_406_700_000),
        };
        EntityState {
            key: "nas1/source/nas1".parse().unwrap(),
            kind: SourceKind::new("synology").unwrap(),
            agent: None,
            labels: Arc::default(),
            fields: BTreeMap::from([
                ("up".into(), latest(FieldValue::Bool(up))),
                ("interval_seconds".into(), latest(FieldValue::F64(interval))),
                (
                    "reason".into(),
                    latest(FieldValue::text("no route").unwrap()),
                ),
            ]),
        }
    }

    #[test]
    fn a_source_is_up_down_or_not_heard() {
        let at = |minutes: i64| Timestamp::from_millis(1_795_406_700_000 + minutes * 60_000);
        let state = |up, interval, minutes| {
            SourceStatus::of(&entity(up, interval), at(minutes))
                .unwrap()
                .state
        };
        assert_eq!(state(true, 5.0, 2), SourceState::Up);
        assert_eq!(state(false, 5.0, 2), SourceState::Down);
        assert_eq!(state(true, 5.0, 4), SourceState::Stale);
        assert_eq!(state(true, 600.0, 29), SourceState::Up);
        assert_eq!(state(true, 600.0, 31), SourceState::Stale);
        let told = SourceStatus::of(&entity(true, 5.0), at(4)).unwrap();
        assert!(told.reason.unwrap().contains("2026-"));
    }

    #[test]
    fn an_entity_of_another_name_is_no_source() {
        let mut other = entity(true, 5.0);
        other.key = "nas1/source/nas2".parse().unwrap();
        assert!(SourceStatus::of(&other, Timestamp::from_millis(1_795_406_700_000)).is_none());
    }
}
