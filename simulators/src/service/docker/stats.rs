//! What a container uses, once or every second.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::{Docker, Inner, NEVER, TWO_SAMPLES, failure, merged, switched, written};
use crate::{
    call::Call,
    reply::Reply,
    world::containers::{CORES, Container, Engine},
};

impl Docker {
    pub(super) fn stats(&self, call: &Call, wanted: &str, now: Timestamp) -> Reply {
        let Some(container) = self.0.find(wanted) else {
            return failure(404, format!("No such container: {wanted}"));
        };
        if !switched(call, "stream", true) {
            if switched(call, "one-shot", false) {
                return Reply::json(200, &self.0.reading(container, None, now));
            }
            let before = now.plus_millis(-1000);
            return Reply::json(200, &self.0.reading(container, Some(before), now))
                .after(TWO_SAMPLES);
        }
        let (inner, name) = (Arc::clone(&self.0), container.name);
        let stream = futures::stream::unfold(None, move |before: Option<Timestamp>| {
            let inner = Arc::clone(&inner);
            async move {
                if before.is_some() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                let now = Timestamp::now();
                let container = inner.find(name)?;
                let line = format!("{}\n", inner.reading(container, before, now));
                Some((Ok(Bytes::from(line)), Some(now)))
            }
        });
        Reply::stream("application/json", stream.boxed())
    }
}

impl Inner {
    /// One reading; without an instant before it, it has nothing to compare with.
    fn reading(&self, container: &Container, before: Option<Timestamp>, now: Timestamp) -> Value {
        let name = json!({"name": format!("/{}", container.name), "id": self.id(container.name)});
        let Some(usage) = Engine::usage(&self.world, container, now) else {
            let zero = json!({
                "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
                "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}
            });
            return merged(
                name,
                json!({
                    "read": NEVER,
                    "preread": NEVER,
                    "pids_stats": {},
                    "blkio_stats": {"io_service_bytes_recursive": null, "io_serviced_recursive": null},
                    "num_procs": 0,
                    "storage_stats": {},
                    "cpu_stats": zero,
                    "precpu_stats": zero,
                    "memory_stats": {},
                }),
            );
        };
        let before =
            before.filter(|before| Engine::usage(&self.world, container, *before).is_some());
        let earlier = before.and_then(|before| {
            let usage = Engine::usage(&self.world, container, before)?;
            Some(self.cpu(usage.cpu_nanos, before))
        });
        let file = usage.memory / 9 / 4096 * 4096;
        let io = |op: &str, value: i64| json!({"major": 259, "minor": 0, "op": op, "value": value});
        merged(
            name,
            json!({
                "read": written(now),
                "preread": before.map_or_else(|| NEVER.to_owned(), written),
                "pids_stats": {"current": usage.processes, "limit": 18_446_744_073_709_551_615_u64},
                "blkio_stats": {
                    "io_service_bytes_recursive": [io("read", usage.read), io("write", usage.written)],
                    "io_serviced_recursive": null,
                    "io_queue_recursive": null,
                    "io_service_time_recursive": null,
                    "io_wait_time_recursive": null,
                    "io_merged_recursive": null,
                    "io_time_recursive": null,
                    "sectors_recursive": null
                },
                "num_procs": 0,
                "storage_stats": {},
                "cpu_stats": self.cpu(usage.cpu_nanos, now),
                "precpu_stats": earlier.unwrap_or_else(|| json!({
                    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
                    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}
                })),
                "memory_stats": {
                    "usage": usage.memory,
                    "stats": {
                        "active_anon": 0,
                        "anon": usage.memory - file,
                        "file": file,
                        "inactive_anon": usage.memory - file,
                        "inactive_file": file / 2,
                        "pgfault": usage.memory / 1024,
                        "pgmajfault": 12,
                        "slab": 1_048_576,
                        "sock": 0
                    },
                    "limit": container.memory_limit
                },
                "networks": {"eth0": {
                    "rx_bytes": usage.received,
                    "rx_packets": usage.received / 700,
                    "rx_errors": 0,
                    "rx_dropped": 0,
                    "tx_bytes": usage.sent,
                    "tx_packets": usage.sent / 900,
                    "tx_errors": 0,
                    "tx_dropped": 0
                }},
            }),
        )
    }

    fn cpu(&self, nanos: i64, at: Timestamp) -> Value {
        // all cores of the machine, in steps of a clock tick
        let system = at.since(Engine::started(&self.world, at)) / 10 * 10_000_000 * CORES;
        json!({
            "cpu_usage": {
                "total_usage": nanos,
                "usage_in_kernelmode": nanos / 4,
                "usage_in_usermode": nanos - nanos / 4
            },
            "system_cpu_usage": system,
            "online_cpus": CORES,
            "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}
        })
    }
}
