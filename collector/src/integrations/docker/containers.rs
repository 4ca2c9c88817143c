//! The containers of one engine as they are known, and the changes that lists and events make of them.

use std::collections::{HashMap, HashSet, VecDeque};

use schemas::{
    Entity, Fields, Timestamp,
    name::{EntityId, EntityType},
};
use tokio::time::Instant;
use tracing::warn;

use super::{
    identity::{Claim, Who, assign},
    listed::Listed,
    notice::{Action, Notice},
    stats::CpuTime,
};
use crate::Batch;

/// Most containers that are told.
pub(super) const MOST: usize = 1000;
/// Most events that wait for the list that explains them.
const MOST_PARKED: usize = 1024;
/// Most keys whose last container is remembered.
const MOST_REMEMBERED: usize = 2 * MOST;
/// Most events that are remembered as seen, more than an engine repeats.
const MOST_SEEN: usize = 512;

/// One container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) entity: Entity,
    pub(super) state: String,
    pub(super) health: Option<String>,
    who: Who,
    pub(super) image: String,
    /// The engine's id of the image that it was made of.
    pub(super) image_id: String,
    /// Where it differed from the last list, which the event stream may still explain.
    unexplained: Option<Difference>,
    pub(super) started: Option<Timestamp>,
    pub(super) facts: Facts,
    pub(super) inspected: Option<Instant>,
    pub(super) before: Option<CpuTime>,
    pub(super) told: Option<Instant>,
}

/// What only asking for it by itself tells.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) restarts: Option<u64>,
    pub(super) restart_policy: Option<String>,
    pub(super) cpu_limit: Option<f64>,
    pub(super) exit_code: Option<i64>,
    pub(super) oom_killed: Option<bool>,
    pub(super) health_failures: Option<u64>,
    /// Whether its tag means another image by now.
    pub(super) image_outdated: Option<bool>,
}

#[derive(Debug, PartialEq, Eq)]
enum Difference {
    Moved(String, Option<String>),
    Gone,
}

#[derive(Debug)]
struct Last {
    engine_id: String,
    image: String,
    gone: Option<Timestamp>,
}

/// All of them, by engine id.
#[derive(Debug)]
pub(super) struct Containers {
    entity_type: EntityType,
    engine: String,
    known: HashMap<String, Container>,
    last: HashMap<EntityId, Last>,
    parked: Vec<Notice>,
    seen: VecDeque<(i64, String, Action)>,
    /// Engine ids whose key went to another before their own end was heard.
    superseded: VecDeque<String>,
    listed_before: bool,
}

impl Containers {
    pub(super) fn new(entity_type: EntityType) -> Self {
        Self {
            entity_type,
            engine: String::new(),
            known: HashMap::new(),
            last: HashMap::new(),
            parked: Vec::new(),
            seen: VecDeque::new(),
            superseded: VecDeque::new(),
            listed_before: false,
        }
    }

    /// The engine's name, which is the label `host` of its containers.
    pub(super) fn set_engine(&mut self, name: &str) {
        name.clone_into(&mut self.engine);
    }

    pub(super) fn get_mut(&mut self, engine_id: &str) -> Option<&mut Container> {
        self.known.get_mut(engine_id)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Container)> {
        self.known.iter_mut()
    }

    /// Takes in an event. Returns whether a poll would tell more.
    pub(super) fn notice(&mut self, notice: Notice, batch: &mut Batch) -> bool {
        let mark = (
            notice.nanos,
            notice.engine_id.clone(),
            notice.action.clone(),
        );
        if self.seen.contains(&mark) {
            return false;
        }
        if self.seen.len() == MOST_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back(mark);
        if self.known.contains_key(&notice.engine_id) {
            let more = matches!(notice.action, Action::Start | Action::Rename { .. });
            self.apply(&notice, batch);
            return more;
        }
        if self.superseded.contains(&notice.engine_id) {
            return false;
        }
        // a container that no list has shown yet: who it is depends on the others
        if self.parked.len() < MOST_PARKED {
            self.parked.push(notice);
        } else {
            warn!(
                engine = self.engine,
                "the Docker Engine `{}` says more than can be followed: some events are left out",
                self.engine
            );
        }
        true
    }

    /// Takes in a list. `events_flow` tells whether a difference may still be explained by an event on its way: then it is
    /// told only if the next list has it too. Returns whether an event was missed.
    pub(super) fn reconcile(
        &mut self,
        listed: &[Listed],
        events_flow: bool,
        batch: &mut Batch,
    ) -> bool {
        let claims: Vec<_> = listed
            .iter()
            .map(|l| Claim {
                engine_id: &l.engine_id,
                who: &l.who,
                only_created: l.state == "created",
                created: l.created,
            })
            .collect();
        let keys = assign(&claims);
        for entry in listed {
            let Some(key) = keys.get(entry.engine_id.as_str()) else {
                continue;
            };
            let moved = self
                .known
                .get(&entry.engine_id)
                .is_some_and(|known| known.entity.id != *key);
            if moved {
                self.leave_key(&entry.engine_id, batch);
            }
            if !self.known.contains_key(&entry.engine_id) {
                self.adopt(
                    &entry.engine_id,
                    key.clone(),
                    entry.who.clone(),
                    &entry.image,
                    Timestamp::from_millis(entry.created.saturating_mul(1000)),
                    batch,
                );
                if let Some(known) = self.known.get_mut(&entry.engine_id) {
                    known.image_id.clone_from(&entry.image_id);
                }
                // the first list says how things are, not that they moved
                if (moved || !self.listed_before)
                    && let Some(known) = self.known.get_mut(&entry.engine_id)
                {
                    known.state.clone_from(&entry.state);
                    known.health.clone_from(&entry.health);
                }
            }
        }
        self.listed_before = true;
        let keyless: HashSet<_> = claims
            .iter()
            .map(|claim| claim.engine_id)
            .filter(|engine_id| !keys.contains_key(engine_id))
            .collect();
        for notice in std::mem::take(&mut self.parked) {
            if keyless.contains(notice.engine_id.as_str()) {
                self.parked.push(notice);
                continue;
            }
            if !self.known.contains_key(&notice.engine_id) {
                self.adopt_from(&notice, batch);
            }
            self.apply(&notice, batch);
        }
        self.explain(listed, events_flow, batch)
    }

    /// Tells differences between what is known and what is listed that no event explained.
    fn explain(&mut self, listed: &[Listed], events_flow: bool, batch: &mut Batch) -> bool {
        let mut missed = false;
        let mut gone = Vec::new();
        let now = batch.time();
        let by_id: HashMap<_, _> = listed.iter().map(|l| (l.engine_id.as_str(), l)).collect();
        for (engine_id, known) in &mut self.known {
            let difference = match by_id.get(engine_id.as_str()) {
                None => Some(Difference::Gone),
                Some(entry) if entry.state == known.state && entry.health == known.health => None,
                Some(entry) => Some(Difference::Moved(entry.state.clone(), entry.health.clone())),
            };
            let told = difference.is_some() && (!events_flow || known.unexplained == difference);
            if !told {
                known.unexplained = difference;
                continue;
            }
            missed = true;
            known.unexplained = None;
            match difference {
                Some(Difference::Moved(state, health)) => {
                    known.state = state;
                    known.health = health;
                    known.told = None;
                    known.inspected = None;
                    batch.change(now, known.entity.clone(), known.fields("observed"));
                }
                Some(Difference::Gone) => gone.push(engine_id.clone()),
                None => {}
            }
        }
        for engine_id in gone {
            self.remove(&engine_id, now, "vanished", batch);
        }
        missed
    }

    fn apply(&mut self, notice: &Notice, batch: &mut Batch) {
        let Some(known) = self.known.get_mut(&notice.engine_id) else {
            return;
        };
        // what an event says is newer than the list before it
        known.unexplained = None;
        known.told = None;
        let mut more = Fields::new();
        match &notice.action {
            Action::Create => {
                if known.state.is_empty() {
                    "created".clone_into(&mut known.state);
                }
                return;
            }
            Action::Start => {
                "running".clone_into(&mut known.state);
                known.started = Some(notice.at);
                known.inspected = None;
                known.before = None;
            }
            Action::Die { exit_code } => {
                "exited".clone_into(&mut known.state);
                known.health = None;
                known.before = None;
                known.inspected = None;
                if let Some(code) = exit_code {
                    more.set("exit_code", *code);
                }
            }
            Action::OutOfMemory => known.inspected = None,
            Action::Health(health) => {
                known.health = Some(health.clone());
                known.inspected = None;
            }
            Action::Pause => "paused".clone_into(&mut known.state),
            Action::Unpause => "running".clone_into(&mut known.state),
            Action::Rename { old_name } => {
                more.set_text("old_name", old_name);
                more.set_text("new_name", &notice.who.name);
            }
            Action::Destroy => {
                self.remove(&notice.engine_id, notice.at, notice.action.as_str(), batch);
                return;
            }
        }
        let mut fields = known.fields(notice.action.as_str());
        fields.merge(more);
        batch.change(notice.at, known.entity.clone(), fields);
    }

    /// A container that came and went between two lists.
    fn adopt_from(&mut self, notice: &Notice, batch: &mut Batch) {
        let held: HashSet<_> = self.known.values().map(|known| &known.entity.id).collect();
        let key = [notice.who.key(), notice.who.key_by_name()]
            .into_iter()
            .flatten()
            .find(|key| !held.contains(key));
        if let Some(key) = key {
            self.adopt(
                &notice.engine_id,
                key,
                notice.who.clone(),
                &notice.image,
                notice.at,
                batch,
            );
        }
    }

    /// Takes up a container under a key, and tells if another one was known there.
    fn adopt(
        &mut self,
        engine_id: &str,
        key: EntityId,
        who: Who,
        image: &str,
        created: Timestamp,
        batch: &mut Batch,
    ) {
        if self.known.len() >= MOST {
            return;
        }
        self.supersede(&key);
        let mut entity = Entity::new(self.entity_type.clone(), key.clone())
            .with_label("name", &who.name)
            .with_label("image", image)
            .with_label("container_id", short(engine_id))
            .with_label("host", &self.engine);
        if let Some((project, service, _)) = &who.compose {
            entity = entity
                .with_label("compose_project", project)
                .with_label("compose_service", service);
        }
        let last = Last {
            engine_id: engine_id.to_owned(),
            image: image.to_owned(),
            gone: None,
        };
        if let Some(before) = self.last.insert(key, last)
            && before.engine_id != engine_id
        {
            let mut fields = Fields::new();
            fields
                .set_text("action", "recreated")
                .set_text("old_container_id", short(&before.engine_id))
                .set_text("new_container_id", short(engine_id))
                .set_text("old_image", &before.image)
                .set_text("new_image", image);
            // an engine tells the second of the creation only; the end of the one before came first
            let after_end = before
                .gone
                .map_or(created, |gone| created.max(gone.plus_millis(1)));
            batch.change(after_end, entity.clone(), fields);
        }
        self.known.insert(
            engine_id.to_owned(),
            Container {
                entity,
                state: String::new(),
                health: None,
                who,
                image: image.to_owned(),
                unexplained: None,
                image_id: String::new(),
                started: None,
                facts: Facts::default(),
                inspected: None,
                before: None,
                told: None,
            },
        );
        self.forget_some();
    }

    /// A key has one container: one that still holds it is known no more, and the recreation tells its end.
    fn supersede(&mut self, key: &EntityId) {
        let holder = self
            .known
            .iter()
            .find(|(_, known)| known.entity.id == *key)
            .map(|(engine_id, _)| engine_id.clone());
        if let Some(engine_id) = holder {
            self.known.remove(&engine_id);
            if self.superseded.len() == MOST_SEEN {
                self.superseded.pop_front();
            }
            self.superseded.push_back(engine_id);
        }
    }

    /// A container that is known under another key from now on, such as by a new name: its old key ends.
    fn leave_key(&mut self, engine_id: &str, batch: &mut Batch) {
        self.remove(engine_id, batch.time(), "renamed", batch);
    }

    fn remove(&mut self, engine_id: &str, at: Timestamp, action: &str, batch: &mut Batch) {
        let Some(mut known) = self.known.remove(engine_id) else {
            return;
        };
        "removed".clone_into(&mut known.state);
        known.health = None;
        if let Some(last) = self.last.get_mut(&known.entity.id)
            && last.engine_id == engine_id
        {
            last.gone = Some(at);
            last.image.clone_from(&known.image);
        }
        batch.change(at, known.entity.clone(), known.fields(action));
    }

    fn forget_some(&mut self) {
        while self.last.len() > MOST_REMEMBERED {
            let oldest = self
                .last
                .iter()
                .filter_map(|(key, last)| Some((last.gone?, key.clone())))
                .min();
            match oldest {
                Some((_, key)) => self.last.remove(&key),
                None => return,
            };
        }
    }
}

impl Container {
    /// The fields that every change carries.
    fn fields(&self, action: &str) -> Fields {
        let mut fields = Fields::new();
        fields.set_text("action", action);
        // nobody said it yet of one that was first heard of by its health
        if !self.state.is_empty() {
            fields.set_text("state", &self.state);
        }
        if let Some(health) = &self.health {
            fields.set_text("health", health);
        }
        fields
    }

    /// Its name on its engine.
    pub(super) fn name(&self) -> &str {
        &self.who.name
    }
}

/// The twelve characters by which people know a container.
pub(super) fn short(engine_id: &str) -> &str {
    engine_id.get(..12).unwrap_or(engine_id)
}
