//! What a container uses, by the formulas of Docker's own command line, so that the numbers agree with `docker stats`.

use bollard::models::{ContainerBlkioStats, ContainerMemoryStats, ContainerStatsResponse};
use schemas::{Fields, Timestamp};

/// Processor time at one instant, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuTime {
    container: u64,
    system: u64,
    cores: u32,
}

/// One reading of one container.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) at: Option<Timestamp>,
    pub(super) cpu: Option<CpuTime>,
    memory_used: Option<u64>,
    memory_limit: Option<u64>,
    network: Option<(u64, u64)>,
    block: Option<(u64, u64)>,
    processes: Option<u64>,
}

impl Reading {
    /// Reads an answer. A container that does not run answers zeros, which is no reading.
    pub(super) fn of(stats: &ContainerStatsResponse) -> Option<Self> {
        let read = stats.read.filter(|read| read.year() > 1)?;
        let millis = read.unix_timestamp_nanos().div_euclid(1_000_000);
        let cpu = stats.cpu_stats.as_ref().and_then(|cpu| {
            let usage = cpu.cpu_usage.as_ref()?;
            let cores = cpu.online_cpus.filter(|n| *n > 0).or_else(|| {
                let each = usage.percpu_usage.as_ref()?;
                u32::try_from(each.len()).ok()
            })?;
            Some(CpuTime {
                container: usage.total_usage?,
                system: cpu.system_cpu_usage.filter(|ns| *ns > 0)?,
                cores,
            })
        });
        let memory = stats.memory_stats.as_ref();
        Some(Self {
            at: i64::try_from(millis).ok().map(Timestamp::from_millis),
            cpu,
            memory_used: memory.and_then(memory_used),
            memory_limit: memory.and_then(|m| m.limit).filter(|limit| *limit > 0),
            network: stats.networks.as_ref().map(|interfaces| {
                interfaces.values().fold((0, 0), |(rx, tx), interface| {
                    (
                        interface.rx_bytes.unwrap_or(0).saturating_add(rx),
                        interface.tx_bytes.unwrap_or(0).saturating_add(tx),
                    )
                })
            }),
            block: stats.blkio_stats.as_ref().and_then(transferred),
            processes: stats.pids_stats.as_ref().and_then(|pids| pids.current),
        })
    }

    /// Writes the reading; the CPU needs the one before.
    pub(super) fn tell(&self, before: Option<CpuTime>, fields: &mut Fields) {
        if let (Some(now), Some(before)) = (self.cpu, before)
            && let Some(ratio) = cpu_ratio(before, now)
        {
            fields.set_rounded("cpu_ratio", ratio, 4);
        }
        if let Some(used) = self.memory_used {
            fields.set("memory_used_bytes", used);
        }
        if let Some(limit) = self.memory_limit {
            fields.set("memory_limit_bytes", limit);
        }
        if let (Some(used), Some(limit)) = (self.memory_used, self.memory_limit) {
            fields.set_rounded("memory_used_ratio", float(used) / float(limit), 4);
        }
        if let Some((rx, tx)) = self.network {
            fields.set("rx_bytes_total", rx).set("tx_bytes_total", tx);
        }
        if let Some((read, written)) = self.block {
            fields
                .set("block_read_bytes_total", read)
                .set("block_written_bytes_total", written);
        }
        if let Some(processes) = self.processes {
            fields.set("pids_count", processes);
        }
    }
}

/// Cores in use between two readings: 1 is one core. `calculateCPUPercentUnix` of the command line, less the percent.
/// A counter that went back is a container that started anew: nothing can be said.
fn cpu_ratio(before: CpuTime, now: CpuTime) -> Option<f64> {
    let container = now.container.checked_sub(before.container)?;
    let system = now.system.checked_sub(before.system).filter(|ns| *ns > 0)?;
    Some(float(container) / float(system) * f64::from(now.cores))
}

/// Memory without the file cache that can go at once: `calculateMemUsageUnixNoCache` of the command line.
fn memory_used(memory: &ContainerMemoryStats) -> Option<u64> {
    let usage = memory.usage?;
    let cache = memory.stats.as_ref().and_then(|stats| {
        let version_1 = stats
            .get("total_inactive_file")
            .filter(|cache| **cache < usage);
        version_1.or_else(|| stats.get("inactive_file").filter(|cache| **cache < usage))
    });
    Some(usage - cache.copied().unwrap_or(0))
}

/// Bytes read and written; the kernel names the direction `Read` (control groups 1) or `read` (2), among sums of others.
fn transferred(block: &ContainerBlkioStats) -> Option<(u64, u64)> {
    let entries = block.io_service_bytes_recursive.as_ref()?;
    if entries.is_empty() {
        return None;
    }
    Some(entries.iter().fold((0, 0), |(read, written), entry| {
        let bytes = entry.value.unwrap_or(0);
        match entry.op.as_deref().and_then(|op| op.chars().next()) {
            Some('r' | 'R') => (bytes.saturating_add(read), written),
            Some('w' | 'W') => (read, bytes.saturating_add(written)),
            _ => (read, written),
        }
    }))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio has four digits, a float sixteen"
)]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;
    use serde_json::{Value, json};

    use super::*;

    fn reading(stats: Value) -> Option<Reading> {
        Reading::of(&serde_json::from_value(stats).unwrap())
    }

    fn version_1(total: u64, system: u64) -> Value {
        json!({
            "read": "2026-11-23T00:03:19.32995647Z", "preread": "0001-01-01T00:00:00Z",
            "pids_stats": {"current": 4, "limit": u64::MAX}, "num_procs": 0,
            "cpu_stats": {"cpu_usage": {"total_usage": total, "percpu_usage": [1, 2]}, "system_cpu_usage": system},
            "memory_stats": {"usage": 125_415_424, "limit": 268_435_456, "stats":
                {"total_inactive_file": 13_631_488, "inactive_file": 1, "hierarchical_memory_limit": 9_223_372_036_854_771_712_u64}},
            "blkio_stats": {"io_service_bytes_recursive": [
                {"major": 8, "minor": 0, "op": "Read", "value": 4096}, {"major": 8, "minor": 0, "op": "Write", "value": 512},
                {"major": 8, "minor": 0, "op": "Sync", "value": 4608}, {"major": 8, "minor": 0, "op": "Total", "value": 4608}]},
            "networks": {"eth0": {"rx_bytes": 10, "tx_bytes": 1}, "eth1": {"rx_bytes": 5, "tx_bytes": 2}}
        })
    }

    fn told(reading: &Reading, before: Option<CpuTime>) -> Fields {
        let mut fields = Fields::new();
        reading.tell(before, &mut fields);
        fields
    }

    #[test]
    fn control_groups_1() {
        let first = reading(version_1(1_000_000_000, 10_000_000_000)).unwrap();
        assert_eq!(
            told(&first, None).get("cpu_ratio"),
            None,
            "one reading says nothing"
        );
        // half a second of container time while two cores had 5 s of time each
        let second = reading(version_1(1_500_000_000, 20_000_000_000)).unwrap();
        let fields = told(&second, first.cpu);
        for (name, value) in [
            ("cpu_ratio", FieldValue::F64(0.1)),
            ("memory_used_bytes", FieldValue::I64(111_783_936)),
            ("memory_limit_bytes", FieldValue::I64(268_435_456)),
            ("memory_used_ratio", FieldValue::F64(0.4164)),
            ("rx_bytes_total", FieldValue::I64(15)),
            ("tx_bytes_total", FieldValue::I64(3)),
            ("block_read_bytes_total", FieldValue::I64(4096)),
            ("block_written_bytes_total", FieldValue::I64(512)),
            ("pids_count", FieldValue::I64(4)),
        ] {
            assert_eq!(fields.get(name), Some(&value), "{name}");
        }
    }

    #[test]
    fn control_groups_2() {
        let stats = |total: u64, system: u64| {
            json!({
                "read": "2026-11-23T00:03:19Z",
                "cpu_stats": {"cpu_usage": {"total_usage": total}, "system_cpu_usage": system, "online_cpus": 8},
                "memory_stats": {"usage": 1000, "limit": 4000, "stats": {"inactive_file": 400, "anon": 600, "file": 400}},
                "blkio_stats": {"io_service_bytes_recursive": [
                    {"major": 8, "minor": 0, "op": "read", "value": 7}, {"major": 8, "minor": 0, "op": "write", "value": 9}]},
                "pids_stats": {}
            })
        };
        let first = reading(stats(0, 800)).unwrap();
        let fields = told(&reading(stats(300, 1600)).unwrap(), first.cpu);
        assert_eq!(fields.get("cpu_ratio"), Some(&FieldValue::F64(3.0)));
        assert_eq!(fields.get("memory_used_bytes"), Some(&FieldValue::I64(600)));
        assert_eq!(
            fields.get("block_written_bytes_total"),
            Some(&FieldValue::I64(9))
        );
        for absent in ["rx_bytes_total", "pids_count"] {
            assert_eq!(fields.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn a_cache_larger_than_the_usage_is_not_taken_off() {
        let stats = json!({"read": "2026-11-23T00:03:19Z", "memory_stats": {"usage": 100, "stats": {"inactive_file": 400}}});
        let fields = told(&reading(stats).unwrap(), None);
        assert_eq!(fields.get("memory_used_bytes"), Some(&FieldValue::I64(100)));
        assert_eq!(fields.get("memory_used_ratio"), None, "no limit, no share");
    }

    #[test]
    fn the_zeros_of_a_stopped_container_are_no_reading() {
        let stopped = json!({
            "read": "0001-01-01T00:00:00Z", "preread": "0001-01-01T00:00:00Z", "pids_stats": {}, "memory_stats": {},
            "blkio_stats": {"io_service_bytes_recursive": null},
            "cpu_stats": {"cpu_usage": {"total_usage": 0}}, "precpu_stats": {"cpu_usage": {"total_usage": 0}}
        });
        assert_eq!(reading(stopped), None);
        assert_eq!(reading(json!({})), None);
    }

    #[test]
    fn counters_that_went_back_say_nothing() {
        let before = reading(version_1(2_000, 10_000)).unwrap().cpu.unwrap();
        for (total, system) in [(1_000, 20_000), (3_000, 10_000), (3_000, 5_000)] {
            let now = reading(version_1(total, system)).unwrap();
            assert_eq!(told(&now, Some(before)).get("cpu_ratio"), None);
        }
    }
}
