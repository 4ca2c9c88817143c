//! Which entity a container is: what a person means by "the web server", over new images and new engine ids.

use std::collections::{BTreeMap, HashMap, HashSet};

use schemas::{limits, name::EntityId};

/// The compose labels of a container, as one key.
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
const ONE_OFF: &str = "com.docker.compose.oneoff";

/// What tells who a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    /// Its name on its engine, without the slash.
    pub(super) name: String,
    /// Project, service and replica, if compose made it to stay.
    pub(super) compose: Option<(String, String, String)>,
}

impl Who {
    /// From a name and labels, as lists and events carry them.
    pub(super) fn new<'a>(name: &str, label: impl Fn(&str) -> Option<&'a str>) -> Self {
        let part = |key| {
            label(key)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        // `compose run` makes a container that is no replica, though it is labelled as one
        let one_off = label(ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let compose = match (part(PROJECT), part(SERVICE), part(NUMBER)) {
            (Some(project), Some(service), Some(number)) if !one_off => {
                Some((project, service, number))
            }
            _ => None,
        };
        Self {
            name: name.trim_start_matches('/').to_owned(),
            compose,
        }
    }

    /// Its key where nobody else claims it.
    pub(super) fn key(&self) -> Option<EntityId> {
        match &self.compose {
            Some((project, service, number)) => id_of(&format!("{project}/{service}/{number}")),
            None => self.key_by_name(),
        }
    }

    /// Its key by its name, which is unique on an engine; no name holds a slash, so it is never a compose key.
    pub(super) fn key_by_name(&self) -> Option<EntityId> {
        id_of(&self.name)
    }
}

fn id_of(text: &str) -> Option<EntityId> {
    let mut id: String = text
        .chars()
        .map(|c| if c.is_control() { '_' } else { c })
        .collect();
    let mut end = id.len().min(limits::ENTITY_ID);
    while !id.is_char_boundary(end) {
        end -= 1;
    }
    id.truncate(end);
    EntityId::new(id).ok()
}

/// One container that wants a key.
#[derive(Clone, Debug)]
pub(super) struct Claim<'a> {
    pub(super) engine_id: &'a str,
    pub(super) who: &'a Who,
    /// Created and never started: what compose prepares while the old one still runs.
    pub(super) only_created: bool,
    pub(super) created: i64,
}

/// Gives each container its key. Of several that claim one, those that have run come first, then the oldest; another one
/// that has run is known by its name, and one that has not waits until it is alone. The same list gives the same keys.
pub(super) fn assign<'a>(claims: &[Claim<'a>]) -> HashMap<&'a str, EntityId> {
    let mut claimed: BTreeMap<EntityId, Vec<&Claim<'a>>> = BTreeMap::new();
    for claim in claims {
        if let Some(key) = claim.who.key() {
            claimed.entry(key).or_default().push(claim);
        }
    }
    let mut keys = HashMap::new();
    let mut taken = HashSet::new();
    let mut others = Vec::new();
    for (key, mut rivals) in claimed {
        rivals.sort_by_key(|claim| (claim.only_created, claim.created, claim.engine_id));
        let mut rivals = rivals.into_iter();
        if let Some(first) = rivals.next() {
            keys.insert(first.engine_id, key.clone());
            taken.insert(key);
        }
        others.extend(rivals.filter(|claim| !claim.only_created));
    }
    for claim in others {
        // taken only if an engine lists one name twice
        if let Some(key) = claim.who.key_by_name()
            && taken.insert(key.clone())
        {
            keys.insert(claim.engine_id, key);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compose(name: &str, number: &str, one_off: &str) -> Who {
        Who::new(name, |label| match label {
            PROJECT => Some("media"),
            SERVICE => Some("web"),
            NUMBER => Some(number),
            ONE_OFF => Some(one_off),
            _ => None,
        })
    }

    fn claim<'a>(engine_id: &'a str, who: &'a Who, only_created: bool, created: i64) -> Claim<'a> {
        Claim {
            engine_id,
            who,
            only_created,
            created,
        }
    }

    #[test]
    fn a_replica_is_its_service_and_anything_else_its_name() {
        assert_eq!(
            compose("/media-web-1", "1", "False")
                .key()
                .unwrap()
                .as_str(),
            "media/web/1"
        );
        assert_eq!(
            compose("/media-web-run-ab", "1", "True")
                .key()
                .unwrap()
                .as_str(),
            "media-web-run-ab"
        );
        assert_eq!(Who::new("/db", |_| None).key().unwrap().as_str(), "db");
        assert_eq!(Who::new("/", |_| None).key(), None);
        assert_eq!(Who::new("a\nb", |_| None).key().unwrap().as_str(), "a_b");
        assert_eq!(
            Who::new(&"ü".repeat(300), |_| None)
                .key()
                .unwrap()
                .as_str()
                .len(),
            256
        );
    }

    #[test]
    fn rivals_are_settled_the_same_way_in_any_order() {
        let old = compose("media-web-1", "1", "");
        let new = compose("9f_media-web-1", "1", "");
        let prepared = compose("aa_media-web-1", "1", "");
        let mut claims = vec![
            claim("prepared", &prepared, true, 1),
            claim("new", &new, false, 20),
            claim("old", &old, false, 10),
        ];
        for _ in 0..3 {
            claims.rotate_left(1);
            let keys = assign(&claims);
            assert_eq!(keys["old"].as_str(), "media/web/1");
            assert_eq!(keys["new"].as_str(), "9f_media-web-1");
            assert!(!keys.contains_key("prepared"));
        }
        let alone = assign(
            &claims
                .into_iter()
                .filter(|c| c.engine_id == "prepared")
                .collect::<Vec<_>>(),
        );
        assert_eq!(alone["prepared"].as_str(), "media/web/1");
    }
}
