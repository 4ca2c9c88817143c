//! States as they are told.

use std::sync::PoisonError;

use chrono::{DateTime, Utc};
use schemas::time::Timestamp;
use serde_json::{Map, Value, json};

use super::{Changed, HomeAssistant, MOST, Set};
use crate::world::{chance, rooms::Entity};

/// Longest state.
const LONGEST: usize = 255;

/// An instant as it is told, in UTC with microseconds.
pub(super) fn written(at: Timestamp) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.as_millis())
        .unwrap_or_default()
        .format("%Y-%m-%dT%H:%M:%S%.6f+00:00")
        .to_string()
}

/// Who changed something: 26 letters and digits.
pub(super) fn context(id: &str, at: Timestamp) -> Value {
    let digits = chance::digits(0x48_41, id, 6) + &format!("{:020X}", at.as_millis());
    json!({"id": digits.to_uppercase(), "parent_id": null, "user_id": null})
}

/// Whether a text is the id of an entity.
fn valid(id: &str) -> bool {
    id.len() <= LONGEST
        && id.split_once('.').is_some_and(|(domain, name)| {
            let good = |part: &str| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            };
            good(domain) && good(name)
        })
}

fn attributes(entity: &Entity) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), json!(value));
        }
    };
    put("state_class", entity.state_class);
    put("unit_of_measurement", entity.unit);
    put("device_class", entity.device_class);
    put("friendly_name", Some(entity.name));
    Value::Object(map)
}

fn told(
    id: &str,
    value: &str,
    attributes: &Value,
    changed: Timestamp,
    updated: Timestamp,
) -> Value {
    json!({
        "entity_id": id,
        "state": value,
        "attributes": attributes,
        "last_changed": written(changed),
        "last_updated": written(updated),
        "context": context(id, updated),
    })
}

impl HomeAssistant {
    /// All states.
    pub(super) fn states(&self, now: Timestamp) -> Vec<Value> {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let of_home = self
            .entities
            .iter()
            .filter(|entity| !set.contains_key(entity.id))
            .map(|entity| self.of_home(entity, now));
        let mut all: Vec<_> = of_home.collect();
        all.extend(
            set.iter()
                .map(|(id, set)| told(id, &set.value, &set.attributes, set.changed, set.updated)),
        );
        all.sort_by(|a, b| a["entity_id"].as_str().cmp(&b["entity_id"].as_str()));
        all
    }

    /// One state.
    pub(super) fn state(&self, id: &str, now: Timestamp) -> Option<Value> {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = set.get(id) {
            return Some(told(
                id,
                &set.value,
                &set.attributes,
                set.changed,
                set.updated,
            ));
        }
        let entity = self.entities.iter().find(|entity| entity.id == id)?;
        Some(self.of_home(entity, now))
    }

    fn of_home(&self, entity: &Entity, now: Timestamp) -> Value {
        let state = entity.state(&self.world, now);
        told(
            entity.id,
            &state.value,
            &attributes(entity),
            state.changed,
            state.changed,
        )
    }

    /// Sets a state; absent if it may not be.
    pub(super) fn put(
        &self,
        id: &str,
        value: String,
        attributes: Option<Value>,
        now: Timestamp,
    ) -> Option<Value> {
        if !valid(id) || value.len() > LONGEST {
            return None;
        }
        let old = self.state(id, now).unwrap_or(Value::Null);
        let attributes = attributes.unwrap_or_else(|| match old.get("attributes") {
            Some(attributes) => attributes.clone(),
            None => json!({}),
        });
        let same = old["state"] == value.as_str();
        let (new, unchanged) = {
            let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
            if set.len() >= MOST && !set.contains_key(id) {
                return None;
            }
            let changed = match set.get(id) {
                Some(before) if same => before.changed,
                _ => now,
            };
            let unchanged = same && old["attributes"] == attributes;
            let made = Set {
                value,
                attributes,
                changed,
                updated: now,
            };
            let new = told(
                id,
                &made.value,
                &made.attributes,
                made.changed,
                made.updated,
            );
            set.insert(id.to_owned(), made);
            (new, unchanged)
        };
        if !unchanged {
            // nobody may be listening
            drop(self.changes.send(Changed {
                old,
                new: new.clone(),
            }));
        }
        Some(new)
    }

    /// What changed by itself in a time: before and after.
    pub(super) fn changed(&self, from: Timestamp, to: Timestamp) -> Vec<Changed> {
        let set: Vec<_> = {
            let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
            set.keys().cloned().collect()
        };
        self.entities
            .iter()
            .filter(|entity| !set.iter().any(|id| id == entity.id))
            .filter_map(|entity| {
                let (old, new) = (
                    entity.state(&self.world, from),
                    entity.state(&self.world, to),
                );
                (old.value != new.value).then(|| Changed {
                    old: told(
                        entity.id,
                        &old.value,
                        &attributes(entity),
                        old.changed,
                        old.changed,
                    ),
                    new: told(
                        entity.id,
                        &new.value,
                        &attributes(entity),
                        new.changed,
                        new.changed,
                    ),
                })
            })
            .collect()
    }
}
