use std::time::Duration;

use schemas::{
    Entity, Fields,
    name::{EntityId, EntityType},
};
use sysinfo::Components;
use tokio::{task::JoinHandle, time::Instant};
use tracing::warn;

use super::{filesystems, patterns::Patterns, ratio};
use crate::Batch;

/// What a poll waits for file systems and sensors; what takes longer comes with a later poll.
const PATIENCE: Duration = Duration::from_secs(2);
/// Sensors come and go with drivers.
const LIST_SENSORS_EVERY: Duration = Duration::from_mins(10);

/// Reads what changes slowly and may block: on a thread of its own, one reading at a time.
pub(super) struct SlowReader {
    interval: Duration,
    due: Instant,
    idle: Option<Box<Readings>>,
    running: Option<JoinHandle<Box<Readings>>>,
    told: bool,
}

struct Readings {
    network_filesystems: bool,
    ignore_mounts: Patterns,
    drive_temperatures: bool,
    root: filesystems::Root,
    sensors: Components,
    sensors_listed: Option<Instant>,
    disks: Vec<filesystems::Disk>,
}

impl SlowReader {
    pub(super) fn new(
        interval: Duration,
        network_filesystems: bool,
        ignore_mounts: Patterns,
        drive_temperatures: bool,
        root: filesystems::Root,
    ) -> Result<Self, sysinfo::Error> {
        Ok(Self {
            interval,
            due: Instant::now(),
            idle: Some(Box::new(Readings {
                network_filesystems,
                ignore_mounts,
                drive_temperatures,
                root,
                sensors: Components::new()?,
                sensors_listed: None,
                disks: Vec::new(),
            })),
            running: None,
            told: false,
        })
    }

    /// Reads when it is time, and tells what was read. A reading that hangs holds nothing up but itself.
    pub(super) async fn read_if_due(&mut self, batch: &mut Batch) {
        let now = Instant::now();
        if now >= self.due
            && let Some(mut readings) = self.idle.take()
        {
            self.due = now + self.interval;
            self.running = Some(tokio::task::spawn_blocking(move || {
                readings.refresh();
                readings
            }));
        }
        let Some(running) = self.running.as_mut() else {
            return;
        };
        let Ok(ended) = tokio::time::timeout(PATIENCE, running).await else {
            if !self.told {
                self.told = true;
                warn!(
                    waited_ms = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX),
                    "reading file systems or sensors hangs: a network mount whose server is gone? The rest of this host is read on"
                );
            }
            return;
        };
        self.running = None;
        match ended {
            Ok(readings) => {
                self.told = false;
                readings.tell(batch);
                self.idle = Some(readings);
            }
            // not an error of this poll; without its readings the reader stays silent until it is opened again
            Err(e) => warn!("reading file systems or sensors failed: {e}"),
        }
    }
}

impl Readings {
    fn refresh(&mut self) {
        self.disks = filesystems::read(self.network_filesystems, &self.ignore_mounts, &self.root);
        if self
            .sensors_listed
            .is_none_or(|at| at.elapsed() >= LIST_SENSORS_EVERY)
        {
            self.sensors.refresh(true);
            self.sensors_listed = Some(Instant::now());
        } else {
            let drives = self.drive_temperatures;
            for sensor in self
                .sensors
                .iter_mut()
                .filter(|s| drives || !asks_a_drive(s.label()))
            {
                sensor.refresh();
            }
        }
    }

    fn tell(&self, batch: &mut Batch) {
        let (Ok(disk), Ok(sensor)) = (EntityType::new("disk"), EntityType::new("sensor")) else {
            return;
        };
        for read in &self.disks {
            let Ok(id) = EntityId::new(&read.mount_point) else {
                continue;
            };
            let entity = Entity::new(disk.clone(), id)
                .with_label("device", &read.device)
                .with_label("fs", &read.kind);
            let mut fields = Fields::new();
            fields
                .set("size_bytes", read.size)
                .set("used_bytes", read.used)
                .set("available_bytes", read.available);
            ratio(
                &mut fields,
                "used_ratio",
                super::share(read.used, read.used.saturating_add(read.available)),
            );
            if let Some((bytes_read, bytes_written)) = read.transferred {
                fields
                    .set("read_bytes_total", bytes_read)
                    .set("written_bytes_total", bytes_written);
            }
            batch.sample(entity, fields);
        }
        for read in &self.sensors {
            let label = read.label();
            if asks_a_drive(label) && !self.drive_temperatures {
                continue;
            }
            let (Ok(id), Some(celsius)) = (EntityId::new(label), read.temperature()) else {
                continue;
            };
            let mut fields = Fields::new();
            fields.set_rounded("temperature_celsius", f64::from(celsius), 1);
            batch.sample(Entity::new(sensor.clone(), id), fields);
        }
    }
}

/// Whether reading a sensor sends a command to a drive.
fn asks_a_drive(label: &str) -> bool {
    label.starts_with("drivetemp")
}
