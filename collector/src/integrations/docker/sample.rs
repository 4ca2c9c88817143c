//! What one container tells at a poll.

use bollard::models::{ContainerInspectResponse, ContainerStatsResponse};
use schemas::{Fields, Timestamp};
use tokio::time::Instant;

use super::{SLOW, containers::Container, stats::Reading};
use crate::Batch;

impl Container {
    pub(super) fn learn(&mut self, inspected: &ContainerInspectResponse) {
        self.restarts = inspected.restart_count.and_then(|n| u64::try_from(n).ok());
        self.started = inspected
            .state
            .as_ref()
            .and_then(|state| state.started_at.as_deref())
            .and_then(|text| Timestamp::parse(text, Timestamp::now()).ok());
        self.cpu_limit = inspected.host_config.as_ref().and_then(|host| {
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
        });
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
        if let Some(restarts) = self.restarts {
            fields.set("restarts_total", restarts);
        }
        if let Some(limit) = self.cpu_limit {
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
        fields
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a limit has four digits, a float sixteen"
)]
fn cores(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}
