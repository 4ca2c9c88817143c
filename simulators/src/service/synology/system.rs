//! What DSM tells of itself.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::{Synology, apis::Dsm};
use crate::world::{nas::Reading, ups};

impl Dsm {
    fn version(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Six => ("25556", "DSM 6.2.4-25556 Update 7", "2023/03/16"),
            Self::Seven => ("69057", "DSM 7.2-69057 Update 3", "2023/09/23"),
        }
    }
}

pub(super) fn information(nas: &Synology, reading: &Reading, now: Timestamp) -> Value {
    let (build, version, _) = nas.dsm.version();
    json!({
        "codepage": "enu",
        "model": nas.nas.model,
        "ram": nas.nas.memory_kib / 1024,
        "serial": nas.nas.serial,
        "temperature": reading.celsius,
        "temperature_warn": false,
        "time": nas.world.clock(now).format("%a %b %e %H:%M:%S %Y").to_string(),
        "uptime": reading.uptime_seconds,
        "version": build,
        "version_string": version,
    })
}

/// Hours are not bounded and nothing is padded.
fn up_time(seconds: i64) -> String {
    format!("{}:{}:{}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn cpu(nas: &Synology) -> (&'static str, &'static str, i64) {
    match nas.dsm {
        Dsm::Six => ("Celeron", "J3355", 2000),
        Dsm::Seven => ("Celeron", "J4125", 2000),
    }
}

pub(super) fn info(nas: &Synology, reading: &Reading, now: Timestamp) -> Value {
    let (_, version, date) = nas.dsm.version();
    let (family, series, speed) = cpu(nas);
    let mut usb = vec![json!({
        "cls": "hub",
        "pid": "0608",
        "producer": "Genesys Logic, Inc.",
        "product": "Hub",
        "rev": "85.37",
        "vid": "05e3"
    })];
    if nas.dsm == Dsm::Seven {
        usb.push(json!({
            "cls": "ups",
            "pid": "0501",
            "producer": "Cyber Power System, Inc.",
            "product": "CP1500 AVR UPS",
            "rev": "0.01",
            "vid": "0764"
        }));
    }
    json!({
        "cpu_clock_speed": speed,
        "cpu_cores": nas.nas.cores.to_string(),
        "cpu_family": family,
        "cpu_series": series,
        "cpu_vendor": "INTEL",
        "enabled_ntp": true,
        "external_pci_slot_info": [],
        "firmware_date": date,
        "firmware_ver": version,
        "model": nas.nas.model,
        "ntp_server": "time.cloudflare.com",
        "ram_size": nas.nas.memory_kib / 1024,
        "sata_dev": [],
        "serial": nas.nas.serial,
        "support_esata": "no",
        "sys_temp": reading.celsius,
        "sys_tempwarn": false,
        "systempwarn": false,
        "temperature_warning": false,
        "time": nas.time_text(now),
        "time_zone": "Amsterdam",
        "time_zone_desc": "(GMT+01:00) Amsterdam, Berlin, Rome, Stockholm, Vienna",
        "up_time": up_time(reading.uptime_seconds),
        "usb_dev": usb,
    })
}

pub(super) fn network(nas: &Synology) -> Value {
    json!({
        "dns": ["192.168.1.2"],
        "gateway": "192.168.1.1",
        "hostname": nas.nas.name,
        "interfaces": [{
            "id": "eth0",
            "ip": [{"address": nas.nas.address, "netmask": "255.255.255.0"}],
            "ipv6": [],
            "mac": "00-11-32-AA-BB-01",
            "type": "lan"
        }],
        "workgroup": "WORKGROUP"
    })
}

pub(super) fn interfaces(nas: &Synology) -> Value {
    json!({
        "dns": "192.168.1.2",
        "enabled_domain": false,
        "enabled_samba": true,
        "gateway": "192.168.1.1",
        "hostname": nas.nas.name,
        "nif": [{
            "addr": nas.nas.address,
            "duplex": true,
            "id": "eth0",
            "ipv6": [],
            "mac": "00-11-32-AA-BB-01",
            "mask": "255.255.255.0",
            "mtu": 1500,
            "speed": 1000,
            "status": "connected",
            "type": "eth",
            "use_dhcp": false
        }],
        "wins": "",
        "workgroup": "WORKGROUP"
    })
}

/// What also a user without administrator's rights may see of the storage.
pub(super) fn storage(nas: &Synology, reading: &Reading) -> Value {
    let disks: Vec<_> = nas
        .nas
        .disks
        .iter()
        .zip(&reading.disks)
        .map(|(disk, now)| {
            json!({
                "capacity": disk.bytes.to_string(),
                "diskno": format!("Drive {}", disk.slot),
                "model": disk.model,
                "status": "normal",
                "temp": now.celsius,
                "volume": "",
            })
        })
        .collect();
    let volumes: Vec<_> = nas
        .nas
        .volumes
        .iter()
        .zip(&reading.used)
        .map(|(volume, used)| {
            json!({
                "name": format!("volume_{}", volume.number),
                "status": super::storage::status(volume.bytes, *used),
                "total_size": volume.bytes.to_string(),
                "used_size": used.to_string(),
                "vol_desc": volume.label,
                "volume": format!("volume_{}", volume.number),
            })
        })
        .collect();
    json!({"hdd_info": disks, "vol_info": volumes})
}

pub(super) fn ups(nas: &Synology, now: Timestamp) -> Value {
    if nas.dsm == Dsm::Six {
        return json!({"enable": false, "mode": "SLAVE", "status": "usb_ups_status_unknown", "usb_ups_connect": false});
    }
    let ups = ups::read(&nas.world, now);
    json!({
        "charge": ups.charge_percent,
        "delay_time": -1,
        "enable": true,
        "manufacture": "CPS",
        "mode": "USB",
        "model": "CP1500EPFCLCD",
        "runtime": ups.runtime_seconds,
        "shutdown_device": true,
        "status": if ups.on_battery { "usb_ups_status_onbattery" } else { "usb_ups_status_online" },
        "usb_ups_connect": true,
    })
}

pub(super) fn upgrade(nas: &Synology) -> Value {
    match nas.dsm {
        Dsm::Six => json!({"available": false}),
        Dsm::Seven => json!({"update": {
            "available": true,
            "reboot": "now",
            "restart": "some",
            "type": "nano",
            "version": "7.2-69057 Update 4",
            "version_details": {
                "buildnumber": 69057,
                "major": 7,
                "micro": 0,
                "minor": 2,
                "nano": 4,
                "os_name": "DSM"
            }
        }}),
    }
}

pub(super) fn security(nas: &Synology, now: Timestamp) -> Value {
    let item = |category: &str, total: i64, warnings: i64| {
        json!({
            "category": category,
            "fail": {"danger": 0, "info": 0, "outOfDate": 0, "risk": 0, "warning": warnings},
            "failSeverity": if warnings > 0 { "warning" } else { "safe" },
            "progress": 100,
            "runningItem": "",
            "total": total,
            "waitNum": 0
        })
    };
    json!({
        "items": {
            "malware": item("malware", 3, 0),
            "network": item("network", 4, 1),
            "securitySetting": item("securitySetting", 0, 0),
            "systemCheck": item("systemCheck", 6, 0),
            "update": item("update", 4, 0),
            "userInfo": item("userInfo", 6, 0)
        },
        // it looks once a day, at night
        "lastScanTime": (nas.world.instant(nas.world.midnight(now) + 3600.0).as_millis() / 1000).to_string(),
        "startTime": "",
        "success": true,
        "sysProgress": 100,
        "sysStatus": "warning"
    })
}
