//! What sources of kind `proxmox` tell.

use schemas::{Entity, Fields, time::Timestamp};

use super::{
    Source, Span,
    told::{Told, entity, share},
};
use crate::{
    number::real,
    world::{
        World, chance,
        cluster::{Cluster, Guest, Node, Storage, Task},
    },
};

/// How often disks are listed.
const DISKS_EVERY: i64 = 1_800_000;
/// A task that is over sooner is seen only when it is.
const SHORT: i64 = 60;

/// A cluster of Proxmox VE.
pub(super) struct Proxmox {
    cluster: Cluster,
}

impl Proxmox {
    pub(super) fn new() -> Self {
        Self {
            cluster: Cluster::new(),
        }
    }

    fn tell_node(
        &self,
        world: &World,
        node: &Node,
        at: Timestamp,
        told: &mut Told,
    ) -> anyhow::Result<()> {
        let now = self.cluster.node(world, node, at);
        let [one, five, fifteen] = now.loads;
        let entity = entity("proxmox_node", node.name)?
            .with_label("name", node.name)
            .with_label("version", "9.0.10")
            .with_label("kernel", "6.14.11-4-pve")
            .with_label("cpu_model", node.cpu);
        let mut fields = Fields::new();
        fields
            .set_text("status", "online")
            .set_rounded("cpu_ratio", now.cpu_ratio, 4)
            .set("cpus_count", node.cores)
            .set("memory_used_bytes", now.memory_used)
            .set("memory_total_bytes", node.memory)
            .set_rounded("memory_used_ratio", share(now.memory_used, node.memory), 4)
            .set("root_used_bytes", now.root_used)
            .set("root_size_bytes", node.root)
            .set_rounded("root_used_ratio", share(now.root_used, node.root), 4)
            .set("uptime_seconds", now.uptime_seconds)
            .set_rounded("load_1", one, 4)
            .set_rounded("load_5", five, 4)
            .set_rounded("load_15", fifteen, 4)
            .set_rounded("io_wait_ratio", now.wait_ratio, 4)
            .set("swap_used_bytes", now.swap_used)
            .set("swap_total_bytes", 8_i64 << 30)
            .set("memory_available_bytes", node.memory - now.memory_used)
            .set("ksm_shared_bytes", 0_i64);
        told.sample(entity, fields);
        Ok(())
    }

    fn tell_guest(
        &self,
        world: &World,
        guest: &Guest,
        at: Timestamp,
        told: &mut Told,
    ) -> anyhow::Result<()> {
        let now = self.cluster.guest(world, guest, at);
        let kind = if guest.container { "lxc" } else { "qemu" };
        let entity = entity("proxmox_guest", &guest.id.to_string())?
            .with_label("name", guest.name)
            .with_label("guest_type", kind)
            .with_label("node", guest.node)
            .with_label("tags", guest.tags);
        let mut fields = Fields::new();
        fields
            .set_text("status", if guest.runs { "running" } else { "stopped" })
            .set_text("lock", "none")
            .set("cpus_count", guest.cores)
            .set("memory_total_bytes", guest.memory)
            .set("disk_size_bytes", guest.disk);
        if guest.runs {
            let used = now.memory_used;
            // a virtual machine takes some more than it knows of
            let of_host = if guest.container {
                used
            } else {
                used / 100 * 106
            };
            fields
                .set_rounded("cpu_ratio", now.cpu_ratio, 4)
                .set("memory_used_bytes", used)
                .set_rounded("memory_used_ratio", share(used, guest.memory), 4)
                .set("memory_host_bytes", of_host)
                .set("rx_bytes_total", now.received)
                .set("tx_bytes_total", now.sent)
                .set("disk_read_bytes_total", now.read)
                .set("disk_written_bytes_total", now.written)
                .set("uptime_seconds", now.uptime_seconds);
            if guest.container {
                fields.set("disk_used_bytes", now.disk_used).set_rounded(
                    "disk_used_ratio",
                    share(now.disk_used, guest.disk),
                    4,
                );
            }
        }
        told.sample(entity, fields);
        Ok(())
    }

    fn tell_cluster(&self, told: &mut Told) -> anyhow::Result<()> {
        let nodes = i64::try_from(self.cluster.nodes.len()).unwrap_or(0);
        let mut fields = Fields::new();
        fields
            .set("nodes_count", nodes)
            .set("nodes_online_count", nodes)
            .set("quorate", true)
            .set("guests_without_backup_count", 1_i64);
        told.sample(
            entity("proxmox_cluster", "home")?.with_label("name", "home"),
            fields,
        );
        Ok(())
    }

    fn tell_tasks(&self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let instant = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        for task in self.cluster.tasks(world, 2, span.to) {
            let (start, end) = (task.start_seconds, task.end_seconds);
            let is_short = end.is_some_and(|end| end - start < SHORT);
            if span.has(instant(start)) && !is_short {
                told.change(instant(start), of_task(&task)?, task_fields("running"));
            }
            if let Some(end) = end.filter(|end| span.has(instant(*end))) {
                let mut fields = task_fields("ok");
                fields.set("duration_seconds", end - start);
                told.change(instant(end), of_task(&task)?, fields);
            }
        }
        Ok(())
    }
}

fn of_task(task: &Task) -> anyhow::Result<Entity> {
    let of = if task.id.is_empty() {
        task.node
    } else {
        &task.id
    };
    Ok(entity("proxmox_task", &format!("{of}/{}", task.kind))?
        .with_label("task_type", task.kind)
        .with_label("guest", &task.id)
        .with_label("node", task.node))
}

fn task_fields(state: &str) -> Fields {
    let mut fields = Fields::new();
    fields.set_text("state", state).set_text("user", "root@pam");
    fields
}

fn tell_storage(
    world: &World,
    storage: &Storage,
    at: Timestamp,
    told: &mut Told,
) -> anyhow::Result<()> {
    let used = Cluster::used(world, storage, at);
    let id = storage.node.map_or_else(
        || storage.name.to_owned(),
        |node| format!("{node}/{}", storage.name),
    );
    let entity = entity("proxmox_storage", &id)?
        .with_label("name", storage.name)
        .with_label("node", storage.node.unwrap_or_default())
        .with_label("storage_type", storage.kind)
        .with_label("content", storage.content);
    let mut fields = Fields::new();
    fields
        .set_text("status", "available")
        .set("size_bytes", storage.bytes)
        .set("used_bytes", used)
        .set_rounded("used_ratio", share(used, storage.bytes), 4);
    told.sample(entity, fields);
    Ok(())
}

/// A disk for the system and one for data, as each node has them.
fn tell_disks(world: &World, node: &Node, told: &mut Told) -> anyhow::Result<()> {
    for (n, device, model, kind, bytes, left) in [
        (
            0,
            "/dev/nvme0n1",
            "SAMSUNG MZVL21T0HCLR-00B00",
            "nvme",
            1_024_209_543_168_i64,
            Some(93),
        ),
        (
            1,
            "/dev/sda",
            "ST4000VN006-3CW104",
            "hdd",
            4_000_787_030_016,
            None,
        ),
    ] {
        let key = format!("{}/disk{n}", node.name);
        let serial = chance::digits(world.seed(), &key, 12).to_uppercase();
        let entity = entity("proxmox_disk", &serial)?
            .with_label("node", node.name)
            .with_label("device", device)
            .with_label("model", model)
            .with_label("serial", &serial)
            .with_label("disk_type", kind);
        let mut fields = Fields::new();
        fields.set("size_bytes", bytes).set_text("health", "passed");
        if let Some(left) = left {
            fields.set_rounded("life_left_ratio", real(left) / 100.0, 4);
        }
        told.sample(entity, fields);
    }
    Ok(())
}

impl Source for Proxmox {
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let at = span.to;
        for node in &self.cluster.nodes {
            self.tell_node(world, node, at, told)?;
            if at.as_millis() % DISKS_EVERY == 0 {
                tell_disks(world, node, told)?;
            }
        }
        for guest in self.cluster.guests.iter().filter(|guest| !guest.template) {
            self.tell_guest(world, guest, at, told)?;
        }
        for storage in &self.cluster.storages {
            tell_storage(world, storage, at, told)?;
        }
        if span.slow {
            self.tell_cluster(told)?;
        }
        self.tell_tasks(world, span, told)
    }
}
