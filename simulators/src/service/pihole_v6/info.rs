//! What it tells of itself.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::PiholeV6;
use crate::number::{real, rounded, whole};

/// Memory of its machine, in KiB.
const MEMORY: i64 = 1_001_152;

impl PiholeV6 {
    /// What is below `/api/info`; absent if nothing is there.
    pub(super) fn info(&self, path: &str, now: Timestamp) -> Option<Value> {
        let reading = self.dns.read(&self.world, now);
        let level = |key: &str, mean, daily, drift| {
            self.world
                .level(&self.world.wave(key, mean, daily, drift), now)
        };
        let answer = match path {
            "info/client" => json!({
                "remote_addr": "127.0.0.1",
                "http_version": "1.1",
                "method": "GET",
                "headers": []
            }),
            "info/system" => {
                let used = whole(level("dns2/memory", 0.23, 0.02, 0.08) * real(MEMORY));
                let load = level("dns2/load", 0.21, 0.3, 0.25);
                let raw = [load, load * 0.95, load * 0.9].map(|load| rounded(load, 6));
                json!({"system": {
                    "uptime": reading.uptime_seconds,
                    "memory": {
                        "ram": {
                            "total": MEMORY,
                            "free": MEMORY - used - 310_000,
                            "used": used,
                            "available": MEMORY - used - 40_000,
                            "%used": real(used) / real(MEMORY) * 100.0
                        },
                        "swap": {"total": 102_396, "free": 102_396, "used": 0, "%used": 0.0}
                    },
                    "procs": 143,
                    "cpu": {
                        "nprocs": 4,
                        "%cpu": rounded(load / 4.0 * 100.0, 3),
                        "load": {"raw": raw, "percent": raw.map(|load| rounded(load / 4.0 * 100.0, 4))}
                    },
                    "ftl": {"%mem": 2.41, "%cpu": rounded(0.2 + reading.frequency / 3.0, 3)}
                }})
            }
            "info/sensors" => {
                let celsius = rounded(level("climate/hall", 46.0, 0.05, 0.06), 1);
                json!({"sensors": {
                    "list": [{
                        "name": "cpu_thermal",
                        "path": "hwmon0",
                        "source": "thermal_zone0",
                        "temps": [{"name": null, "value": celsius, "max": null, "crit": 110.0, "sensor": "temp1"}]
                    }],
                    "cpu_temp": celsius,
                    "hot_limit": 60,
                    "unit": "C"
                }})
            }
            "info/ftl" => json!({"ftl": {
                "database": {
                    "gravity": reading.listed,
                    "groups": 1,
                    "lists": 4,
                    "clients": 0,
                    "domains": {
                        "allowed": {"total": 6, "enabled": 6},
                        "denied": {"total": 2, "enabled": 2}
                    },
                    "regex": {
                        "allowed": {"total": 0, "enabled": 0},
                        "denied": {"total": 1, "enabled": 1}
                    }
                },
                "privacy_level": 0,
                "query_frequency": reading.frequency,
                "clients": {"total": reading.clients_total, "active": reading.clients_active},
                "pid": 514,
                // milliseconds
                "uptime": real(reading.uptime_seconds * 1000),
                "%mem": 2.41,
                "%cpu": rounded(0.2 + reading.frequency / 3.0, 3),
                "allow_destructive": true,
                "dnsmasq": {
                    "dns_cache_inserted": reading.forwarded,
                    "dns_cache_live_freed": 0,
                    "dns_queries_forwarded": reading.forwarded,
                    "dns_local_answered": reading.cached + reading.blocked,
                    "dns_stale_answered": 0,
                    "dns_unanswered": 0
                }
            }}),
            "info/version" => version(),
            "info/host" => json!({"host": {
                "uname": {
                    "domainname": "(none)",
                    "machine": "aarch64",
                    "nodename": "dns2",
                    "release": "6.6.51+rpt-rpi-v8",
                    "sysname": "Linux",
                    "version": "#1 SMP PREEMPT Debian 1:6.6.51-1+rpt3 (2024-10-08)"
                },
                "model": "Raspberry Pi 4 Model B Rev 1.4",
                "dmi": {
                    "bios": {"vendor": null},
                    "board": {"name": null, "vendor": null, "version": null},
                    "product": {"name": null, "family": null, "version": null},
                    "sys": {"vendor": null}
                }
            }}),
            "info/database" => json!({
                "size": 9_400_320 + whole(reading.frequency * 1_000_000.0) / 4096 * 4096,
                "type": "Regular file",
                "mode": "rw-r-----",
                "atime": now.as_millis() / 1000,
                "mtime": now.as_millis() / 1000 / 60 * 60,
                "ctime": now.as_millis() / 1000 / 60 * 60,
                "owner": {
                    "user": {"uid": 999, "name": "pihole", "info": ""},
                    "group": {"gid": 996, "name": "pihole"}
                },
                "queries": reading.total,
                "earliest_timestamp": now.as_millis() / 1000 - 86_400,
                "queries_disk": reading.total * 90,
                "earliest_timestamp_disk": now.as_millis() / 1000 - 86_400 * 91,
                "sqlite_version": "3.51.1"
            }),
            "info/messages" => json!({"messages": []}),
            "info/messages/count" => json!({"count": 0}),
            "info/metrics" => json!({"metrics": {
                "dns": {
                    "cache": {
                        "size": 10_000,
                        "inserted": reading.forwarded,
                        "evicted": 0,
                        "expired": reading.forwarded * 4 / 5,
                        "immortal": 11,
                        "content": [{"type": 1, "name": "A", "count": {"valid": 311, "stale": 2}}]
                    },
                    "replies": {
                        "local": reading.cached + reading.blocked,
                        "forwarded": reading.forwarded,
                        "optimized": 0,
                        "unanswered": 0,
                        "auth": 0,
                        "sum": reading.total
                    }
                },
                "dhcp": {
                    "ack": 0, "decline": 0, "discover": 0, "inform": 0, "nak": 0, "offer": 0,
                    "release": 0, "request": 0, "noanswer": 0, "bootp": 0, "pxe": 0,
                    "leases": {"allocated_4": 0, "pruned_4": 0, "allocated_6": 0, "pruned_6": 0}
                }
            }}),
            _ => return None,
        };
        Some(answer)
    }
}

fn version() -> Value {
    let part = |local: &str, remote: &str, hash: &str, newer: &str| {
        json!({
            "local": {"branch": "master", "version": local, "hash": hash},
            "remote": {"version": remote, "hash": newer}
        })
    };
    let mut ftl = part("v6.4", "v6.4.1", "64441ed6", "7a3f10c2");
    ftl["local"]["date"] = json!("2025-11-27");
    json!({"version": {
        "core": part("v6.3", "v6.3", "955e36a9", "955e36a9"),
        "web": part("v6.4", "v6.4", "f69f7e88", "f69f7e88"),
        "ftl": ftl,
        "docker": {"local": null, "remote": null}
    }})
}
