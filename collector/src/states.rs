//! What was seen last, so that what moved is told as a change.

use std::collections::{BTreeMap, HashMap, HashSet};

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
    /// Takes what was seen; what is different from before is told. The first sight of an entity is no change.
    pub(crate) fn see(&mut self, entity: &Entity, seen: &[(Watched, &str)], batch: &mut Batch) {
        let of_type = self.0.entry(entity.entity_type.clone()).or_default();
        let known = of_type.entry(entity.id.clone()).or_insert_with(|| Known {
            entity: entity.clone(),
            values: BTreeMap::new(),
        });
        known.entity.clone_from(entity);
        let mut fields = Fields::new();
        for ((field, old_field), value) in seen {
            match known.values.insert(*field, (*value).to_owned()) {
                Some(before) if before != *value => {
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
    pub(crate) fn tell_gone(
        &mut self,
        entity_type: &str,
        listed: &HashSet<&EntityId>,
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
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;

    use super::*;
    use crate::testing;

    const NODE: Watched = ("node", "old_node");

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
        states.tell_gone("guest", &HashSet::new(), &mut batch);
        states.tell_gone("guest", &HashSet::new(), &mut batch);
        let (events, _) = batch.into_parts();
        assert_eq!(events.len(), 1);
        assert_eq!(
            events[0].fields.get("old_status"),
            Some(&FieldValue::Text("running".into()))
        );
        // it is back: first sight
        assert_eq!(see(&mut states, "stopped", "b"), None);
    }
}
