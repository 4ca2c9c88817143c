//! What disks say of their own health (SMART), read through `smartctl`.
//!
//! A disk that sleeps is not woken: every question begins with `-n standby`, so that `smartctl` asks for the power mode first
//! and for nothing else where the disk does not spin; and disks are looked for without opening them.

mod command;
mod device;
mod exit;
mod metrics;
mod report;
#[cfg(test)]
pub(super) mod tests;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use schemas::{Entity, Fields, MetricDef, name::EntityType};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    integration::{Heard, Integration, Typed},
};
use command::Smartctl;
use device::Device;
use metrics::METRICS;
use report::Report;

pub(super) static INTEGRATION: Typed<Smart> = Typed::new();

/// Most disks that are watched.
const MOST_DISKS: usize = 128;
/// Most disks that are asked at a time: controllers do not like more.
const IN_FLIGHT: usize = 2;
/// How long a poll waits for disks; slower ones are told when they have answered.
const POLL_WAITS: Duration = Duration::from_secs(5);
/// How long a disk is left alone that did not answer in time.
const LEFT_ALONE: Duration = Duration::from_hours(1);

/// Options of a source of kind `smart`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// The program.
    command: String,
    /// Disks, where not all that are found.
    devices: Vec<String>,
    /// Disks that are left out.
    exclude: Vec<String>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            command: "smartctl".to_owned(),
            devices: Vec::new(),
            exclude: Vec::new(),
        }
    }
}

/// What one disk said.
enum Said {
    /// What it measures.
    Report(Box<Report>),
    /// It sleeps, and was not asked for more.
    Standby,
}

type Answer = (Device, Result<Said, PollError>);

/// Reads the disks of this machine.
pub(super) struct Smart {
    smartctl: Smartctl,
    devices: Vec<Device>,
    exclude: BTreeSet<String>,
    entity_type: EntityType,
    waiting: VecDeque<Device>,
    running: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Waiting or running.
    busy: BTreeSet<Device>,
    /// Which disk was behind a device when it was read last.
    disks: HashMap<Device, Entity>,
    health: HashMap<Device, String>,
    left_alone: HashMap<Device, (Instant, PollError)>,
    /// Devices whose failure was told.
    told: BTreeSet<Device>,
}

impl Integration for Smart {
    const KIND: &'static str = "smart";
    const HELP: &'static str = "The disks of this machine as they see themselves (SMART): health, temperature, wear, errors";
    const DEFAULT_INTERVAL: Duration = Duration::from_mins(10);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# The program smartctl (package smartmontools, 7.0 or newer). It needs root, or a wrapper that runs it by sudo.
# command = "smartctl"
# Disks, where not all that `smartctl --scan` finds; behind a controller with the type that smartctl wants.
# devices = ["/dev/sda", "/dev/bus/0 megaraid,3"]
# Disks that are left out.
# exclude = ["/dev/sdz"]
"#;
    type Params = Params;

    fn open(params: Params, _: &Context) -> Result<Self, OpenError> {
        let read = |key: &str, texts: &[String]| {
            texts
                .iter()
                .map(|text| Device::parse(text).map_err(|why| OpenError::at(key, why)))
                .collect::<Result<Vec<_>, _>>()
        };
        let exclude = read("exclude", &params.exclude)?;
        Ok(Self {
            devices: read("devices", &params.devices)?,
            exclude: exclude.into_iter().map(|device| device.name).collect(),
            smartctl: Smartctl::new(&params.command)?,
            entity_type: EntityType::new("smart_disk")?,
            waiting: VecDeque::new(),
            running: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            disks: HashMap::new(),
            health: HashMap::new(),
            left_alone: HashMap::new(),
            told: BTreeSet::new(),
        })
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let devices = self.find().await?;
        let mut first = None;
        for device in devices {
            if let Some(e) = self.left_alone(&device) {
                first.get_or_insert(e);
            } else if self.busy.insert(device.clone()) {
                self.waiting.push_back(device);
            }
        }
        let until = Instant::now() + POLL_WAITS;
        let mut any = false;
        while !self.busy.is_empty() {
            let next = tokio::select! {
                biased;
                next = self.next() => next,
                () = sleep_until(until) => break,
            };
            match self.take(next, batch) {
                Ok(()) => any = true,
                Err(e) => drop(first.get_or_insert(e)),
            }
        }
        match first {
            Some(e) if !any && self.busy.is_empty() => Err(e),
            _ => Ok(()),
        }
    }

    async fn listen(&mut self, batch: &mut Batch) -> Heard {
        if self.busy.is_empty() {
            std::future::pending::<()>().await;
        }
        let next = self.next().await;
        // told in the log; a poll says it again if no disk can be read
        drop(self.take(next, batch));
        Heard::Events
    }

    fn is_reading(&self) -> bool {
        !self.busy.is_empty()
    }
}

impl Smart {
    /// The disks that are to be asked.
    async fn find(&mut self) -> Result<Vec<Device>, PollError> {
        let mut devices = if self.devices.is_empty() {
            self.smartctl.scan().await?
        } else {
            self.devices.clone()
        };
        devices.retain(|device| !self.exclude.contains(&device.name));
        if devices.is_empty() {
            return Err(PollError::new(
                FailureClass::Other,
                "smartctl finds no disk here: in a virtual machine there is none with SMART; in a container pass the devices in, or set `devices`",
            ));
        }
        if devices.len() > MOST_DISKS {
            warn!(
                disks = devices.len(),
                "{} disks are found, the first {MOST_DISKS} are watched",
                devices.len()
            );
            devices.truncate(MOST_DISKS);
        }
        Ok(devices)
    }

    /// Why a disk is not asked now.
    fn left_alone(&self, device: &Device) -> Option<PollError> {
        let (until, why) = self.left_alone.get(device)?;
        (Instant::now() < *until).then(|| why.clone())
    }

    /// The next disk that answers. May be dropped while it waits.
    async fn next(&mut self) -> Answer {
        loop {
            while self.running.len() < IN_FLIGHT
                && let Some(device) = self.waiting.pop_front()
            {
                let smartctl = self.smartctl.clone();
                self.running.push(
                    async move {
                        let said = smartctl.ask(&device).await;
                        (device, said)
                    }
                    .boxed(),
                );
            }
            if let Some(answer) = self.running.next().await {
                return answer;
            }
            if self.waiting.is_empty() {
                // nobody is asked
                std::future::pending::<()>().await;
            }
        }
    }

    fn take(&mut self, (device, said): Answer, batch: &mut Batch) -> Result<(), PollError> {
        self.busy.remove(&device);
        match said {
            Ok(Said::Report(report)) => {
                self.told.remove(&device);
                self.tell(device, &report, batch);
                Ok(())
            }
            Ok(Said::Standby) => {
                self.told.remove(&device);
                if let Some(entity) = self.disks.get(&device) {
                    let mut fields = Fields::new();
                    fields.set_text("power_mode", "standby");
                    batch.sample(entity.clone(), fields);
                }
                Ok(())
            }
            Err(e) => {
                if e.class == FailureClass::Timeout {
                    let until = Instant::now() + LEFT_ALONE;
                    self.left_alone.insert(device.clone(), (until, e.clone()));
                }
                if self.told.insert(device.clone()) {
                    warn!(device = %device, "disk {device} is not read: {e}");
                }
                Err(e)
            }
        }
    }

    fn tell(&mut self, device: Device, report: &Report, batch: &mut Batch) {
        let Some(entity) = report.entity(&self.entity_type, &device) else {
            if self.told.insert(device.clone()) {
                warn!(device = %device, "disk {device} has no serial number, so it is not told");
            }
            return;
        };
        let fields = report.fields();
        if let Some(health) = report.health() {
            let before = self.health.insert(device.clone(), health.to_owned());
            let same_disk = self
                .disks
                .get(&device)
                .is_some_and(|before| before.id == entity.id);
            if let Some(before) = before
                && same_disk
                && before != health
            {
                let mut moved = Fields::new();
                moved
                    .set_text("health", health)
                    .set_text("old_health", &before);
                batch.change(batch.time(), entity.clone(), moved);
            }
        }
        batch.sample(entity.clone(), fields);
        self.disks.insert(device, entity);
    }
}
