//! What is known of each entity, so that only what moved is told as a change.

use std::collections::{BTreeMap, HashSet};

use schemas::{
    Entity, Timestamp,
    name::{EntityId, EntityType, InvalidName},
};
use serde_json::value::RawValue;
use tracing::warn;

use super::{
    chosen::Chosen,
    reading::{Availability, Reading},
    state::State,
};
use crate::Batch;

/// Most entities that are told.
const MOST: usize = 5_000;

struct Known {
    reading: Reading,
    /// The state's own words, which tell which of Home Assistant's two times is that of a change.
    text: String,
    updated: Option<Timestamp>,
    /// The newest time that an event of it carries.
    told: Timestamp,
    /// Whether an event said it after the newest snapshot was asked for.
    fresh: bool,
}

/// The entities that are told, as they are now.
pub(super) struct Mirror {
    chosen: Chosen,
    entity_type: EntityType,
    /// The unit of temperature that the home is set to.
    pub(super) home_temperature: String,
    known: BTreeMap<EntityId, Known>,
    /// A snapshot was taken in: what appears from now on is new.
    complete: bool,
    too_many: bool,
}

impl Mirror {
    pub(super) fn new(chosen: Chosen) -> Result<Self, InvalidName> {
        Ok(Self {
            chosen,
            entity_type: EntityType::new("home_assistant_entity")?,
            home_temperature: String::new(),
            known: BTreeMap::new(),
            complete: false,
            too_many: false,
        })
    }

    /// A snapshot is asked for: what events say from now on may be newer than it.
    pub(super) fn begin(&mut self) {
        for known in self.known.values_mut() {
            known.fresh = false;
        }
    }

    /// Takes in all states. Entities that are not among them are gone, unless Home Assistant has not finished its start.
    pub(super) fn snapshot(&mut self, rows: &[Box<RawValue>], running: bool, batch: &mut Batch) {
        let mut listed = HashSet::new();
        for row in rows {
            if let Some(state) = State::read(row) {
                listed.insert(state.id.clone());
                self.take(state, false, batch);
            }
        }
        if running {
            let gone: Vec<_> = self
                .known
                .iter()
                .filter(|(id, known)| !known.fresh && !listed.contains(*id))
                .map(|(id, _)| id.clone())
                .collect();
            for id in gone {
                self.removed(&id, batch);
            }
        }
        self.complete = true;
    }

    /// Takes in what an event says of an entity: its new state, or nothing where it is gone.
    pub(super) fn event(&mut self, id: &str, state: Option<&RawValue>, batch: &mut Batch) {
        if !self.chosen.may(id) {
            return;
        }
        match state {
            Some(row) => {
                if let Some(state) = State::read(row) {
                    self.take(state, true, batch);
                }
            }
            None => {
                if let Ok(id) = EntityId::new(id) {
                    self.removed(&id, batch);
                }
            }
        }
    }

    fn take(&mut self, state: State, fresh: bool, batch: &mut Batch) {
        if !self.chosen.is(&state) {
            // it may have been told before an attribute made it private
            self.removed(&state.id, batch);
            return;
        }
        let reading = Reading::of(&state, &self.entity_type, &self.home_temperature);
        let Some(known) = self.known.get_mut(&state.id) else {
            if self.known.len() >= MOST {
                self.tell_too_many();
                return;
            }
            let time = if self.complete {
                let time = state.changed.unwrap_or_else(|| batch.time());
                batch.change(time, reading.entity.clone(), reading.fields.clone());
                time
            } else {
                batch.sample(reading.entity.clone(), reading.fields.clone());
                batch.time()
            };
            self.known.insert(
                state.id,
                Known {
                    reading,
                    text: state.text,
                    updated: state.updated,
                    told: time,
                    fresh,
                },
            );
            return;
        };
        if !fresh && known.fresh && known.updated > state.updated {
            return;
        }
        known.fresh |= fresh;
        known.updated = state.updated;
        if known.reading != reading {
            let time = if known.text == state.text {
                state.updated
            } else {
                state.changed
            };
            let time = time.unwrap_or_else(|| batch.time());
            batch.change(time, reading.entity.clone(), reading.fields.clone());
            if time <= known.told {
                // its clock is behind, or a sample was just taken: the old value must not stay the newest
                batch.sample(reading.entity.clone(), reading.fields.clone());
                known.told = known.told.max(batch.time());
            } else {
                known.told = time;
            }
        }
        known.reading = reading;
        known.text = state.text;
    }

    fn removed(&mut self, id: &EntityId, batch: &mut Batch) {
        if let Some(known) = self.known.remove(id) {
            let entity = Entity {
                labels: known.reading.entity.labels,
                ..Entity::new(self.entity_type.clone(), id.clone())
            };
            batch.change(batch.time(), entity, Availability::Removed.alone());
        }
    }

    /// Tells every entity as it is.
    pub(super) fn tell(&mut self, batch: &mut Batch) {
        for known in self.known.values_mut() {
            let Reading { entity, fields, .. } = &known.reading;
            batch.sample(entity.clone(), fields.clone());
            known.told = known.told.max(batch.time());
        }
    }

    /// How many entities there are, and how many of them are unavailable.
    pub(super) fn counts(&self) -> (usize, usize) {
        let unavailable = self
            .known
            .values()
            .filter(|known| known.reading.availability == Availability::Unavailable)
            .count();
        (self.known.len(), unavailable)
    }

    fn tell_too_many(&mut self) {
        if !std::mem::replace(&mut self.too_many, true) {
            warn!(
                most = MOST,
                "entities of Home Assistant beyond {MOST} are left out: choose with include and exclude"
            );
        }
    }
}
