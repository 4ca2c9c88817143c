//! Network storage: disks, volumes, and how busy the machine is.

use schemas::time::Timestamp;

use super::{World, chance};
use crate::number::{real, rounded, whole};

/// A disk, as it was bought.
pub(crate) struct Disk {
    /// Bay, from 1.
    pub(crate) slot: i64,
    pub(crate) vendor: &'static str,
    pub(crate) model: &'static str,
    pub(crate) firmware: &'static str,
    pub(crate) serial: String,
    pub(crate) bytes: i64,
    pub(crate) ssd: bool,
}

/// A volume, as it was made.
pub(crate) struct Volume {
    /// From 1.
    pub(crate) number: i64,
    pub(crate) label: &'static str,
    pub(crate) raid: &'static str,
    pub(crate) file_system: &'static str,
    pub(crate) bytes: i64,
    /// The bays of its disks.
    pub(crate) slots: Vec<i64>,
    /// Whether the backup of the night goes here.
    pub(crate) backups: bool,
}

/// A machine.
pub(crate) struct Nas {
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    pub(crate) serial: String,
    pub(crate) address: &'static str,
    pub(crate) memory_kib: i64,
    pub(crate) cores: i64,
    pub(crate) disks: Vec<Disk>,
    pub(crate) volumes: Vec<Volume>,
    reboot_days: i64,
}

/// A disk at an instant.
pub(crate) struct DiskReading {
    pub(crate) celsius: i64,
    pub(crate) busy_percent: i64,
    pub(crate) reads: i64,
    pub(crate) writes: i64,
    pub(crate) read_bytes: i64,
    pub(crate) written_bytes: i64,
}

/// The machine at an instant; rates are per second.
pub(crate) struct Reading {
    pub(crate) uptime_seconds: i64,
    pub(crate) user_percent: i64,
    pub(crate) system_percent: i64,
    pub(crate) waiting_percent: i64,
    /// Of 1, 5 and 15 minutes.
    pub(crate) loads: [f64; 3],
    pub(crate) memory_free_kib: i64,
    pub(crate) memory_buffers_kib: i64,
    pub(crate) memory_cached_kib: i64,
    pub(crate) received_bytes: i64,
    pub(crate) sent_bytes: i64,
    /// Packets since the start.
    pub(crate) received_packets: i64,
    pub(crate) sent_packets: i64,
    pub(crate) celsius: i64,
    pub(crate) fan_rpm: i64,
    pub(crate) disks: Vec<DiskReading>,
    /// Used bytes of each volume.
    pub(crate) used: Vec<i64>,
}

impl Nas {
    /// A Synology with DSM 7: where the family's data is, and where the backups go.
    pub(crate) fn ds920(world: &World) -> Self {
        let disk = |slot: i64| Disk {
            slot,
            vendor: "WDC     ",
            model: "WD80EFPX-68C4ZN0",
            firmware: "81.00A81",
            serial: format!("WD-{}", serial(world, "nas1", slot)),
            bytes: 8_001_563_222_016,
            ssd: false,
        };
        Self {
            name: "nas1",
            model: "DS920+",
            serial: format!("20C0{}", serial(world, "nas1", 0)),
            address: "192.168.1.10",
            memory_kib: 8 * 1024 * 1024,
            cores: 4,
            disks: (1..=4).map(disk).collect(),
            volumes: vec![
                Volume {
                    number: 1,
                    label: "family",
                    raid: "shr_with_1_disk_protect",
                    file_system: "btrfs",
                    bytes: 15_355_709_104_128,
                    slots: vec![1, 2, 3],
                    backups: false,
                },
                Volume {
                    number: 2,
                    label: "backups",
                    raid: "basic",
                    file_system: "btrfs",
                    bytes: 7_676_924_694_528,
                    slots: vec![4],
                    backups: true,
                },
            ],
            reboot_days: 41,
        }
    }

    /// A small Synology with DSM 6.
    pub(crate) fn ds218(world: &World) -> Self {
        let disk = |slot: i64| Disk {
            slot,
            vendor: "Seagate ",
            model: "ST4000VN008-2DR166",
            firmware: "SC60",
            serial: serial(world, "nas2", slot),
            bytes: 4_000_787_030_016,
            ssd: false,
        };
        Self {
            name: "nas2",
            model: "DS218+",
            serial: format!("1780{}", serial(world, "nas2", 0)),
            address: "192.168.1.11",
            memory_kib: 2 * 1024 * 1024,
            cores: 2,
            disks: (1..=2).map(disk).collect(),
            volumes: vec![Volume {
                number: 1,
                label: "media",
                raid: "raid_1",
                file_system: "ext4",
                bytes: 3_836_753_551_360,
                slots: vec![1, 2],
                backups: false,
            }],
            reboot_days: 63,
        }
    }

    /// A QNAP with QTS 5.
    pub(crate) fn ts464(world: &World) -> Self {
        let disk = |slot: i64| Disk {
            slot,
            vendor: "Seagate",
            model: if slot == 4 {
                "Samsung SSD 870 EVO 1TB"
            } else {
                "ST8000VN004-3CP101"
            },
            firmware: if slot == 4 { "SVT02B6Q" } else { "SC60" },
            serial: serial(world, "nas3", slot),
            bytes: if slot == 4 {
                1_000_204_886_016
            } else {
                8_001_563_222_016
            },
            ssd: slot == 4,
        };
        Self {
            name: "nas3",
            model: "TS-464",
            serial: format!("Q22{}", serial(world, "nas3", 0)),
            address: "192.168.1.12",
            memory_kib: 8 * 1024 * 1024,
            cores: 4,
            disks: (1..=4).map(disk).collect(),
            volumes: vec![
                Volume {
                    number: 1,
                    label: "DataVol1",
                    raid: "raid5",
                    file_system: "ext4",
                    bytes: 15_784_004_812_800,
                    slots: vec![1, 2, 3],
                    backups: false,
                },
                Volume {
                    number: 2,
                    label: "Fast",
                    raid: "single",
                    file_system: "ext4",
                    bytes: 960_197_124_096,
                    slots: vec![4],
                    backups: false,
                },
            ],
            reboot_days: 27,
        }
    }

    /// When it was started.
    pub(crate) fn started(&self, world: &World, at: Timestamp) -> Timestamp {
        world.started(self.name, self.reboot_days, at)
    }

    /// Whether the backup of the night comes here.
    fn takes_backups(&self) -> bool {
        self.volumes.iter().any(|volume| volume.backups)
    }

    /// How it is.
    pub(crate) fn read(&self, world: &World, at: Timestamp) -> Reading {
        let key = |what: &str| format!("{}/{what}", self.name);
        let level = |what: &str, mean, daily, drift| {
            world.level(&world.wave(&key(what), mean, daily, drift), at)
        };
        let backup = self.takes_backups() && world.night(at).backup();
        let extra = if backup { 1.0 } else { 0.0 };

        // people's use decides over disks, network and CPU
        let use_share = level("use", 0.16, 0.45, 0.25);
        let busy = use_share * 60.0 + extra * 35.0;
        let by_users = busy * 0.62 + 1.0;
        let system = busy * 0.3 + 1.0;
        let waiting = busy * 0.15;
        let load = (by_users + system + waiting) / 100.0 * real(self.cores);

        let started = self.started(world, at);
        let total = self.memory_kib - self.memory_kib / 24;
        let free = real(total) * (0.08 - 0.03 * use_share);
        let cached = real(total) * (0.45 + 0.2 * use_share);
        let buffers = real(total) * 0.006;

        let received = use_share * 2_600_000.0 + extra * 96_000_000.0;
        let sent = use_share * 9_000_000.0 + extra * 700_000.0;
        let traffic = world.wave(&key("use"), 0.16, 0.45, 0.25);
        let since = world.total(&traffic, started, at);
        let backups = if self.takes_backups() {
            world.backup_seconds(started, at)
        } else {
            0.0
        };

        let room = world.level(&world.wave("climate/rack", 24.0, 0.04, 0.02), at);
        let disks = self
            .disks
            .iter()
            .map(|disk| {
                let own = level(&format!("disk{}", disk.slot), 1.0, 0.1, 0.3);
                let hit = extra * if disk.slot >= 3 { 1.0 } else { 0.2 };
                let written = own * use_share * 1_500_000.0 + hit * 90_000_000.0;
                let read = own * use_share * 3_000_000.0;
                DiskReading {
                    celsius: whole(
                        room + if disk.ssd { 8.0 } else { 11.0 }
                            + own * use_share * 8.0
                            + hit * 6.0,
                    ),
                    busy_percent: whole(own * use_share * 30.0 + hit * 62.0).clamp(0, 100),
                    reads: whole(read / 65_536.0),
                    writes: whole(written / 131_072.0),
                    read_bytes: whole(read),
                    written_bytes: whole(written),
                }
            })
            .collect();
        let used = self
            .volumes
            .iter()
            .map(|volume| {
                let name = key(&format!("volume{}", volume.number));
                let mut share = world.fills(&name, 190.0, 0.48, 0.83, at);
                if volume.backups {
                    share += (0.985 - share) * world.night(at).filled();
                }
                // a file system has blocks of 4 KiB
                whole(real(volume.bytes) * share / 4096.0) * 4096
            })
            .collect();

        Reading {
            uptime_seconds: at.since(started) / 1000,
            user_percent: whole(by_users),
            system_percent: whole(system),
            waiting_percent: whole(waiting),
            loads: [1.0, 0.93, 0.88].map(|slower| rounded(load * slower, 2)),
            memory_free_kib: whole(free),
            memory_buffers_kib: whole(buffers),
            memory_cached_kib: whole(cached),
            received_bytes: whole(received),
            sent_bytes: whole(sent),
            received_packets: whole(since * 3_000.0 + backups * 66_000.0),
            sent_packets: whole(since * 7_000.0 + backups * 8_000.0),
            celsius: whole(room + 14.0 + busy * 0.18),
            fan_rpm: whole(620.0 + busy * 6.0),
            disks,
            used,
        }
    }
}

/// Part of a serial number.
fn serial(world: &World, machine: &str, slot: i64) -> String {
    chance::digits(world.seed(), &format!("{machine}/{slot}"), 8).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_of_the_backups_fills_at_night_and_is_as_before_at_3_40() {
        let world = World::new(3, 0);
        let nas = Nas::ds920(&world);
        let share = |time: &str| {
            let at = Timestamp::parse(&format!("2026-05-06T{time}Z"), Timestamp::from_millis(0));
            let used = nas.read(&world, at.unwrap()).used[1];
            real(used) / real(nas.volumes[1].bytes)
        };
        assert!(share("03:04:00") < 0.84);
        assert!(share("03:35:00") > 0.98);
        assert!((share("03:40:01") - share("03:04:00")).abs() < 0.001);
    }

    #[test]
    fn disks_are_warmer_while_they_work() {
        let world = World::new(3, 0);
        let nas = Nas::ds920(&world);
        let warm = |time: &str| {
            let at = Timestamp::parse(&format!("2026-05-06T{time}Z"), Timestamp::from_millis(0));
            nas.read(&world, at.unwrap()).disks[3].celsius
        };
        assert!(warm("03:20:00") > warm("03:00:00") + 3);
    }
}
