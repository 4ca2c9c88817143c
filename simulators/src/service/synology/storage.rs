//! Disks, pools, volumes and shares.

use serde_json::{Value, json};

use super::{Synology, apis::Dsm};
use crate::{
    number::{real, whole},
    world::nas::{Disk, DiskReading, Reading, Volume},
};

/// How a volume is that is so full.
pub(super) fn status(bytes: i64, used: i64) -> &'static str {
    if real(used) / real(bytes) > 0.95 {
        "attention"
    } else {
        "normal"
    }
}

impl Synology {
    /// What DSM calls the disk of a bay.
    pub(super) fn disk_id(&self, slot: i64) -> String {
        match self.dsm {
            Dsm::Six => {
                let letter = u8::try_from(slot - 1).unwrap_or(0) + b'a';
                format!("sd{}", char::from(letter))
            }
            Dsm::Seven => format!("sata{slot}"),
        }
    }

    fn pool_id(&self, number: i64) -> String {
        match self.dsm {
            Dsm::Six => format!("reuse_{number}"),
            Dsm::Seven => format!("pool_{number}"),
        }
    }
}

pub(super) fn load_info(nas: &Synology, reading: &Reading) -> Value {
    let disks: Vec<_> = nas
        .nas
        .disks
        .iter()
        .zip(&reading.disks)
        .map(|(one, now)| disk(nas, one, now))
        .collect();
    let volumes: Vec<_> = nas
        .nas
        .volumes
        .iter()
        .zip(&reading.used)
        .map(|(one, used)| volume(nas, one, *used))
        .collect();
    let pools: Vec<_> = nas.nas.volumes.iter().map(|one| pool(nas, one)).collect();
    let mut info = json!({
        "disks": disks,
        "env": {
            "batchtask": {"max_task": 64, "remain_task": 64},
            "bay_number": nas.nas.disks.len().to_string(),
            "ebox": [],
            "fs_acting": false,
            "is_space_actioning": false,
            "isns": {"address": "", "enabled": false},
            "max_fs_bytes": "118747255799808",
            "model_name": nas.nas.model,
            "ram_size": nas.nas.memory_kib / 1024 / 1024,
            "status": {"system_crashed": false, "system_need_repair": false, "system_rebuilding": false},
            "support": {"ebox": true, "raid_cross": true, "sysdef": true},
        },
        "hotSpareConf": {"cross_repair": true, "disable_repair": []},
        "hotSpares": [],
        "iscsiLuns": [],
        "iscsiTargets": [],
        "ports": [],
        "ssdCaches": [],
        "storagePools": pools,
        "volumes": volumes,
    });
    if nas.dsm == Dsm::Seven {
        let attention = nas
            .nas
            .volumes
            .iter()
            .zip(&reading.used)
            .any(|(volume, used)| status(volume.bytes, *used) != "normal");
        info["detected_pools"] = json!([]);
        info["missing_pools"] = json!([]);
        info["sharedCaches"] = json!([]);
        info["overview_data"] = json!({
            "status_level": if attention { "status_level_abnormal" } else { "status_level_normal" },
        });
    }
    info
}

fn disk(nas: &Synology, disk: &Disk, now: &DiskReading) -> Value {
    let id = nas.disk_id(disk.slot);
    let pool = nas
        .nas
        .volumes
        .iter()
        .find(|volume| volume.slots.contains(&disk.slot))
        .map_or_else(String::new, |volume| nas.pool_id(volume.number));
    let mut told = json!({
        "adv_progress": "",
        "adv_status": "not_support",
        "below_remain_life_thr": false,
        "compatibility": "support",
        "container": {"order": 0, "str": nas.nas.model, "supportPwrBtnDisable": false, "type": "internal"},
        "device": format!("/dev/{id}"),
        "disable_secera": false,
        "diskType": "SATA",
        "erase_time": 800,
        "exceed_bad_sector_thr": false,
        "firm": disk.firmware,
        "has_system": true,
        "id": id,
        "ihm_testing": false,
        "is4Kn": false,
        "isSsd": disk.ssd,
        "is_erasing": false,
        "longName": format!("Drive {}", disk.slot),
        "model": disk.model,
        "name": format!("Drive {}", disk.slot),
        "num_id": disk.slot,
        "order": disk.slot,
        "pciSlot": -1,
        "perf_testing": false,
        "portType": "normal",
        "remain_life": -1,
        "serial": disk.serial,
        "size_total": disk.bytes.to_string(),
        "slot_id": disk.slot,
        "smart_progress": "",
        "smart_status": "normal",
        "smart_test_support": true,
        "smart_testing": false,
        "status": "normal",
        "temp": now.celsius,
        "testing_progress": "",
        "testing_type": "idle",
        "tray_status": "join",
        "unc": 0,
        "used_by": pool,
        "vendor": disk.vendor,
    });
    if nas.dsm == Dsm::Seven {
        told["overview_status"] = json!("normal");
        told["summary_status_category"] = json!("space");
        told["summary_status_key"] = json!("normal");
        told["disk_location"] = json!("Main");
        told["remain_life"] = json!({"trustable": true, "value": -1});
    }
    told
}

fn volume(nas: &Synology, volume: &Volume, used: i64) -> Value {
    let pool = nas.pool_id(volume.number);
    let status = status(volume.bytes, used);
    let inodes = if volume.file_system == "btrfs" {
        (0, 0)
    } else {
        (volume.bytes / 16_384 - 400_000, volume.bytes / 16_384)
    };
    let mut told = json!({
        "atime_checked": false,
        "atime_opt": "relatime",
        "cacheStatus": "",
        "container": "internal",
        "deploy_path": format!("volume_{}", volume.number),
        "desc": volume.label,
        "device_type": volume.raid,
        "disk_failure_number": 0,
        "disks": [],
        "drive_type": 0,
        "fs_type": volume.file_system,
        "id": format!("volume_{}", volume.number),
        "is_acting": false,
        "is_actioning": false,
        "is_inode_full": false,
        "is_writable": true,
        "max_fs_size": "1152921504606846976",
        "num_id": volume.number,
        "pool_path": pool,
        "progress": {"percent": "-1", "step": "none"},
        "raidType": if volume.slots.len() > 1 { "multiple" } else { "single" },
        "size": {
            "free_inode": inodes.0.to_string(),
            "total": volume.bytes.to_string(),
            "total_device": (volume.bytes + 4_294_967_296).to_string(),
            "total_inode": inodes.1.to_string(),
            "used": used.to_string(),
        },
        "space_path": format!("/dev/vg{}/lv", volume.number),
        "status": status,
        "summary_status": status,
        "timebackup": false,
        "uuid": format!("{}-{}", nas.nas.serial, volume.number),
        "vol_path": format!("/volume{}", volume.number),
    });
    if nas.dsm == Dsm::Seven {
        let detail = if status == "normal" {
            "fs_normal"
        } else {
            "fs_almost_full"
        };
        told["space_status"] =
            json!({"detail": detail, "status": detail, "summary_status": status});
    }
    told
}

fn pool(nas: &Synology, volume: &Volume) -> Value {
    let disks: Vec<_> = volume.slots.iter().map(|slot| nas.disk_id(*slot)).collect();
    let devices: Vec<_> = disks
        .iter()
        .enumerate()
        .map(|(slot, id)| json!({"id": id, "slot": slot, "status": "normal"}))
        .collect();
    let count = disks.len();
    json!({
        "cacheStatus": "",
        "container": "internal",
        "deploy_path": format!("volume_{}", volume.number),
        "desc": "",
        "device_type": volume.raid,
        "disk_failure_number": 0,
        "disks": disks,
        "id": nas.pool_id(volume.number),
        "is_actioning": false,
        "is_writable": true,
        "num_id": volume.number,
        "pool_child": [{
            "id": format!("volume_{}", volume.number),
            "size": {"total": (volume.bytes + 4_294_967_296).to_string()}
        }],
        "pool_path": nas.pool_id(volume.number),
        "progress": {"percent": "-1", "step": "none"},
        "raidType": if count > 1 { "multiple" } else { "single" },
        "raids": [{
            "designedDiskCount": count,
            "devices": devices,
            "hasParity": count > 2,
            "minDevSize": "0",
            "normalDevCount": count,
            "raidPath": format!("/dev/md{}", volume.number + 1),
            "raidStatus": 1,
            "spares": []
        }],
        "scrubbingStatus": "ready",
        "size": {
            "total": (volume.bytes + 5_368_709_120).to_string(),
            "used": (volume.bytes + 4_294_967_296).to_string()
        },
        "space_path": format!("/dev/vg{}", volume.number),
        "spares": [],
        "status": "normal",
        "summary_status": "normal",
    })
}

pub(super) fn shares(nas: &Synology, reading: &Reading) -> Value {
    let names: &[&str] = match nas.dsm {
        Dsm::Six => &["video", "music"],
        Dsm::Seven => &["homes", "photo"],
    };
    let used = reading.used.first().copied().unwrap_or(0);
    let shares: Vec<_> = names
        .iter()
        .zip([0.6, 0.3])
        .map(|(name, share)| {
            json!({
                "desc": "",
                "enable_recycle_bin": true,
                "encryption": 0,
                "hidden": false,
                "is_aclmode": true,
                "is_usb_share": false,
                "name": name,
                // MiB with decimals
                "share_quota_used": real(whole(real(used) * share / 1_048_576.0 * 100.0)) / 100.0,
                "uuid": format!("{}-{name}", nas.nas.serial.to_lowercase()),
                "vol_path": "/volume1",
            })
        })
        .collect();
    json!({"offset": 0, "total": shares.len(), "shares": shares})
}
