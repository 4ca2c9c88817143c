//! The list of everything in the cluster, `/cluster/resources`: the one cheap call.

use std::collections::{BTreeMap, HashMap};

use schemas::{Entity, Fields};
use serde_json::Value;

use super::wire::{
    Object, entity, flag, number, rows, set_number, set_ratio, set_whole, text, whole,
};

/// One node, guest or storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resource {
    pub(super) entity: Entity,
    pub(super) status: String,
    /// Where it is; nothing for what all nodes share.
    pub(super) node: Option<String>,
    pub(super) fields: Fields,
}

/// What the list tells.
#[derive(Debug, Default)]
pub(super) struct Resources {
    pub(super) nodes: Vec<Resource>,
    pub(super) guests: Vec<Resource>,
    pub(super) storages: Vec<Resource>,
}

impl Resources {
    /// Reads the list; rows of other types, and rows without a name, are left out. A template is no guest: it never runs.
    pub(super) fn of(data: &Value) -> Self {
        let mut found = Self::default();
        // a guest that is being moved may stand there twice
        let mut guests = HashMap::new();
        let mut storages = BTreeMap::new();
        for row in rows(data) {
            match row.get("type").and_then(Value::as_str) {
                Some("node") => found.nodes.extend(node(row)),
                Some("qemu" | "lxc") => {
                    if let Some(guest) = guest(row) {
                        guests.insert(guest.entity.id.clone(), guest);
                    }
                }
                Some("storage") => {
                    let Some(storage) = storage(row) else {
                        continue;
                    };
                    let id = storage.entity.id.clone();
                    // a shared one stands there once for each node; a node that is away does not know it
                    if storage.status == "available" || !storages.contains_key(&id) {
                        storages.insert(id, storage);
                    }
                }
                _ => {}
            }
        }
        found.guests = guests.into_values().collect();
        found.guests.sort_by(|a, b| a.entity.id.cmp(&b.entity.id));
        found.storages = storages.into_values().collect();
        found
    }

    /// Whether it looks as it does for whoever may see nothing: no error, but at most bare names of nodes.
    pub(super) fn is_blind(&self) -> bool {
        self.guests.is_empty()
            && self.storages.is_empty()
            && self
                .nodes
                .iter()
                .all(|node| node.fields.get("memory_total_bytes").is_none())
    }
}

fn status_of(row: &Object) -> String {
    text(row, "status").unwrap_or_else(|| "unknown".to_owned())
}

fn node(row: &Object) -> Option<Resource> {
    let name = text(row, "node")?;
    let status = status_of(row);
    let mut fields = Fields::new();
    fields.set_text("status", &status);
    if status == "online" {
        set_number(&mut fields, "cpu_ratio", number(row, "cpu"));
        set_whole(&mut fields, "cpus_count", whole(row, "maxcpu"));
        let (used, total) = (whole(row, "mem"), whole(row, "maxmem"));
        set_whole(&mut fields, "memory_used_bytes", used);
        set_whole(&mut fields, "memory_total_bytes", total);
        set_ratio(&mut fields, "memory_used_ratio", used, total);
        let (used, total) = (whole(row, "disk"), whole(row, "maxdisk"));
        set_whole(&mut fields, "root_used_bytes", used);
        set_whole(&mut fields, "root_size_bytes", total);
        set_ratio(&mut fields, "root_used_ratio", used, total);
        set_whole(&mut fields, "uptime_seconds", whole(row, "uptime"));
    }
    Some(Resource {
        entity: entity("proxmox_node", &name)?.with_label("name", &name),
        node: Some(name),
        status,
        fields,
    })
}

fn guest(row: &Object) -> Option<Resource> {
    if flag(row, "template") == Some(true) {
        return None;
    }
    let number_of_guest = whole(row, "vmid")?.to_string();
    let kind = text(row, "type")?;
    let node = text(row, "node");
    let status = status_of(row);
    let mut fields = Fields::new();
    fields
        .set_text("status", &status)
        // told also when there is none, or the last one would seem to last
        .set_text("lock", text(row, "lock").as_deref().unwrap_or("none"));
    if let Some(state) = text(row, "hastate") {
        fields.set_text("ha_state", &state);
    }
    set_whole(&mut fields, "cpus_count", whole(row, "maxcpu"));
    let memory = whole(row, "maxmem");
    set_whole(&mut fields, "memory_total_bytes", memory);
    let size = whole(row, "maxdisk").filter(|size| *size > 0);
    set_whole(&mut fields, "disk_size_bytes", size);
    // zeros of a guest that does not run are no readings
    if is_alive(&status) {
        set_number(&mut fields, "cpu_ratio", number(row, "cpu"));
        let used = whole(row, "mem");
        set_whole(&mut fields, "memory_used_bytes", used);
        set_ratio(&mut fields, "memory_used_ratio", used, memory);
        set_whole(&mut fields, "memory_host_bytes", whole(row, "memhost"));
        if kind == "lxc" {
            // of a virtual machine the service knows only the size, and says 0
            let used = whole(row, "disk").filter(|used| *used > 0);
            set_whole(&mut fields, "disk_used_bytes", used);
            set_ratio(&mut fields, "disk_used_ratio", used, size);
        }
        for (field, key) in [
            ("rx_bytes_total", "netin"),
            ("tx_bytes_total", "netout"),
            ("disk_read_bytes_total", "diskread"),
            ("disk_written_bytes_total", "diskwrite"),
            ("uptime_seconds", "uptime"),
        ] {
            set_whole(&mut fields, field, whole(row, key));
        }
    }
    let label = |key| text(row, key).unwrap_or_default();
    Some(Resource {
        entity: entity("proxmox_guest", &number_of_guest)?
            .with_label("name", &label("name"))
            .with_label("guest_type", &kind)
            .with_label("node", node.as_deref().unwrap_or_default())
            .with_label("pool", &label("pool"))
            .with_label("tags", &label("tags")),
        status,
        node,
        fields,
    })
}

fn is_alive(status: &str) -> bool {
    matches!(status, "running" | "paused" | "suspended" | "prelaunch")
}

fn storage(row: &Object) -> Option<Resource> {
    let name = text(row, "storage")?;
    let is_shared = flag(row, "shared") == Some(true);
    let node = if is_shared {
        None
    } else {
        Some(text(row, "node")?)
    };
    let id = node
        .as_ref()
        .map_or_else(|| name.clone(), |node| format!("{node}/{name}"));
    let status = status_of(row);
    let mut fields = Fields::new();
    fields.set_text("status", &status);
    // one that is not there says 0 of 0
    let total = whole(row, "maxdisk").filter(|total| *total > 0);
    if let Some(total) = total.filter(|_| status == "available") {
        let used = whole(row, "disk");
        set_whole(&mut fields, "size_bytes", Some(total));
        set_whole(&mut fields, "used_bytes", used);
        set_ratio(&mut fields, "used_ratio", used, Some(total));
    }
    let label = |key| text(row, key).unwrap_or_default();
    Some(Resource {
        entity: entity("proxmox_storage", &id)?
            .with_label("name", &name)
            .with_label("node", node.as_deref().unwrap_or_default())
            .with_label("storage_type", &label("plugintype"))
            .with_label("content", &label("content")),
        status,
        node,
        fields,
    })
}
