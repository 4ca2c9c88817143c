//! What the nodes did.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::Proxmox;
use crate::{
    call::Call,
    world::cluster::{Node, Task},
};

/// How many days back it remembers.
const DAYS: i32 = 7;

fn row(task: &Task) -> Value {
    let user = "root@pam";
    let mut row = json!({
        "id": task.id,
        "node": task.node,
        "pid": 4000 + task.number,
        "pstart": task.start_seconds % 1_000_000,
        "starttime": task.start_seconds,
        "type": task.kind,
        "upid": format!(
            "UPID:{}:{:08X}:{:08X}:{:08X}:{}:{}:{user}:",
            task.node,
            4000 + task.number,
            task.start_seconds % 1_000_000,
            task.start_seconds,
            task.kind,
            task.id
        ),
        "user": user,
    });
    if let Some(end) = task.end_seconds {
        row["endtime"] = json!(end);
        row["status"] = json!("OK");
    }
    row
}

impl Proxmox {
    pub(super) fn cluster_tasks(&self, now: Timestamp) -> Value {
        let tasks = self.cluster.tasks(&self.world, 2, now);
        tasks.iter().take(25).map(row).collect()
    }

    /// Tasks of a node, which are over unless `source` asks for those that run.
    pub(super) fn node_tasks(&self, call: &Call, node: &Node, now: Timestamp) -> Value {
        let number = |name: &str| call.query_param(name).and_then(|n| n.parse::<usize>().ok());
        let source = call.query_param("source").unwrap_or("archive");
        self.cluster
            .tasks(&self.world, DAYS, now)
            .iter()
            .filter(|task| task.node == node.name)
            .filter(|task| match source {
                "active" => task.end_seconds.is_none(),
                "all" => true,
                _ => task.end_seconds.is_some(),
            })
            .filter(|task| {
                call.query_param("typefilter")
                    .is_none_or(|kind| kind == task.kind)
            })
            .filter(|task| call.query_param("vmid").is_none_or(|id| id == task.id))
            .skip(number("start").unwrap_or(0))
            .take(number("limit").unwrap_or(50).min(500))
            .map(row)
            .collect()
    }
}
