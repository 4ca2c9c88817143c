//! Rows of the cluster's resources, and guests one by one.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::{Proxmox, Refused, refused};
use crate::{
    call::Call,
    number::{rounded, whole},
    world::cluster::{Cluster, Guest, Node, Storage},
};

const fn kind(guest: &Guest) -> &'static str {
    if guest.container { "lxc" } else { "qemu" }
}

impl Proxmox {
    /// All that there is, or what is of a type.
    pub(super) fn resources(&self, wanted: Option<&str>, now: Timestamp) -> Value {
        let wants = |kind: &str| wanted.is_none_or(|wanted| wanted == kind);
        let mut rows = Vec::new();
        if wants("vm") {
            rows.extend(self.cluster.guests.iter().map(|guest| {
                let mut row = self.guest(guest, now);
                row["id"] = json!(format!("{}/{}", kind(guest), guest.id));
                row["node"] = json!(guest.node);
                row["type"] = json!(kind(guest));
                row["template"] = json!(i64::from(guest.template));
                row["maxcpu"] = json!(guest.cores);
                row
            }));
        }
        if wants("node") {
            rows.extend(self.cluster.nodes.iter().map(|node| {
                let mut row = self.node_row(node, now);
                row["cgroup-mode"] = json!(2);
                row
            }));
        }
        if wants("storage") {
            for storage in &self.cluster.storages {
                rows.extend(
                    self.holders(storage)
                        .map(|node| storage_row(&self.world, storage, node, now)),
                );
            }
        }
        if wants("sdn") {
            rows.extend(self.cluster.nodes.iter().map(|node| {
                json!({
                    "id": format!("sdn/{}/localnetwork", node.name),
                    "node": node.name,
                    "sdn": "localnetwork",
                    "status": "ok",
                    "type": "sdn"
                })
            }));
        }
        Value::Array(rows)
    }

    /// The nodes that have a storage.
    fn holders<'a>(&'a self, storage: &'a Storage) -> impl Iterator<Item = &'a Node> {
        let nodes = self.cluster.nodes.iter();
        nodes.filter(|node| storage.node.is_none_or(|holder| holder == node.name))
    }

    /// What is told of a guest everywhere.
    fn guest(&self, guest: &Guest, now: Timestamp) -> Value {
        let reading = self.cluster.guest(&self.world, guest, now);
        let mut row = json!({
            "cpu": rounded(reading.cpu_ratio, 15),
            "disk": reading.disk_used,
            "diskread": reading.read,
            "diskwrite": reading.written,
            "maxdisk": guest.disk,
            "maxmem": guest.memory,
            "mem": reading.memory_used,
            "memhost": if guest.container { reading.memory_used } else { reading.memory_used / 100 * 106 },
            "name": guest.name,
            "netin": reading.received,
            "netout": reading.sent,
            "status": if guest.runs { "running" } else { "stopped" },
            "uptime": reading.uptime_seconds,
            "vmid": guest.id,
        });
        if !guest.tags.is_empty() {
            row["tags"] = json!(guest.tags);
        }
        row
    }

    /// A guest in the list of its node, and by itself.
    fn current(&self, guest: &Guest, now: Timestamp) -> Value {
        let mut row = self.guest(guest, now);
        row["cpus"] = json!(guest.cores);
        if guest.template {
            row["template"] = json!(1);
        }
        if guest.container {
            row["type"] = json!("lxc");
            row["swap"] = json!(0);
            row["maxswap"] = json!(512 << 20);
        } else {
            row["qmpstatus"] = row["status"].clone();
        }
        if guest.runs {
            row["pid"] = json!(2000 + guest.id);
            let busy = row["cpu"].as_f64().unwrap_or(0.0);
            for what in ["cpu", "io", "memory"] {
                for (how, share) in [("some", 1.4), ("full", 0.6)] {
                    let pressure = rounded(busy * share, 2);
                    // the one is told as a number, the other as text
                    row[format!("pressure{what}{how}")] = if guest.container {
                        json!(format!("{pressure:.2}"))
                    } else {
                        json!(pressure)
                    };
                }
            }
        }
        row
    }

    /// What is below `/nodes/{node}/qemu` and `/nodes/{node}/lxc`.
    pub(super) fn of_guests(
        &self,
        call: &Call,
        node: &Node,
        kind_wanted: &str,
        rest: &[&str],
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let here = || {
            self.cluster
                .guests_of(node.name)
                .filter(|guest| kind(guest) == kind_wanted)
        };
        let [id, rest @ ..] = rest else {
            return Ok(here().map(|guest| self.current(guest, now)).collect());
        };
        let found = here().find(|guest| guest.id.to_string() == *id);
        let guest = found.ok_or_else(|| {
            let folder = if kind_wanted == "lxc" {
                "lxc"
            } else {
                "qemu-server"
            };
            let file = format!("nodes/{}/{folder}/{id}.conf", node.name);
            refused(500, format!("Configuration file '{file}' does not exist"))
        })?;
        match rest {
            ["status", "current"] => {
                let mut row = self.current(guest, now);
                row["ha"] = json!({"managed": 0});
                if !guest.container && guest.runs {
                    row["agent"] = json!(1);
                    row["balloon"] = json!(guest.memory);
                    row["proxmox-support"] =
                        json!({"backup-max-workers": true, "pbs-dirty-bitmap": true});
                    row["running-machine"] = json!("pc-q35-9.2+pve1");
                    row["running-qemu"] = json!("10.0.2");
                }
                Ok(row)
            }
            ["config"] => Ok(json!({
                "cores": guest.cores,
                "digest": format!("{:040x}", guest.id),
                "memory": guest.memory >> 20,
                "name": guest.name,
                "onboot": i64::from(guest.runs),
                "ostype": if guest.container { "debian" } else { "l26" },
                "tags": guest.tags,
            })),
            ["rrddata"] => self.guest_history(call, guest, now),
            ["agent", "get-fsinfo"] if !guest.container => {
                if !guest.runs || guest.id == 100 {
                    return Err(refused(500, "QEMU guest agent is not running"));
                }
                let used = self.world.fills("guest101/root", 210.0, 0.35, 0.8, now);
                let total = guest.disk / 100 * 96;
                Ok(json!({"result": [{
                    "disk": [{"bus-type": "scsi", "dev": "/dev/sda1", "target": 0, "unit": 0}],
                    "mountpoint": "/",
                    "name": "sda1",
                    "total-bytes": total,
                    "type": "ext4",
                    "used-bytes": whole(crate::number::real(total) * used)
                }]}))
            }
            _ => Err(refused(
                501,
                format!(
                    "Method 'GET /nodes/{}/{kind_wanted}/{id}/{}' not implemented",
                    node.name,
                    rest.join("/")
                ),
            )),
        }
    }
}

fn storage_row(
    world: &crate::world::World,
    storage: &Storage,
    node: &Node,
    now: Timestamp,
) -> Value {
    json!({
        "content": storage.content,
        "disk": Cluster::used(world, storage, now),
        "id": format!("storage/{}/{}", node.name, storage.name),
        "maxdisk": storage.bytes,
        "node": node.name,
        "plugintype": storage.kind,
        "shared": i64::from(storage.node.is_none()),
        "status": "available",
        "storage": storage.name,
        "type": "storage",
    })
}
