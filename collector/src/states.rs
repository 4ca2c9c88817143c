//! What was seen last, so that what moved is told as a change.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
};

use schemas::{
    Entity, Fields,
    name::{EntityId, EntityType},
};

use crate::Batch;

/// The field and the one that tells what it was before.
pub(crate) type Watched = (&'static str, &'static str);

pub(crate) const STATUS: Watched = ("status", "old_status");
pub(crate) const HEALTH: Watched = ("health", "old_health");

#[derive(Debug)]
struct Known {
    entity: Entity,
    values: BTreeMap<&'static str, String>,
}

/// The last states of all entities.
#[derive(Debug, Default)]
pub(crate) struct States(HashMap<EntityType, HashMap<EntityId, Known>>);

impl States {
    /// Takes what was seen; what is different from before is told. The first sight of an entity is no change, and what was
    /// not told this time stays as it was.
    pub(crate) fn see<'v>(
        &mut self,
        entity: &Entity,
        seen: &[(Watched, impl Into<Option<&'v str>> + Copy)],
        batch: &mut Batch,
    ) {
        let of_type = self.0.entry(entity.entity_type.clone()).or_default();
        let known = of_type.entry(entity.id.clone()).or_insert_with(|| Known {
            entity: entity.clone(),
            values: BTreeMap::new(),
        });
        known.entity.clone_from(entity);
        let mut fields = Fields::new();
        for ((field, old_field), value) in seen {
            let Some(value) = (*value).into() else {
                continue;
            };
            match known.values.insert(*field, value.to_owned()) {
                Some(before) if before != value => {
                    fields.set_text(*field, value).set_text(*old_field, &before);
                }
                _ => {}
            }
        }
        if !fields.is_empty() {
            batch.change(batch.time(), entity.clone(), fields);
        }
    }

    /// Tells that entities of a type are not listed any more, and forgets them.
    pub(crate) fn tell_gone<I: Borrow<EntityId> + Eq + Hash>(
        &mut self,
        entity_type: &str,
        listed: &HashSet<I>,
        batch: &mut Batch,
    ) {
        let Some(of_type) = self.0.get_mut(entity_type) else {
            return;
        };
        let gone = of_type.extract_if(|id, _| !listed.contains(id));
        for (_, known) in gone {
            let mut fields = Fields::new();
            fields.set_text("status", "vanished");
            if let Some(before) = known.values.get("status") {
                fields.set_text("old_status", before);
            }
            batch.change(batch.time(), known.entity, fields);
        }
    }

    /// Forgets a type: it is told in another way from now on.
    pub(crate) fn forget(&mut self, entity_type: &str) {
        self.0.remove(entity_type);
    }
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;

    use super::*;
    use crate::testing;

    const NODE: Watched = ("node", "old_node");
    const SMART: Watched = ("smart_status", "old_smart_status");

    fn nothing() -> HashSet<EntityId> {
        HashSet::new()
    }

    #[test]
    fn only_what_moved_is_told() {
        let guest = Entity::new(
            EntityType::new("guest").unwrap(),
            EntityId::new("100").unwrap(),
        );
        let mut states = States::default();
        let see = |states: &mut States, status: &str, node: &str| {
            let mut batch = testing::batch();
            states.see(&guest, &[(STATUS, status), (NODE, node)], &mut batch);
            batch.into_parts().0.pop().map(|e| e.fields)
        };
        assert_eq!(see(&mut states, "running", "a"), None);
        assert_eq!(see(&mut states, "running", "a"), None);
        let moved = see(&mut states, "running", "b").unwrap();
        assert_eq!(moved.get("old_node"), Some(&FieldValue::Text("a".into())));
        assert_eq!(moved.get("status"), None);
        let mut batch = testing::batch();
        states.tell_gone("guest", &HashSet::from([&guest.id]), &mut batch);
        assert!(batch.is_empty());
        states.tell_gone("guest", &nothing(), &mut batch);
        states.tell_gone("guest", &nothing(), &mut batch);
        let (events, _) = batch.into_parts();
        assert_eq!(events.len(), 1);
        assert_eq!(
            events[0].fields.get("old_status"),
            Some(&FieldValue::Text("running".into()))
        );
        // it is back: first sight
        assert_eq!(see(&mut states, "stopped", "b"), None);
    }

    #[test]
    fn what_was_not_told_stays_as_it_was() {
        let disk = Entity::new(
            EntityType::new("disk").unwrap(),
            EntityId::new("S1").unwrap(),
        );
        let mut states = States::default();
        let see = |states: &mut States, status: Option<&str>, smart: Option<&str>| {
            let mut batch = testing::batch();
            states.see(&disk, &[(STATUS, status), (SMART, smart)], &mut batch);
            batch.into_parts().0.pop().map(|e| e.fields)
        };
        assert_eq!(see(&mut states, Some("normal"), Some("normal")), None);
        assert_eq!(see(&mut states, None, Some("normal")), None);
        let moved = see(&mut states, Some("critical"), Some("normal")).unwrap();
        assert_eq!(
            moved.get("old_status"),
            Some(&FieldValue::Text("normal".into()))
        );
        assert_eq!(moved.get("smart_status"), None);
        let mut batch = testing::batch();
        states.tell_gone("disk", &HashSet::from([disk.id.clone()]), &mut batch);
        assert!(batch.is_empty());
        states.tell_gone("disk", &nothing(), &mut batch);
        states.tell_gone("disk", &nothing(), &mut batch);
        let (events, _) = batch.into_parts();
        assert_eq!(events.len(), 1);
        assert_eq!(
            events[0].fields.get("old_status"),
            Some(&FieldValue::Text("critical".into()))
        );
        assert_eq!(
            see(&mut states, Some("normal"), None),
            None,
            "it is back: first sight"
        );
        states.forget("disk");
        let mut batch = testing::batch();
        states.tell_gone("disk", &nothing(), &mut batch);
        assert!(batch.is_empty());
    }
}
