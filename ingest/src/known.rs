use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use schemas::{EntityKey, FieldName, Labels, SourceName, catalog::ValueType};
use time_series::EntityState;

/// Which entities a store knows, to bound how many one source may have and to share what rarely changes.
#[derive(Debug, Default)]
pub struct KnownEntities {
    entities: HashMap<EntityKey, Known>,
    /// How many entities each source has.
    counts: HashMap<SourceName, usize>,
    /// Sources of which everything that the store holds was taken over.
    warmed: HashSet<SourceName>,
    /// How often the catalogue had been corrected when types were remembered.
    corrections: u64,
}

/// One entity.
#[derive(Debug, Default)]
pub(crate) struct Known {
    labels: Arc<Labels>,
    /// Sorted by name, as fields of events are; with the type once it was looked up.
    pub(crate) fields: Vec<(FieldName, Option<ValueType>)>,
}

impl KnownEntities {
    /// Takes over entities that the store holds.
    pub fn take_over(&mut self, entities: impl IntoIterator<Item = EntityState>) {
        for entity in entities {
            self.insert(&entity.key, &entity.labels, entity.fields.into_keys());
        }
    }

    fn insert(
        &mut self,
        key: &EntityKey,
        labels: &Arc<Labels>,
        fields: impl IntoIterator<Item = FieldName>,
    ) {
        let known = if self.entities.contains_key(key) {
            self.entities.get_mut(key)
        } else {
            self.add(key)
        };
        let Some(known) = known else {
            return;
        };
        known.labels = Arc::clone(labels);
        for field in fields {
            if let Err(place) = known.fields.binary_search_by(|(name, _)| name.cmp(&field)) {
                known.fields.insert(place, (field, None));
            }
        }
    }

    fn add(&mut self, key: &EntityKey) -> Option<&mut Known> {
        *self.counts.entry(key.source.clone()).or_default() += 1;
        self.entities.insert(key.clone(), Known::default());
        self.entities.get_mut(key)
    }

    /// Whether what the store holds of a source still has to be taken over.
    pub(crate) fn lacks(&self, source: &SourceName) -> bool {
        !self.warmed.contains(source)
    }

    /// What the store holds of a source was taken over.
    pub(crate) fn warmed(&mut self, source: SourceName) {
        self.warmed.insert(source);
    }

    /// Forgets a source, of which the store holds nothing any more.
    pub fn forget(&mut self, source: &SourceName) {
        self.entities.retain(|key, _| key.source != *source);
        self.counts.remove(source);
    }

    /// Forgets remembered types if the catalogue was corrected since.
    pub(crate) fn follow(&mut self, corrections: u64) {
        if self.corrections == corrections {
            return;
        }
        self.corrections = corrections;
        for known in self.entities.values_mut() {
            for (_, value) in &mut known.fields {
                *value = None;
            }
        }
    }

    /// The entity, if it is known or may become known without its source having more than `limit`.
    pub(crate) fn admit(&mut self, key: &EntityKey, limit: usize) -> Option<&mut Known> {
        // the borrow checker does not let one look-up do here
        if self.entities.contains_key(key) {
            return self.entities.get_mut(key);
        }
        let count = self.counts.get(&key.source).copied().unwrap_or(0);
        if count >= limit {
            return None;
        }
        self.add(key)
    }
}

impl Known {
    /// One shared copy of the labels as long as they stay the same.
    pub(crate) fn share_labels(&mut self, labels: &Labels) -> Arc<Labels> {
        if *self.labels != *labels {
            self.labels = Arc::new(labels.clone());
        }
        Arc::clone(&self.labels)
    }
}
