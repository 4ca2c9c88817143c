//! Images by their tags: what a tag means, and when it means another.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use schemas::{
    Entity, Fields, Timestamp,
    name::{EntityId, EntityType},
};
use tokio::time::Instant;

use super::{
    containers::{MOST, short},
    listed::Listed,
    wire::ImageRow,
};
use crate::Batch;

/// How often images are listed where no event tells of them.
const EVERY: Duration = Duration::from_mins(5);
/// A build tells of many in a row.
const NOT_CLOSER: Duration = Duration::from_secs(10);
/// How often a tag is told that stays as it is.
const TELL_EVERY: Duration = Duration::from_mins(30);
/// Longest tag that is taken.
const LONGEST_TAG: usize = schemas::limits::ENTITY_ID;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Image {
    id: String,
    created: Option<i64>,
    size: Option<u64>,
}

/// The images of one engine.
#[derive(Debug)]
pub(super) struct Images {
    entity_type: EntityType,
    by_tag: BTreeMap<String, Image>,
    told: HashMap<String, (Fields, Instant)>,
    listed: Option<Instant>,
    stale: bool,
    /// Not allowed to be listed; asked again much later.
    refused: bool,
}

impl Images {
    pub(super) fn new(entity_type: EntityType) -> Self {
        Self {
            entity_type,
            by_tag: BTreeMap::new(),
            told: HashMap::new(),
            listed: None,
            stale: false,
            refused: false,
        }
    }

    /// Something happened to images.
    pub(super) fn moved(&mut self) {
        self.stale = true;
    }

    #[cfg(test)]
    pub(super) fn listed_long_ago(&mut self) {
        self.listed = Instant::now().checked_sub(EVERY);
    }

    pub(super) fn is_due(&self) -> bool {
        let wait = match (self.refused, self.stale) {
            (true, _) => EVERY * 12,
            (false, true) => NOT_CLOSER,
            (false, false) => EVERY,
        };
        self.listed.is_none_or(|at| at.elapsed() >= wait)
    }

    /// They could not be listed.
    pub(super) fn failed(&mut self, refused: bool) {
        self.listed = Some(Instant::now());
        self.refused = refused;
    }

    /// The id of the image that a tag means.
    pub(super) fn id_of(&self, reference: &str) -> Option<&str> {
        self.by_tag
            .get(&canonical(reference)?)
            .map(|image| image.id.as_str())
    }

    /// Takes in a list, and tells what it changed.
    pub(super) fn take(&mut self, rows: Vec<ImageRow>, host: &str, batch: &mut Batch) {
        let first = self.listed.is_none();
        self.listed = Some(Instant::now());
        (self.stale, self.refused) = (false, false);
        let mut by_tag = BTreeMap::new();
        for row in rows {
            let Some(id) = row.id.filter(|id| !id.is_empty() && id.len() <= 128) else {
                continue;
            };
            let image = Image {
                id,
                created: row.created,
                size: row.size,
            };
            for tag in row.repo_tags.unwrap_or_default() {
                if by_tag.len() < MOST && is_tag(&tag) {
                    by_tag.insert(tag, image.clone());
                }
            }
        }
        let before = std::mem::replace(&mut self.by_tag, by_tag);
        if first {
            return;
        }
        let now = batch.time();
        for (tag, image) in &self.by_tag {
            let old = before.get(tag);
            let action = match old {
                None => "added",
                Some(old) if old.id != image.id => "updated",
                Some(_) => continue,
            };
            let mut fields = Fields::new();
            fields
                .set_text("action", action)
                .set_text("image_id", short_id(&image.id));
            if let Some(old) = old {
                fields.set_text("old_image_id", short_id(&old.id));
            }
            self.change(now, tag, image, host, fields, batch);
        }
        for (tag, old) in before {
            if !self.by_tag.contains_key(&tag) {
                let mut fields = Fields::new();
                fields
                    .set_text("action", "removed")
                    .set_text("old_image_id", short_id(&old.id));
                self.change(now, &tag, &old, host, fields, batch);
                self.told.remove(&tag);
            }
        }
    }

    fn change(
        &self,
        at: Timestamp,
        tag: &str,
        image: &Image,
        host: &str,
        fields: Fields,
        batch: &mut Batch,
    ) {
        if let Some(entity) = self.entity(tag, image, host) {
            batch.change(at, entity, fields);
        }
    }

    /// Tells each tag that is new, that differs, or that was not told for long.
    pub(super) fn tell(&mut self, listed: &[Listed], host: &str, batch: &mut Batch) {
        let mut used: HashMap<&str, i64> = HashMap::new();
        for container in listed {
            *used.entry(container.image_id.as_str()).or_default() += 1;
        }
        for (tag, image) in &self.by_tag {
            let mut fields = Fields::new();
            fields.set_text("image_id", short_id(&image.id)).set(
                "containers_count",
                used.get(image.id.as_str()).copied().unwrap_or(0),
            );
            if let Some(size) = image.size {
                fields.set("size_bytes", size);
            }
            let fresh = self
                .told
                .get(tag)
                .is_some_and(|(told, at)| *told == fields && at.elapsed() < TELL_EVERY);
            if !fresh && let Some(entity) = self.entity(tag, image, host) {
                batch.sample(entity, fields.clone());
                self.told.insert(tag.clone(), (fields, Instant::now()));
            }
        }
    }

    fn entity(&self, tag: &str, image: &Image, host: &str) -> Option<Entity> {
        let mut entity = Entity::new(self.entity_type.clone(), EntityId::new(tag).ok()?)
            .with_label("name", tag)
            .with_label("host", host);
        if let Some(created) = image.created.filter(|seconds| *seconds > 0) {
            let at = Timestamp::from_millis(created.saturating_mul(1000));
            entity = entity.with_label("created", &at.to_string());
        }
        Some(entity)
    }
}

fn is_tag(tag: &str) -> bool {
    tag != "<none>:<none>" && !tag.is_empty() && tag.len() <= LONGEST_TAG
}

/// The tag that a reference stands for, as lists of images write it; none where it names an image by its content.
fn canonical(reference: &str) -> Option<String> {
    if reference.contains('@') || reference.starts_with("sha256:") {
        return None;
    }
    let name = ["index.docker.io/", "docker.io/"]
        .into_iter()
        .find_map(|registry| reference.strip_prefix(registry))
        .map_or(reference, |rest| {
            rest.strip_prefix("library/").unwrap_or(rest)
        });
    let last = name.rsplit('/').next().unwrap_or(name);
    Some(if last.contains(':') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    })
}

/// The twelve characters by which people know an image.
fn short_id(id: &str) -> &str {
    short(id.strip_prefix("sha256:").unwrap_or(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_lists_write_it() {
        for (reference, tag) in [
            ("nginx", Some("nginx:latest")),
            ("nginx:1.27", Some("nginx:1.27")),
            ("docker.io/library/nginx", Some("nginx:latest")),
            ("docker.io/linuxserver/plex:1", Some("linuxserver/plex:1")),
            ("registry:5000/app", Some("registry:5000/app:latest")),
            ("ghcr.io/a/b:v1", Some("ghcr.io/a/b:v1")),
            ("nginx@sha256:00", None),
            ("sha256:00", None),
        ] {
            assert_eq!(canonical(reference).as_deref(), tag, "{reference}");
        }
    }
}
