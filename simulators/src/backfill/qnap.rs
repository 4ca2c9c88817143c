//! What sources of kind `qnap` tell.

use schemas::{Entity, Fields};

use super::{
    Seen, Source, Span,
    told::{Told, entity, share},
};
use crate::{
    number::{real, rounded, whole},
    world::{
        World,
        nas::{Nas, Reading},
    },
};

/// How often disks and volumes are read: seldom, since that may wake them.
const STORAGE_EVERY: i64 = 3_600_000;
/// Shared folders of a volume, and how much of it each has.
const SHARES: &[(&str, f64)] = &[("Public", 0.2), ("Multimedia", 0.6), ("homes", 0.1)];

/// A NAS with QTS.
pub(super) struct Qnap {
    nas: Nas,
    seen: Seen,
}

impl Qnap {
    pub(super) fn new(world: &World) -> Self {
        Self {
            nas: Nas::ts464(world),
            seen: Seen::default(),
        }
    }

    fn itself(&self) -> anyhow::Result<Entity> {
        Ok(entity("qnap", self.nas.name)?
            .with_label("name", self.nas.name)
            .with_label("model", self.nas.model)
            .with_label("version", "5.1.3")
            .with_label("serial", &self.nas.serial)
            .with_label("cpu_model", "Intel(R) Celeron(R) N5105 @ 2.00GHz"))
    }

    fn system(&mut self, now: &Reading, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let full = self
            .nas
            .volumes
            .iter()
            .zip(&now.used)
            .any(|(volume, used)| share(*used, volume.bytes) > 0.95);
        let health = if full { "warning" } else { "good" };
        let itself = self.itself()?;
        if let Some(before) = self.seen.moved("health", health) {
            let mut fields = Fields::new();
            fields
                .set_text("health", health)
                .set_text("old_health", &before);
            told.change(span.to, itself.clone(), fields);
        }
        // in MiB with one digit
        let bytes = |kib: i64| whole(rounded(real(kib) / 1024.0, 1) * 1_048_576.0);
        let total = bytes(self.nas.memory_kib - self.nas.memory_kib / 24);
        let used = total - bytes(now.memory_free_kib);
        let mut fields = Fields::new();
        fields
            .set_rounded(
                "cpu_ratio",
                real(now.user_percent + now.system_percent) / 100.0,
                4,
            )
            .set("memory_total_bytes", total)
            .set("memory_used_bytes", used)
            .set_rounded("memory_used_ratio", share(used, total), 4)
            .set_rounded("cpu_temperature_celsius", real(now.celsius + 6), 4)
            .set_rounded("system_temperature_celsius", real(now.celsius), 4)
            .set("uptime_seconds", now.uptime_seconds)
            .set_text("health", health)
            .set_text("new_version", "5.1.4.2596 Build 20231128");
        told.sample(itself, fields);

        let mut fan = Fields::new();
        fan.set("speed_rpm", now.fan_rpm).set_text("status", "ok");
        told.sample(entity("qnap_fan", "1")?, fan);
        Ok(())
    }

    fn network(&self, now: &Reading, told: &mut Told) -> anyhow::Result<()> {
        for (n, connected) in [(0, true), (1, false)] {
            let of = |number: i64| if connected { number } else { 0 };
            let entity = entity("qnap_interface", &format!("eth{n}"))?
                .with_label("name", &format!("Adapter {}", n + 1))
                .with_label("mac", &format!("24:5e:be:4a:11:0{}", n + 1))
                .with_label("address", if connected { self.nas.address } else { "" });
            let mut fields = Fields::new();
            fields
                .set("link_up", connected)
                .set("rx_packets_total", of(now.received_packets))
                .set("tx_packets_total", of(now.sent_packets))
                .set("errors_total", 0_i64)
                .set_rounded("rx_bytes_per_second", real(of(now.received_bytes)), 0)
                .set_rounded("tx_bytes_per_second", real(of(now.sent_bytes)), 0);
            told.sample(entity, fields);
        }
        Ok(())
    }

    fn storage(&self, now: &Reading, told: &mut Told) -> anyhow::Result<()> {
        for (disk, reading) in self.nas.disks.iter().zip(&now.disks) {
            let entity = entity("qnap_disk", &disk.serial)?
                .with_label("name", &format!("bay 0:{}", disk.slot))
                .with_label("model", disk.model)
                .with_label("firmware", disk.firmware)
                .with_label("capacity", &capacity(disk.bytes))
                .with_label("kind", if disk.ssd { "ssd" } else { "hdd" });
            let mut fields = Fields::new();
            fields
                .set_rounded("temperature_celsius", real(reading.celsius), 4)
                .set_text("status", "ready")
                .set_text("health", "ok");
            told.sample(entity, fields);
        }
        for (volume, used) in self.nas.volumes.iter().zip(&now.used) {
            let disks: Vec<_> = volume.slots.iter().map(ToString::to_string).collect();
            let id = volume.number.to_string();
            let entity_of = entity("qnap_volume", &id)?
                .with_label("name", volume.label)
                .with_label("raid", volume.raid)
                .with_label("disks", &disks.join(","));
            let mut fields = Fields::new();
            fields
                .set_text("status", "ready")
                .set("size_bytes", volume.bytes)
                .set("used_bytes", *used)
                .set_rounded("used_ratio", share(*used, volume.bytes), 4);
            told.sample(entity_of, fields);
            for (name, part) in SHARES {
                let entity = entity("qnap_share", &format!("{id}/{name}"))?
                    .with_label("name", name)
                    .with_label("volume", volume.label);
                let mut fields = Fields::new();
                fields.set("used_bytes", whole(real(*used) * part));
                told.sample(entity, fields);
            }
        }
        Ok(())
    }
}

/// How QTS shows a size: in binary units that it calls decimal ones.
fn capacity(bytes: i64) -> String {
    let tebi = real(bytes) / 1_099_511_627_776.0;
    if tebi >= 1.0 {
        format!("{tebi:.2} TB")
    } else {
        format!("{:.2} GB", tebi * 1024.0)
    }
}

impl Source for Qnap {
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let now = self.nas.read(world, span.to);
        self.system(&now, span, told)?;
        self.network(&now, told)?;
        if span.to.as_millis() % STORAGE_EVERY == 0 {
            self.storage(&now, told)?;
        }
        Ok(())
    }
}
