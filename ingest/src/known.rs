use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use schemas::{EntityKey, FieldName, Labels, SourceName};

/// Which entities a store knows, to bound how many one source may have and to share what rarely changes.
#[derive(Debug, Default)]
pub struct KnownEntities {
    by_source: HashMap<SourceName, HashMap<EntityKey, Known>>,
}

#[derive(Debug, Default)]
struct Known {
    labels: Arc<Labels>,
    fields: HashSet<FieldName>,
}

impl KnownEntities {
    /// Takes over an entity that the store holds.
    pub fn insert(
        &mut self,
        key: &EntityKey,
        labels: &Arc<Labels>,
        fields: impl IntoIterator<Item = FieldName>,
    ) {
        let known = self
            .by_source
            .entry(key.source.clone())
            .or_default()
            .entry(key.clone())
            .or_default();
        known.labels = Arc::clone(labels);
        known.fields.extend(fields);
    }

    /// Whether the entity is known, or may become known without the source having more than `limit`.
    pub(crate) fn admit(&mut self, key: &EntityKey, limit: usize) -> bool {
        let entities = self.by_source.entry(key.source.clone()).or_default();
        if entities.contains_key(key) {
            return true;
        }
        if entities.len() >= limit {
            return false;
        }
        entities.insert(key.clone(), Known::default());
        true
    }

    /// Whether the field is known, or may become known without its entity having more than `limit`.
    pub(crate) fn admit_field(&mut self, key: &EntityKey, field: &FieldName, limit: usize) -> bool {
        let Some(known) = self
            .by_source
            .get_mut(&key.source)
            .and_then(|entities| entities.get_mut(key))
        else {
            return true;
        };
        if known.fields.contains(field) {
            return true;
        }
        if known.fields.len() >= limit {
            return false;
        }
        known.fields.insert(field.clone());
        true
    }

    /// One shared copy of an entity's labels as long as they stay the same.
    pub(crate) fn share_labels(&mut self, key: &EntityKey, labels: &Labels) -> Arc<Labels> {
        match self
            .by_source
            .get_mut(&key.source)
            .and_then(|entities| entities.get_mut(key))
        {
            Some(known) => {
                if *known.labels != *labels {
                    known.labels = Arc::new(labels.clone());
                }
                Arc::clone(&known.labels)
            }
            None => Arc::new(labels.clone()),
        }
    }
}
