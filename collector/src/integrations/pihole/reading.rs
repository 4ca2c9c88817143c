//! What both versions tell, and what it looks like as entities and fields.

use std::{collections::BTreeMap, net::IpAddr};

use schemas::{
    Entity, Fields, Timestamp,
    name::{EntityId, EntityType},
};

use crate::Batch;

/// Most upstreams that are told.
pub(super) const MOST_UPSTREAMS: usize = 64;

/// The counts of one Pi-hole.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Summary {
    pub(super) queries: Option<u64>,
    pub(super) blocked: Option<u64>,
    pub(super) blocked_ratio: Option<f64>,
    pub(super) forwarded: Option<u64>,
    pub(super) cached: Option<u64>,
    pub(super) queries_per_second: Option<f64>,
    pub(super) unique_domains: Option<u64>,
    pub(super) clients_active: Option<u64>,
    pub(super) clients_known: Option<u64>,
    pub(super) gravity_domains: Option<u64>,
    /// Seconds since 1970; zero is never.
    pub(super) gravity_updated: Option<u64>,
    pub(super) messages: Option<u64>,
    pub(super) blocking: Blocking,
}

/// Whether it blocks.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Blocking {
    pub(super) state: Option<&'static str>,
    /// Seconds until that is switched back.
    pub(super) timer: Option<f64>,
}

impl Blocking {
    /// The state of a word, if it is one of Pi-hole's.
    pub(super) fn state_of(word: Option<&str>) -> Option<&'static str> {
        let word = word?;
        ["enabled", "disabled", "failed", "unknown"]
            .into_iter()
            .find(|known| *known == word)
    }

    pub(super) fn tell(&self, fields: &mut Fields) {
        if let Some(state) = self.state {
            fields.set_text("blocking", state);
        }
        if let Some(timer) = self.timer.filter(|seconds| *seconds >= 0.0) {
            fields.set_rounded("blocking_timer_seconds", timer, 0);
        }
    }
}

impl Summary {
    pub(super) fn fields(&self, now: Timestamp) -> Fields {
        let mut fields = Fields::new();
        let age = self
            .gravity_updated
            .filter(|seconds| *seconds > 0)
            .and_then(|seconds| i64::try_from(seconds).ok())
            .map(|seconds| (now.as_millis() / 1000).saturating_sub(seconds))
            .and_then(|age| u64::try_from(age).ok());
        for (name, value) in [
            ("queries_count", self.queries),
            ("blocked_count", self.blocked),
            ("forwarded_count", self.forwarded),
            ("cached_count", self.cached),
            ("unique_domains_count", self.unique_domains),
            ("clients_active_count", self.clients_active),
            ("clients_known_count", self.clients_known),
            ("gravity_domains_count", self.gravity_domains),
            ("gravity_age_seconds", age),
            ("messages_count", self.messages),
        ] {
            if let Some(value) = value {
                fields.set(name, value);
            }
        }
        if let Some(ratio) = self.blocked_ratio {
            fields.set_rounded("blocked_ratio", ratio, 4);
        }
        if let Some(rate) = self.queries_per_second.filter(|rate| *rate >= 0.0) {
            fields.set_rounded("queries_per_second", rate, 3);
        }
        self.blocking.tell(&mut fields);
        fields
    }
}

/// One resolver that queries are forwarded to.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Upstream {
    /// `address#port` as Pi-hole's own settings write it.
    pub(super) address: String,
    pub(super) name: String,
    pub(super) queries: Option<u64>,
    pub(super) ratio: Option<f64>,
    pub(super) response: Option<f64>,
}

impl Upstream {
    /// Whether this is a resolver; the cache and the block lists stand in the same list.
    pub(super) fn is_resolver(address: &str) -> bool {
        address
            .split(['#', '%'])
            .next()
            .is_some_and(|ip| ip.parse::<IpAddr>().is_ok())
    }

    pub(super) fn tell(&self, entity_type: &EntityType, batch: &mut Batch) {
        let Ok(id) = EntityId::new(&self.address) else {
            return;
        };
        let mut fields = Fields::new();
        if let Some(queries) = self.queries {
            fields.set("queries_count", queries);
        }
        if let Some(ratio) = self.ratio {
            fields.set_rounded("queries_ratio", ratio, 4);
        }
        if let Some(response) = self.response {
            fields.set_rounded("response_seconds", response, 6);
        }
        let name = if self.name == self.address {
            ""
        } else {
            &self.name
        };
        batch.sample(
            Entity::new(entity_type.clone(), id).with_label("name", &shown(name)),
            fields,
        );
    }
}

/// A domain or a client of a list of the most frequent ones.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Top {
    pub(super) name: String,
    pub(super) count: Option<u64>,
    pub(super) blocked: Option<u64>,
}

/// The most frequent ones, by domain or by address.
pub(super) type Tops = BTreeMap<String, Top>;

/// Takes in a row of one of the lists.
pub(super) fn take_top(tops: &mut Tops, id: &str, name: &str, count: Option<u64>, blocked: bool) {
    // what Pi-hole writes where its privacy level hides them
    let is_hidden = matches!(id, "" | "hidden" | "0.0.0.0" | "::");
    let (Some(count), false) = (count, is_hidden || id.len() > 256) else {
        return;
    };
    let top = tops.entry(id.to_owned()).or_default();
    name.clone_into(&mut top.name);
    if blocked {
        top.blocked = Some(count);
    } else {
        top.count = Some(count);
    }
}

/// Tells a list; `field` is the name of its first count.
pub(super) fn tell_tops(
    tops: &Tops,
    entity_type: &EntityType,
    field: &'static str,
    batch: &mut Batch,
) {
    for (id, top) in tops {
        let Ok(id) = EntityId::new(id) else { continue };
        let mut fields = Fields::new();
        if let Some(count) = top.count {
            fields.set(field, count);
        }
        if let Some(blocked) = top.blocked {
            fields.set("blocked_count", blocked);
        }
        batch.sample(
            Entity::new(entity_type.clone(), id).with_label("name", &shown(&top.name)),
            fields,
        );
    }
}

/// A text of the service as a label may carry it.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}
