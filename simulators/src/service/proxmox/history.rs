//! The round-robin databases: averages of the past.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::{Proxmox, Refused, refused};
use crate::{
    call::Call,
    number::real,
    world::cluster::{Guest, Node},
};

/// Seconds of a row and how many there are, by time frame.
fn frame(call: &Call) -> Result<(i64, i64), Refused> {
    match call.query_param("timeframe") {
        Some("hour") => Ok((60, 70)),
        Some("day") => Ok((1800, 70)),
        Some("week") => Ok((10_800, 70)),
        Some("month") => Ok((43_200, 70)),
        Some("year") => Ok((604_800, 70)),
        _ => Err(refused(400, "Parameter verification failed.")),
    }
}

/// The ends of the rows.
fn ends(step: i64, count: i64, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let last = now.as_millis() / 1000 / step;
    (last - count..=last).map(move |n| Timestamp::from_millis(n * step * 1000))
}

impl Proxmox {
    pub(super) fn node_history(
        &self,
        call: &Call,
        node: &Node,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let (step, count) = frame(call)?;
        let rows = ends(step, count, now).map(|at| {
            let reading = self.cluster.node(&self.world, node, at);
            json!({
                "cpu": reading.cpu_ratio,
                "iowait": reading.wait_ratio,
                "loadavg": reading.loads[0],
                "maxcpu": node.cores,
                "memavailable": node.memory - reading.memory_used,
                "memtotal": node.memory,
                "memused": reading.memory_used,
                "netin": 90_000.0 * reading.cpu_ratio,
                "netout": 250_000.0 * reading.cpu_ratio,
                "pressurecpusome": reading.cpu_ratio * 9.0,
                "roottotal": node.root,
                "rootused": reading.root_used,
                "swaptotal": 8_i64 << 30,
                "swapused": reading.swap_used,
                "time": at.as_millis() / 1000
            })
        });
        Ok(rows.collect())
    }

    pub(super) fn guest_history(
        &self,
        call: &Call,
        guest: &Guest,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let (step, count) = frame(call)?;
        let rows = ends(step, count, now).map(|at| {
            let before = self
                .cluster
                .guest(&self.world, guest, at.plus_millis(-step * 1000));
            let reading = self.cluster.guest(&self.world, guest, at);
            // counters here are rates; a restart is a gap
            let rate = |was: i64, is: i64| (is >= was).then(|| real(is - was) / real(step));
            json!({
                "cpu": reading.cpu_ratio,
                "disk": reading.disk_used,
                "diskread": rate(before.read, reading.read),
                "diskwrite": rate(before.written, reading.written),
                "maxcpu": guest.cores,
                "maxdisk": guest.disk,
                "maxmem": guest.memory,
                "mem": reading.memory_used,
                "netin": rate(before.received, reading.received),
                "netout": rate(before.sent, reading.sent),
                "time": at.as_millis() / 1000
            })
        });
        Ok(rows.collect())
    }
}
