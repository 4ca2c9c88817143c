//! What sources of kind `synology` tell.

use schemas::{Entity, Fields};

use super::{
    Seen, Source, Span,
    told::{Told, entity, share},
};
use crate::{
    number::real,
    world::{
        World,
        nas::{Disk, DiskReading, Nas, Reading, Volume},
        ups,
    },
};

/// A volume that is as full as this needs attention.
const ALMOST_FULL: f64 = 0.95;

/// A NAS with DSM.
pub(super) struct Synology {
    nas: Nas,
    dsm7: bool,
    seen: Seen,
}

impl Synology {
    pub(super) fn dsm7(world: &World) -> Self {
        Self {
            nas: Nas::ds920(world),
            dsm7: true,
            seen: Seen::default(),
        }
    }

    pub(super) fn dsm6(world: &World) -> Self {
        Self {
            nas: Nas::ds218(world),
            dsm7: false,
            seen: Seen::default(),
        }
    }

    fn itself(&self) -> anyhow::Result<Entity> {
        let version = if self.dsm7 {
            "DSM 7.2-69057 Update 3"
        } else {
            "DSM 6.2.4-25556 Update 7"
        };
        Ok(entity("nas", self.nas.name)?
            .with_label("model", self.nas.model)
            .with_label("serial", &self.nas.serial)
            .with_label("version", version))
    }

    fn device(&self, disk: &Disk) -> String {
        if self.dsm7 {
            return format!("sata{}", disk.slot);
        }
        let letter = u8::try_from(disk.slot - 1).unwrap_or(0) + b'a';
        format!("sd{}", char::from(letter))
    }

    fn pool_id(&self, volume: &Volume) -> String {
        let word = if self.dsm7 { "pool" } else { "reuse" };
        format!("{word}_{}", volume.number)
    }

    fn disk(&self, disk: &Disk) -> anyhow::Result<Entity> {
        let pool = self
            .nas
            .volumes
            .iter()
            .find(|volume| volume.slots.contains(&disk.slot))
            .map_or_else(String::new, |volume| self.pool_id(volume));
        Ok(entity("disk", &disk.serial)?
            .with_label("name", &format!("Drive {}", disk.slot))
            .with_label("device", &self.device(disk))
            .with_label("serial", &disk.serial)
            .with_label("model", disk.model)
            .with_label("vendor", disk.vendor.trim())
            .with_label("firmware", disk.firmware)
            .with_label("disk_type", "SATA")
            .with_label("medium", if disk.ssd { "ssd" } else { "hdd" })
            .with_label("enclosure", self.nas.model)
            .with_label("pool", &pool))
    }

    fn volume(&self, volume: &Volume) -> anyhow::Result<Entity> {
        Ok(entity("volume", &format!("volume_{}", volume.number))?
            .with_label("name", &format!("volume{}", volume.number))
            .with_label("file_system", volume.file_system)
            .with_label("raid_type", volume.raid)
            .with_label("pool", &self.pool_id(volume)))
    }

    /// Tells a state, and that it moved.
    fn state(
        &mut self,
        entity: &Entity,
        names: (&'static str, &'static str),
        state: &str,
        span: Span,
        told: &mut Told,
    ) {
        let of = format!("{}/{}/{}", entity.entity_type, entity.id, names.0);
        if let Some(before) = self.seen.moved(&of, state) {
            let mut fields = Fields::new();
            fields.set_text(names.0, state).set_text(names.1, &before);
            told.change(span.to, entity.clone(), fields);
        }
    }

    fn storage(&mut self, reading: &Reading, span: Span, told: &mut Told) -> anyhow::Result<()> {
        for (disk, now) in self.nas.disks.iter().zip(&reading.disks) {
            let mut fields = Fields::new();
            fields
                .set_text("status", "normal")
                .set_text("smart_status", "normal")
                .set_rounded("temperature_celsius", real(now.celsius), 4)
                .set("size_bytes", disk.bytes)
                .set("uncorrectable_sectors_count", 0_i64)
                .set("bad_sectors_exceeded", false);
            told.sample(self.disk(disk)?, fields);
        }
        let mut attention = false;
        let mut volumes = Vec::new();
        for (volume, used) in self.nas.volumes.iter().zip(&reading.used) {
            let full = share(*used, volume.bytes);
            attention |= full > ALMOST_FULL;
            let status = if full > ALMOST_FULL {
                "attention"
            } else {
                "normal"
            };
            let mut fields = Fields::new();
            fields
                .set_text("status", status)
                .set_text("task", "none")
                .set("used_bytes", *used)
                .set("size_bytes", volume.bytes)
                .set_rounded("used_ratio", full, 4)
                .set("writable", true);
            if volume.file_system != "btrfs" {
                let inodes = volume.bytes / 16_384;
                fields.set_rounded("inodes_used_ratio", share(400_000, inodes), 4);
            }
            volumes.push((self.volume(volume)?, status, fields));
            told.sample(self.pool(volume)?, pool_fields(volume));
        }
        for (entity, status, fields) in volumes {
            self.state(&entity, ("status", "old_status"), status, span, told);
            told.sample(entity, fields);
        }
        if self.dsm7 {
            let status = if attention { "abnormal" } else { "normal" };
            let itself = self.itself()?;
            let names = ("storage_status", "old_storage_status");
            self.state(&itself, names, status, span, told);
            let mut fields = Fields::new();
            fields.set_text("storage_status", status);
            told.sample(itself, fields);
        }
        Ok(())
    }

    fn pool(&self, volume: &Volume) -> anyhow::Result<Entity> {
        Ok(entity("pool", &self.pool_id(volume))?
            .with_label("name", &format!("Storage Pool {}", volume.number))
            .with_label("raid_type", volume.raid))
    }

    fn ups(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let now = ups::read(world, span.to);
        let status = if now.on_battery {
            "onbattery"
        } else {
            "online"
        };
        let model = "CP1500EPFCLCD";
        let entity = entity("ups", "ups")?
            .with_label("name", model)
            .with_label("model", model)
            .with_label("vendor", "CPS");
        self.state(&entity, ("status", "old_status"), status, span, told);
        let mut fields = Fields::new();
        fields
            .set_text("status", status)
            .set_rounded("charge_ratio", real(now.charge_percent) / 100.0, 4)
            .set("runtime_seconds", now.runtime_seconds);
        told.sample(entity, fields);
        Ok(())
    }
}

fn pool_fields(volume: &Volume) -> Fields {
    let disks = i64::try_from(volume.slots.len()).unwrap_or(0);
    let mut fields = Fields::new();
    fields
        .set_text("status", "normal")
        .set_text("task", "none")
        .set("size_bytes", volume.bytes + 5_368_709_120)
        .set("allocated_bytes", volume.bytes + 4_294_967_296)
        .set("failed_disks_count", 0_i64)
        .set("raid_devices_count", disks)
        .set("raid_devices_normal_count", disks)
        .set_text("scrubbing", "ready");
    fields
}

/// What the machine itself does.
fn load(nas: &Nas, now: &Reading) -> Fields {
    let bytes = |kib: i64| kib * 1024;
    let percent = |percent: i64| real(percent.min(100)) / 100.0;
    let total = nas.memory_kib - nas.memory_kib / 24;
    let used = total - now.memory_free_kib - now.memory_buffers_kib - now.memory_cached_kib;
    let swap = nas.memory_kib * 4 / 5;
    let [one, five, fifteen] = now.loads;
    let sum = |of: fn(&DiskReading) -> i64| now.disks.iter().map(of).sum::<i64>();
    let count = i64::try_from(now.disks.len()).unwrap_or(1).max(1);
    let mut fields = Fields::new();
    fields
        .set_rounded(
            "cpu_ratio",
            percent(now.user_percent + now.system_percent),
            4,
        )
        .set_rounded("cpu_user_ratio", percent(now.user_percent), 4)
        .set_rounded("cpu_system_ratio", percent(now.system_percent), 4)
        .set_rounded("cpu_other_ratio", percent(now.waiting_percent), 4)
        .set_rounded("load_1", one, 4)
        .set_rounded("load_5", five, 4)
        .set_rounded("load_15", fifteen, 4)
        .set("memory_installed_bytes", bytes(nas.memory_kib))
        .set("memory_total_bytes", bytes(total))
        .set("memory_used_bytes", bytes(used))
        .set_rounded("memory_used_ratio", share(used, total), 4)
        .set("swap_total_bytes", bytes(swap))
        .set("swap_used_bytes", bytes(swap / 20))
        .set("disks_read_bytes_per_second", sum(|d| d.read_bytes))
        .set("disks_written_bytes_per_second", sum(|d| d.written_bytes))
        .set_rounded(
            "disks_busy_ratio",
            percent(sum(|d| d.busy_percent) / count),
            4,
        )
        .set_rounded("temperature_celsius", real(now.celsius), 4)
        .set("temperature_warning", false)
        .set("uptime_seconds", now.uptime_seconds);
    fields
}

/// What some disks do together.
fn traffic(disks: &[&DiskReading]) -> Fields {
    let sum = |of: fn(&DiskReading) -> i64| disks.iter().map(|disk| of(disk)).sum::<i64>();
    let count = i64::try_from(disks.len()).unwrap_or(1).max(1);
    let mut fields = Fields::new();
    fields
        .set("read_bytes_per_second", sum(|d| d.read_bytes))
        .set("written_bytes_per_second", sum(|d| d.written_bytes))
        .set("reads_per_second", sum(|d| d.reads))
        .set("writes_per_second", sum(|d| d.writes))
        .set_rounded(
            "busy_ratio",
            real(sum(|d| d.busy_percent) / count) / 100.0,
            4,
        );
    fields
}

impl Source for Synology {
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let now = self.nas.read(world, span.to);
        told.sample(self.itself()?, load(&self.nas, &now));
        let mut network = Fields::new();
        network
            .set("rx_bytes_per_second", now.received_bytes)
            .set("tx_bytes_per_second", now.sent_bytes);
        told.sample(entity("network", "eth0")?, network);
        for (disk, reading) in self.nas.disks.iter().zip(&now.disks) {
            told.sample(self.disk(disk)?, traffic(&[reading]));
        }
        for volume in &self.nas.volumes {
            let disks: Vec<_> = self
                .nas
                .disks
                .iter()
                .zip(&now.disks)
                .filter(|(disk, _)| volume.slots.contains(&disk.slot))
                .map(|(_, reading)| reading)
                .collect();
            told.sample(self.volume(volume)?, traffic(&disks));
        }
        if self.dsm7 {
            self.ups(world, span, told)?;
        }
        if span.slow {
            self.storage(&now, span, told)?;
        }
        Ok(())
    }
}
