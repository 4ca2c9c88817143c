//! What one container tells at a poll.

use std::time::Duration;

use bollard::models::ContainerStatsResponse;
use schemas::{Fields, Timestamp};
use tokio::time::Instant;

use super::{
    SLOW,
    containers::{Container, Facts},
    images::Images,
    stats::Reading,
    wire::{HostConfig, Inspected, RestartPolicy},
};
use crate::Batch;

/// How often a container is looked at for what no event tells.
const INSPECT_EVERY: Duration = Duration::from_mins(5);

impl Container {
    /// Whether it is time to ask for it by itself: never for one that neither runs nor changed, more often for one whose
    /// health check fails.
    pub(super) fn is_inspection_due(&self, alive: bool) -> bool {
        let every = match self.health.as_deref() {
            None | Some("healthy") => INSPECT_EVERY,
            Some(_) => SLOW,
        };
        self.inspected
            .is_none_or(|at| alive && at.elapsed() >= every)
    }

    pub(super) fn learn(&mut self, inspected: Inspected) {
        let state = inspected.state.unwrap_or_default();
        let host = inspected.host_config.unwrap_or_default();
        self.started = state
            .started_at
            .as_deref()
            .and_then(|text| Timestamp::parse(text, Timestamp::now()).ok());
        let ended = matches!(self.state.as_str(), "exited" | "dead" | "restarting");
        self.facts = Facts {
            restarts: inspected.restart_count,
            restart_policy: host
                .restart_policy
                .as_ref()
                .and_then(RestartPolicy::in_words),
            cpu_limit: cpu_limit(&host),
            exit_code: state.exit_code.filter(|_| ended),
            oom_killed: state.oom_killed,
            health_failures: state
                .health
                .and_then(|health| health.failing_streak)
                .filter(|_| self.health.is_some()),
            image_outdated: self.facts.image_outdated,
        };
        // a list names an image by its id as soon as the tag means another
        if let Some(image) = inspected.config.unwrap_or_default().image
            && self.image.starts_with("sha256:")
            && !image.starts_with("sha256:")
        {
            self.entity = self.entity.clone().with_label("image", &image);
            self.image = image;
        }
    }

    /// Compares the image that it was made of with the one that its tag means now.
    pub(super) fn compare_image(&mut self, images: &Images) {
        let outdated = images
            .id_of(&self.image)
            .filter(|_| !self.image_id.is_empty())
            .map(|id| id != self.image_id);
        if self.facts.image_outdated != outdated {
            self.facts.image_outdated = outdated;
            self.told = None;
        }
    }

    /// Adds what was read. Returns whether it was a first reading, after which the next can tell the CPU too.
    pub(super) fn tell(&mut self, read: &ContainerStatsResponse, batch: &mut Batch) -> bool {
        let Some(reading) = Reading::of(read) else {
            self.before = None;
            return false;
        };
        let mut fields = self.state_fields();
        reading.tell(self.before, &mut fields);
        let is_first = self.before.is_none() && reading.cpu.is_some();
        self.before = reading.cpu;
        if let (Some(at), Some(started)) = (reading.at, self.started) {
            fields.set("uptime_seconds", at.since(started).max(0) / 1000);
        }
        if let Some(limit) = self.facts.cpu_limit {
            fields.set_rounded("cpu_limit_ratio", limit, 4);
        }
        self.told = Some(Instant::now());
        batch.sample(self.entity.clone(), fields);
        is_first
    }

    pub(super) fn tell_state_if_due(&mut self, batch: &mut Batch) {
        if self.state.is_empty() || self.told.is_some_and(|at| at.elapsed() < SLOW) {
            return;
        }
        self.told = Some(Instant::now());
        batch.sample(self.entity.clone(), self.state_fields());
    }

    fn state_fields(&self) -> Fields {
        let mut fields = Fields::new();
        if !self.state.is_empty() {
            fields.set_text("state", &self.state);
        }
        if let Some(health) = &self.health {
            fields.set_text("health", health);
        }
        let facts = &self.facts;
        for (name, count) in [
            ("restarts_total", facts.restarts),
            ("health_failures_count", facts.health_failures),
        ] {
            if let Some(count) = count {
                fields.set(name, count);
            }
        }
        for (name, is) in [
            ("oom_killed", facts.oom_killed),
            ("image_outdated", facts.image_outdated),
        ] {
            if let Some(is) = is {
                fields.set(name, is);
            }
        }
        if let Some(code) = facts.exit_code.filter(|_| !self.is_running()) {
            fields.set("exit_code", code);
        }
        if let Some(policy) = &facts.restart_policy {
            fields.set_text("restart_policy", policy);
        }
        fields
    }

    fn is_running(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused")
    }
}

/// Cores it may use.
fn cpu_limit(host: &HostConfig) -> Option<f64> {
    let nano = host
        .nano_cpus
        .filter(|n| *n > 0)
        .map(|n| cores(n, 1_000_000_000));
    nano.or_else(|| {
        let quota = host.cpu_quota.filter(|n| *n > 0)?;
        Some(cores(
            quota,
            host.cpu_period.filter(|n| *n > 0).unwrap_or(100_000),
        ))
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a limit has four digits, a float sixteen"
)]
fn cores(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}
