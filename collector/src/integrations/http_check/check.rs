//! One address, and what became of its checks.

use http_client::Url;
use schemas::{
    Entity, Fields,
    name::{EntityId, EntityType},
};
use tracing::info;

use super::expected::Outcome;
use crate::{Batch, Finding};

/// What is asked.
#[derive(Debug)]
pub(super) struct Target {
    url: String,
    host: String,
    id: EntityId,
}

impl Target {
    /// Reads an address. What stands behind `?` is sent, but never told: it may be secret.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let usage = || "an address begins with http:// or https:// and a host".to_owned();
        let mut url: Url = text.trim().parse().map_err(|_| usage())?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
            return Err(usage());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "credentials do not belong into the address: use their own options".to_owned(),
            );
        }
        url.set_fragment(None);
        let asked = url.as_str().to_owned();
        url.set_query(None);
        let id = EntityId::new(url.as_str())
            .map_err(|_| "the address is longer than 256 bytes".to_owned())?;
        Ok(Self {
            url: asked,
            host,
            id,
        })
    }

    /// The whole address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The address as it is told.
    pub(super) const fn id(&self) -> &EntityId {
        &self.id
    }
}

/// A target and how it was last.
pub(super) struct Check {
    pub(super) target: Target,
    entity: Entity,
    /// Why it was down at the last check, if it was; that it is up when it is first looked at is no news.
    down: Option<&'static str>,
}

impl Check {
    pub(super) fn new(entity_type: EntityType, target: Target) -> Self {
        let entity = Entity::new(entity_type, target.id.clone()).with_label("host", &target.host);
        Self {
            target,
            entity,
            down: None,
        }
    }

    /// Puts what was found out into a batch, and a change where it went up or down or fails in another way.
    pub(super) fn tell(&mut self, outcome: Outcome, batch: &mut Batch) {
        let class = outcome.failure.as_ref().map(|failure| failure.class);
        let mut fields = Fields::new();
        fields
            .set("up", class.is_none())
            .set_text("failure", class.unwrap_or("none"));
        if let Some(status) = outcome.status {
            fields.set("status_code", i64::from(status));
        }
        if let Some(latency) = outcome.latency {
            fields.set_rounded("latency_seconds", latency.as_secs_f64(), 4);
        }
        if let Some(end) = outcome.not_after {
            let now = batch.time().as_millis() / 1000;
            fields.set("certificate_expiry_seconds", end - now);
        }
        batch.sample(self.entity.clone(), fields);
        if let Some(failure) = &outcome.failure {
            batch.finding(Finding {
                what: self.target.id.to_string(),
                class: failure.class,
                message: failure.message.clone(),
            });
        }

        if std::mem::replace(&mut self.down, class) == class {
            return;
        }
        let message = outcome
            .failure
            .map_or(String::new(), |failure| failure.message);
        let id = &self.target.id;
        match class {
            None => info!(check = %id, "{id} is up"),
            Some(class) => info!(check = %id, class, "{id} is down: {message}"),
        }
        let mut fields = Fields::new();
        fields
            .set("up", class.is_none())
            .set_text("failure", class.unwrap_or("none"))
            .set_text("message", &message);
        batch.change(batch.time(), self.entity.clone(), fields);
    }
}
