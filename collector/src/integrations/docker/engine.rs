//! The engine itself: its version, its name, its clock, and what it has.

use bollard::errors::Error;
use schemas::{Entity, Fields, Timestamp, name::EntityId};
use tokio::time::Instant;
use tracing::debug;

use super::{
    Docker, SLOW,
    address::Address,
    listed::Listed,
    transport::{agreeable, explain, is_refusal},
    wire::Info,
};
use crate::{Batch, PollError};

impl Docker {
    pub(super) fn explain(&self, error: &Error) -> PollError {
        explain(error, &self.address)
    }

    /// Asks the engine once for its version, and now and then for what it says of itself; a proxy may refuse both.
    pub(super) async fn learn_engine(&mut self) -> Result<(), PollError> {
        if self.version.is_none() {
            match self.polls.client.version().await {
                Ok(version) => {
                    if let Some(agreed) = version.api_version.as_deref().and_then(agreeable) {
                        self.polls.agree_on(&agreed);
                        self.events.agree_on(&agreed);
                    }
                    self.version = Some(version.version.unwrap_or_default());
                }
                Err(e) if is_refusal(&e) => self.version = Some(String::new()),
                Err(e) => return Err(self.explain(&e)),
            }
        }
        if self.info_at.is_none_or(|at| at.elapsed() >= SLOW) {
            self.info_at = Some(Instant::now());
            match self.polls.get::<Info>("/info").await {
                Ok(info) => self.learn_clock(&info),
                // nothing but a name and two sizes is lost
                Err(e) => {
                    debug!(source = %self.address, "the engine does not tell about itself: {e}");
                }
            }
            let name = self.engine_name();
            self.containers.set_engine(&name);
        }
        Ok(())
    }

    /// Events are asked for by the engine's clock, which on another machine is not ours.
    pub(super) fn learn_clock(&mut self, info: &Info) {
        let now = Timestamp::now();
        let theirs = info
            .system_time
            .as_deref()
            .and_then(|text| Timestamp::parse(text, now).ok());
        if let Some(theirs) = theirs {
            let ahead = theirs.since(now).saturating_mul(1_000_000);
            if self.ahead_nanos.is_none() {
                self.since_nanos = self.since_nanos.saturating_add(ahead);
            }
            self.ahead_nanos = Some(ahead);
        }
        self.info = Some(info.clone());
    }

    /// Now, by the engine's clock.
    pub(super) fn engine_now(&self) -> i64 {
        unix_nanos(Timestamp::now()).saturating_add(self.ahead_nanos.unwrap_or(0))
    }

    pub(super) fn engine_name(&self) -> String {
        let told = self
            .info
            .as_ref()
            .and_then(|info| info.name.as_deref())
            .filter(|name| !name.is_empty());
        match (told, &self.address) {
            (Some(name), _) => name.chars().filter(|c| !c.is_control()).take(128).collect(),
            (None, Address::Unix(_)) => self.context.hostname.to_string(),
            (None, Address::Tcp { host, .. }) => host.clone(),
        }
    }

    pub(super) fn tell_engine(&mut self, listed: &[Listed], batch: &mut Batch) {
        let count = |states: &[&str]| {
            let with = listed
                .iter()
                .filter(|l| states.contains(&l.state.as_str()))
                .count();
            i64::try_from(with).unwrap_or(i64::MAX)
        };
        let running = count(&["running", "restarting"]);
        let paused = count(&["paused"]);
        let all = i64::try_from(listed.len()).unwrap_or(i64::MAX);
        let counts = [running, paused, all - running - paused];
        if self
            .counted
            .is_some_and(|(before, at)| before == counts && at.elapsed() < SLOW)
        {
            return;
        }
        let name = self.engine_name();
        let Ok(id) = EntityId::new(&name) else { return };
        self.counted = Some((counts, Instant::now()));
        let [running, paused, stopped] = counts;
        let mut fields = Fields::new();
        fields
            .set("containers_running_count", running)
            .set("containers_paused_count", paused)
            .set("containers_stopped_count", stopped);
        let mut entity = Entity::new(self.engine.clone(), id)
            .with_label("name", &name)
            .with_label("version", self.version.as_deref().unwrap_or_default());
        if let Some(info) = &self.info {
            for (field, value) in [
                ("images_count", info.images),
                ("memory_total_bytes", info.memory_total),
                ("cpus_count", info.cpus),
            ] {
                if let Some(value) = value {
                    fields.set(field, value);
                }
            }
            entity = entity
                .with_label("os", info.operating_system.as_deref().unwrap_or_default())
                .with_label("kernel", info.kernel_version.as_deref().unwrap_or_default());
        }
        batch.sample(entity, fields);
    }
}

pub(super) fn unix_nanos(time: Timestamp) -> i64 {
    time.as_millis().saturating_mul(1_000_000)
}
