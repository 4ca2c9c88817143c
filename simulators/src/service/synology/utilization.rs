//! How busy the NAS is.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::Synology;
use crate::{
    number::{real, whole},
    world::nas::Reading,
};

pub(super) fn get(nas: &Synology, reading: &Reading, now: Timestamp) -> Value {
    let total = nas.nas.memory_kib - nas.nas.memory_kib / 24;
    let used =
        total - reading.memory_free_kib - reading.memory_buffers_kib - reading.memory_cached_kib;
    let swap = nas.nas.memory_kib * 4 / 5;
    let swapped = swap / 20;
    let [one, five, fifteen] = reading.loads.map(|load| whole(load * 100.0));
    let disks: Vec<_> = nas
        .nas
        .disks
        .iter()
        .zip(&reading.disks)
        .map(|(disk, now)| {
            json!({
                "device": nas.disk_id(disk.slot),
                "display_name": format!("Drive {}", disk.slot),
                "read_access": now.reads,
                "read_byte": now.read_bytes,
                "type": "internal",
                "utilization": now.busy_percent,
                "write_access": now.writes,
                "write_byte": now.written_bytes,
            })
        })
        .collect();
    let sum = |of: fn(&crate::world::nas::DiskReading) -> i64| -> i64 {
        reading.disks.iter().map(of).sum()
    };
    let count = i64::try_from(reading.disks.len()).unwrap_or(1).max(1);
    let total_of_disks = json!({
        "device": "total",
        "read_access": sum(|d| d.reads),
        "read_byte": sum(|d| d.read_bytes),
        "utilization": sum(|d| d.busy_percent) / count,
        "write_access": sum(|d| d.writes),
        "write_byte": sum(|d| d.written_bytes),
    });
    let volumes: Vec<_> = nas
        .nas
        .volumes
        .iter()
        .map(|volume| {
            let on = |of: fn(&crate::world::nas::DiskReading) -> i64| -> i64 {
                nas.nas
                    .disks
                    .iter()
                    .zip(&reading.disks)
                    .filter(|(disk, _)| volume.slots.contains(&disk.slot))
                    .map(|(_, now)| of(now))
                    .sum()
            };
            let disks = i64::try_from(volume.slots.len()).unwrap_or(1).max(1);
            json!({
                "device": format!("md{}", volume.number + 1),
                "display_name": format!("volume{}", volume.number),
                "read_access": on(|d| d.reads),
                "read_byte": on(|d| d.read_bytes),
                "utilization": on(|d| d.busy_percent) / disks,
                "write_access": on(|d| d.writes),
                "write_byte": on(|d| d.written_bytes),
            })
        })
        .collect();
    let mut total_of_volumes = total_of_disks.clone();
    total_of_volumes["device"] = json!("total");
    json!({
        "cpu": {
            "15min_load": fifteen,
            "1min_load": one,
            "5min_load": five,
            "device": "System",
            "other_load": reading.waiting_percent,
            "system_load": reading.system_percent,
            "user_load": reading.user_percent,
        },
        "disk": {"disk": disks, "total": total_of_disks},
        "lun": [],
        "memory": {
            "avail_real": reading.memory_free_kib,
            "avail_swap": swap - swapped,
            "buffer": reading.memory_buffers_kib,
            "cached": reading.memory_cached_kib,
            "device": "Memory",
            "memory_size": nas.nas.memory_kib,
            // DSM cuts what is behind the point
            "real_usage": whole((real(used) / real(total) * 100.0).floor()),
            "si_disk": 0,
            "so_disk": 0,
            "swap_usage": swapped * 100 / swap,
            "total_real": total,
            "total_swap": swap,
        },
        "network": [
            {"device": "total", "rx": reading.received_bytes, "tx": reading.sent_bytes},
            {"device": "eth0", "rx": reading.received_bytes, "tx": reading.sent_bytes},
        ],
        "space": {"total": total_of_volumes, "volume": volumes},
        "time": now.as_millis() / 1000,
    })
}
