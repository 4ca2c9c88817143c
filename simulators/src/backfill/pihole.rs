//! What sources of kind `pihole` tell.

use schemas::Fields;

use super::{
    Source, Span,
    told::{Told, entity, share},
};
use crate::{
    number::{real, rounded, whole},
    world::{
        World,
        dns::{Dns, Reading},
    },
};

/// A Pi-hole.
pub(super) struct Pihole {
    name: &'static str,
    dns: Dns,
    v6: bool,
}

impl Pihole {
    pub(super) const fn v5() -> Self {
        Self {
            name: "dns1",
            dns: Dns::new("dns1", 0.62),
            v6: false,
        }
    }

    pub(super) const fn v6() -> Self {
        Self {
            name: "dns2",
            dns: Dns::new("dns2", 0.48),
            v6: true,
        }
    }

    fn upstreams(&self, now: &Reading, told: &mut Told) -> anyhow::Result<()> {
        let first = whole(real(now.forwarded) * 0.7);
        let slower = 1.0 + now.frequency / 4.0;
        for (id, name, count, part, response) in [
            ("1.1.1.1#53", "one.one.one.one", first, 0.7, 0.011 * slower),
            (
                "9.9.9.9#53",
                "dns.quad9.net",
                now.forwarded - first,
                0.3,
                0.016 * slower,
            ),
        ] {
            let mut fields = Fields::new();
            if self.v6 {
                fields
                    .set("queries_count", count)
                    .set_rounded("queries_ratio", share(count, now.total), 4)
                    .set_rounded("response_seconds", response, 6);
            } else {
                let percent = rounded(share(now.forwarded, now.total) * 100.0 * part, 2);
                fields.set_rounded("queries_ratio", percent / 100.0, 4);
            }
            told.sample(entity("dns_upstream", id)?.with_label("name", name), fields);
        }
        Ok(())
    }
}

impl Source for Pihole {
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let now = self.dns.read(world, span.to);
        let (core, ftl) = if self.v6 {
            ("v6.3", "v6.4")
        } else {
            ("v5.17.1", "v5.23")
        };
        let entity = entity("pihole", self.name)?
            .with_label("version", core)
            .with_label("ftl_version", ftl);
        let mut fields = Fields::new();
        fields
            .set("queries_count", now.total)
            .set("blocked_count", now.blocked)
            .set("forwarded_count", now.forwarded)
            .set("cached_count", now.cached)
            .set("unique_domains_count", now.unique_domains)
            .set("clients_active_count", now.clients_active)
            .set("clients_known_count", now.clients_total)
            .set("gravity_domains_count", now.listed)
            .set(
                "gravity_age_seconds",
                (span.to.as_millis() / 1000 - now.listed_at).max(0),
            )
            .set_rounded("blocked_ratio", share(now.blocked, now.total), 4)
            .set_text("blocking", "enabled");
        if self.v6 {
            fields.set_rounded("queries_per_second", now.frequency, 3);
            if span.slow {
                fields.set("messages_count", 0_i64);
            }
        }
        told.sample(entity, fields);
        self.upstreams(&now, told)
    }
}
