//! Nodes, their storage and their disks.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::{Proxmox, Refused, Right, refused};
use crate::{
    call::Call,
    number::{real, rounded},
    world::{
        chance,
        cluster::{Cluster, Node},
    },
};

impl Proxmox {
    pub(super) fn cluster_status(&self) -> Value {
        let mut rows = vec![json!({
            "id": "cluster",
            "name": "home",
            "nodes": self.cluster.nodes.len(),
            "quorate": 1,
            "type": "cluster",
            "version": 2
        })];
        rows.extend(self.cluster.nodes.iter().zip(1..).map(|(node, n)| {
            json!({
                "id": format!("node/{}", node.name),
                "ip": node.address,
                "level": "",
                "local": i64::from(n == 1),
                "name": node.name,
                "nodeid": n,
                "online": 1,
                "type": "node"
            })
        }));
        Value::Array(rows)
    }

    pub(super) fn storages(&self) -> Value {
        let mut seen = Vec::new();
        let mut rows = Vec::new();
        for storage in &self.cluster.storages {
            if !seen.contains(&storage.name) {
                seen.push(storage.name);
                rows.push(json!({
                    "content": storage.content,
                    "digest": chance::digits(self.world.seed(), "storage.cfg", 40),
                    "shared": i64::from(storage.node.is_none()),
                    "storage": storage.name,
                    "type": storage.kind,
                }));
            }
        }
        Value::Array(rows)
    }

    /// A node where nodes are listed.
    pub(super) fn node_row(&self, node: &Node, now: Timestamp) -> Value {
        let reading = self.cluster.node(&self.world, node, now);
        json!({
            "cpu": rounded(reading.cpu_ratio, 15),
            "disk": reading.root_used,
            "id": format!("node/{}", node.name),
            "level": "",
            "maxcpu": node.cores,
            "maxdisk": node.root,
            "maxmem": node.memory,
            "mem": reading.memory_used,
            "node": node.name,
            "status": "online",
            "type": "node",
            "uptime": reading.uptime_seconds,
        })
    }

    /// The list of nodes; who may see nothing sees that they are there.
    pub(super) fn nodes(&self, right: Right, now: Timestamp) -> Value {
        self.cluster
            .nodes
            .iter()
            .map(|node| {
                let mut row = match right {
                    Right::Auditor => self.node_row(node, now),
                    Right::None => json!({
                        "id": format!("node/{}", node.name),
                        "node": node.name,
                        "status": "online",
                        "type": "node"
                    }),
                };
                row["ssl_fingerprint"] = json!(self.fingerprint);
                row
            })
            .collect()
    }

    /// What is below `/nodes/{node}`.
    pub(super) fn of_node(
        &self,
        call: &Call,
        node: &Node,
        rest: &[&str],
        now: Timestamp,
    ) -> Result<Value, Refused> {
        match rest {
            ["status"] => Ok(self.status(node, now)),
            ["time"] => Ok(json!({
                "localtime": now.as_millis() / 1000 + i64::from(self.world.offset_seconds()),
                "time": now.as_millis() / 1000,
                "timezone": "Europe/Amsterdam"
            })),
            ["version"] => {
                Ok(json!({"release": "9.0", "repoid": "7f0b6eb0f3a4f35b", "version": "9.0.10"}))
            }
            ["storage"] => Ok(self.storage_of(node, now)),
            ["disks", "list"] => Ok(self.disks(node)),
            ["disks", "zfs"] => Ok(json!([])),
            ["disks", "smart"] => Ok(json!({"health": "PASSED", "type": "ata", "attributes": []})),
            ["tasks"] => Ok(self.node_tasks(call, node, now)),
            ["rrddata"] => self.node_history(call, node, now),
            [kind @ ("qemu" | "lxc"), rest @ ..] => self.of_guests(call, node, kind, rest, now),
            _ => Err(refused(
                501,
                format!(
                    "Method 'GET /nodes/{}/{}' not implemented",
                    node.name,
                    rest.join("/")
                ),
            )),
        }
    }

    fn status(&self, node: &Node, now: Timestamp) -> Value {
        let reading = self.cluster.node(&self.world, node, now);
        let swap = 8_i64 << 30;
        json!({
            "boot-info": {"mode": "efi", "secureboot": 0},
            "cpu": rounded(reading.cpu_ratio, 15),
            "cpuinfo": {
                "cores": node.cores / if node.cores > 4 { 2 } else { 1 },
                "cpus": node.cores,
                "flags": "fpu vme de pse tsc msr",
                "hvm": "1",
                "mhz": "3300.000",
                "model": node.cpu,
                "sockets": 1,
                "user_hz": 100
            },
            "current-kernel": {
                "machine": "x86_64",
                "release": "6.14.11-4-pve",
                "sysname": "Linux",
                "version": "#1 SMP PREEMPT_DYNAMIC PMX 6.14.11-4"
            },
            "idle": 0,
            "ksm": {"shared": 0},
            "kversion": "Linux 6.14.11-4-pve #1 SMP PREEMPT_DYNAMIC PMX 6.14.11-4",
            "loadavg": reading.loads.map(|load| format!("{load:.2}")),
            "memory": {
                "available": node.memory - reading.memory_used,
                "free": (node.memory - reading.memory_used) / 2,
                "total": node.memory,
                "used": reading.memory_used
            },
            "pveversion": "pve-manager/9.0.10/7f0b6eb0f3a4f35b",
            "rootfs": {
                "avail": node.root - reading.root_used - node.root / 20,
                "free": node.root - reading.root_used,
                "total": node.root,
                "used": reading.root_used
            },
            "swap": {"free": swap - reading.swap_used, "total": swap, "used": reading.swap_used},
            "uptime": reading.uptime_seconds,
            "wait": rounded(reading.wait_ratio, 15)
        })
    }

    fn storage_of(&self, node: &Node, now: Timestamp) -> Value {
        self.cluster
            .storages
            .iter()
            .filter(|storage| storage.node.is_none_or(|holder| holder == node.name))
            .map(|storage| {
                let used = Cluster::used(&self.world, storage, now);
                json!({
                    "active": 1,
                    "avail": storage.bytes - used,
                    "content": storage.content,
                    "enabled": 1,
                    "shared": i64::from(storage.node.is_none()),
                    "storage": storage.name,
                    "total": storage.bytes,
                    "type": storage.kind,
                    "used": used,
                    "used_fraction": real(used) / real(storage.bytes),
                })
            })
            .collect()
    }

    fn disks(&self, node: &Node) -> Value {
        let serial = |n| {
            chance::digits(self.world.seed(), &format!("{}/disk{n}", node.name), 12).to_uppercase()
        };
        json!([
            {
                "by_id_link": "/dev/disk/by-id/nvme-SAMSUNG_MZVL21T0HCLR",
                "devpath": "/dev/nvme0n1",
                "gpt": 1,
                "health": "PASSED",
                "model": "SAMSUNG MZVL21T0HCLR-00B00",
                "rpm": 0,
                "serial": serial(0),
                "size": 1_024_209_543_168_i64,
                "type": "nvme",
                "used": "LVM",
                "vendor": "unknown",
                "wearout": 93,
                "wwn": "eui.002538b741401234"
            },
            {
                "devpath": "/dev/sda",
                "gpt": 1,
                "health": "PASSED",
                "model": "ST4000VN006-3CW104",
                "rpm": 5400,
                "serial": serial(1),
                "size": 4_000_787_030_016_i64,
                "type": "hdd",
                "used": "ext4",
                "vendor": "ATA",
                "wearout": "N/A",
                "wwn": "0x5000c500e5a1b2c3"
            }
        ])
    }
}
