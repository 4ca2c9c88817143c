//! The machine that the collector runs on.

mod filesystems;
mod metrics;
mod patterns;
mod slow;

use std::{sync::Arc, time::Duration};

use schemas::{
    Entity, FieldName, Fields, MetricDef,
    name::{EntityId, EntityType, InvalidName},
    time::parse_duration,
};
use serde::Deserialize;
use sysinfo::{
    CpuRefreshKind, MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, Networks, RefreshKind, System,
};
use tokio::time::Instant;

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    integration::{Integration, Typed},
};
use metrics::METRICS;
use patterns::Patterns;
use slow::SlowReader;

pub(super) static INTEGRATION: Typed<Host> = Typed::new();

/// Cores beyond this have no field of their own; an event holds 512 fields.
const MOST_CORES: usize = 384;
/// Most network interfaces that are told.
const MOST_INTERFACES: usize = 256;

/// Options of a source of kind `host`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Params {
    /// How often file systems and temperatures are read.
    slow_interval: String,
    /// Also file systems of other machines (NFS, SMB, SSHFS …).
    network_filesystems: bool,
    /// Mount points to leave out; `*` at the end stands for anything.
    ignore_mounts: Vec<String>,
    /// Network interfaces to leave out; `*` at the end stands for anything.
    ignore_interfaces: Vec<String>,
    /// Also temperatures that the kernel asks of a drive, which keeps some drives from spinning down.
    drive_temperatures: bool,
    /// Where the machine's `/` is seen from here: another place than `/` in a container.
    root: String,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            slow_interval: "30s".to_owned(),
            network_filesystems: false,
            ignore_mounts: Vec::new(),
            ignore_interfaces: vec!["lo".to_owned(), "veth*".to_owned()],
            drive_temperatures: false,
            root: "/".to_owned(),
        }
    }
}

/// Reads this machine.
pub(crate) struct Host {
    system: System,
    networks: Networks,
    primed: Instant,
    cores: Vec<FieldName>,
    entity: Entity,
    network: EntityType,
    ignore_interfaces: Patterns,
    slow: SlowReader,
}

impl Integration for Host {
    const KIND: &'static str = "host";
    const HELP: &'static str =
        "The machine that the collector runs on: CPU, memory, disks, network, temperatures";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# How often file systems and temperatures are read; CPU, memory and network are read at `interval`.
# slow_interval = "30s"
# Also file systems of other machines (NFS, SMB, SSHFS …); one that hangs never holds up the rest.
# network_filesystems = false
# Mount points to leave out; `*` at the end stands for anything.
# ignore_mounts = ["/boot*"]
# Network interfaces to leave out; `*` at the end stands for anything.
# ignore_interfaces = ["lo", "veth*"]
# Also temperatures that the kernel asks of a drive (drivetemp), which keeps some drives from spinning down.
# drive_temperatures = false
# Where the machine's own `/` is seen from here, for a collector in a container: `/host` where it is mounted there.
# root = "/"
"#;
    type Params = Params;

    fn open(params: Params, context: &Context) -> Result<Self, OpenError> {
        let slow_interval = parse_duration(&params.slow_interval)
            .ok()
            .and_then(|millis| u64::try_from(millis).ok())
            .map(Duration::from_millis)
            .filter(|every| *every >= Duration::from_secs(1))
            .ok_or_else(|| {
                OpenError::at(
                    "slow_interval",
                    "a duration of at least a second is wanted, such as `30s`",
                )
            })?;
        let root = filesystems::Root::new(&params.root).map_err(|e| OpenError::at("root", e))?;
        let unreadable =
            |e: sysinfo::Error| OpenError::at("", format!("this machine cannot be read: {e}"));
        let mut system = System::new().map_err(unreadable)?;
        system.refresh_specifics(readings());
        let cores = (0..system.cpus().len().min(MOST_CORES))
            .map(|n| FieldName::new(format!("cpu_{n}_ratio")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            entity: describe(&context.hostname, &system)?,
            cores,
            system,
            networks: Networks::new().map_err(unreadable)?,
            primed: Instant::now(),
            network: EntityType::new("network")?,
            ignore_interfaces: Patterns::new(params.ignore_interfaces),
            slow: SlowReader::new(
                slow_interval,
                params.network_filesystems,
                Patterns::new(params.ignore_mounts),
                params.drive_temperatures,
                root,
            )
            .map_err(unreadable)?,
        })
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        // usage is what changed between two readings, and closer ones say nothing
        tokio::time::sleep_until(self.primed + MINIMUM_CPU_UPDATE_INTERVAL).await;
        self.system.refresh_specifics(readings());
        self.networks.refresh(true);
        if self.system.total_memory() == 0 {
            return Err(PollError::new(
                FailureClass::NoPermission,
                "this machine tells nothing about its memory: is /proc mounted and readable?",
            ));
        }
        self.tell_host(batch);
        self.tell_networks(batch);
        self.slow.read_if_due(batch).await;
        Ok(())
    }
}

impl Host {
    fn tell_host(&self, batch: &mut Batch) {
        let mut fields = Fields::new();
        ratio(
            &mut fields,
            "cpu_ratio",
            f64::from(self.system.global_cpu_usage()) / 100.0,
        );
        for (name, core) in self.cores.iter().zip(self.system.cpus()) {
            ratio(&mut fields, name.clone(), f64::from(core.usage()) / 100.0);
        }
        if let Ok(load) = System::load_average() {
            fields
                .set_rounded("load_1", load.one, 2)
                .set_rounded("load_5", load.five, 2)
                .set_rounded("load_15", load.fifteen, 2);
        }
        let total = self.system.total_memory();
        let available = self.system.available_memory().min(total);
        fields
            .set("memory_total_bytes", total)
            .set("memory_used_bytes", total - available)
            .set("memory_available_bytes", available)
            .set("memory_free_bytes", self.system.free_memory())
            .set("swap_total_bytes", self.system.total_swap())
            .set("swap_used_bytes", self.system.used_swap());
        ratio(
            &mut fields,
            "memory_used_ratio",
            share(total - available, total),
        );
        if let Ok(uptime) = System::uptime() {
            fields.set("uptime_seconds", uptime);
        }
        batch.sample(self.entity.clone(), fields);
    }

    fn tell_networks(&self, batch: &mut Batch) {
        let mut told = 0;
        for (name, data) in &self.networks {
            let name = name.to_string_lossy();
            if self.ignore_interfaces.matches(&name) || told == MOST_INTERFACES {
                continue;
            }
            let Ok(id) = EntityId::new(name) else {
                continue;
            };
            told += 1;
            let mut fields = Fields::new();
            fields
                .set("rx_bytes_total", data.total_received())
                .set("tx_bytes_total", data.total_transmitted())
                .set("rx_packets_total", data.total_packets_received())
                .set("tx_packets_total", data.total_packets_transmitted())
                .set("rx_errors_total", data.total_errors_on_received())
                .set("tx_errors_total", data.total_errors_on_transmitted());
            batch.sample(Entity::new(self.network.clone(), id), fields);
        }
    }
}

fn readings() -> RefreshKind {
    RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing().with_usage())
        .with_memory(MemoryRefreshKind::everything())
}

fn describe(hostname: &Arc<str>, system: &System) -> Result<Entity, InvalidName> {
    let os = match (System::name(), System::os_version()) {
        (Ok(name), Ok(version)) => format!("{name} {version}"),
        (Ok(name), Err(_)) => name,
        (Err(_), _) => String::new(),
    };
    let model = system.cpus().first().map_or("", |cpu| cpu.brand()).trim();
    Ok(
        Entity::new(EntityType::new("host")?, EntityId::new(hostname)?)
            .with_label("name", hostname)
            .with_label("os", &os)
            .with_label("kernel", &System::kernel_version().unwrap_or_default())
            .with_label("arch", &System::cpu_arch())
            .with_label("cpu_model", model)
            .with_label("cpu_cores", &system.cpus().len().to_string()),
    )
}

/// Four digits: a hundredth of a percent.
fn ratio(fields: &mut Fields, name: impl Into<FieldName>, value: f64) {
    fields.set_rounded(name, value, 4);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio has four digits, a float sixteen"
)]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use schemas::{Catalog, FieldValue};

    use super::*;
    use crate::testing;

    async fn poll_once(params: Params) -> Vec<crate::batch::Observation> {
        let mut host = Host::open(params, &testing::context("here.host")).unwrap();
        let mut batch = testing::batch();
        host.poll(&mut batch).await.unwrap();
        batch.into_parts().0
    }

    #[tokio::test]
    async fn this_machine_tells_plausible_values_that_the_catalogue_knows() {
        let events = poll_once(Params::default()).await;
        let catalog = Catalog::new(METRICS);
        for event in &events {
            let ty = &event.entity.entity_type;
            for (name, value) in event.fields.iter() {
                assert!(
                    catalog.metric(ty.as_str(), name.as_str()).is_some(),
                    "{ty}.{name}"
                );
                catalog.fit(ty, name, value.clone()).unwrap();
                if name.as_str().ends_with("_ratio") {
                    let ratio = value.as_f64().unwrap();
                    assert!((0.0..=1.01).contains(&ratio), "{ty}.{name} = {ratio}");
                }
            }
        }
        let host = events
            .iter()
            .find(|e| e.entity.entity_type.as_str() == "host")
            .unwrap();
        assert_eq!(host.entity.id.as_str(), "here");
        let number = |field: &str| host.fields.get(field).and_then(FieldValue::as_f64).unwrap();
        let cores = std::thread::available_parallelism().unwrap().get();
        assert!(
            host.fields
                .get(&format!("cpu_{}_ratio", cores - 1))
                .is_some()
        );
        assert!(number("memory_total_bytes") > 1e8);
        assert!(number("memory_used_bytes") < number("memory_total_bytes"));
        assert!(number("uptime_seconds") > 0.0);
        assert!(host.entity.labels.contains_key("kernel"));
    }

    #[tokio::test]
    async fn the_root_file_system_agrees_with_df() {
        let events = poll_once(Params::default()).await;
        let Some(root) = events
            .iter()
            .find(|e| e.entity.entity_type.as_str() == "disk" && e.entity.id.as_str() == "/")
        else {
            println!("SKIPPED: the root of this machine is no file system of its own");
            return;
        };
        let df = std::process::Command::new("df")
            .args(["-B1", "--output=size,used", "/"])
            .output()
            .unwrap();
        let df = String::from_utf8(df.stdout).unwrap();
        let numbers: Vec<f64> = df
            .lines()
            .nth(1)
            .unwrap()
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        let number = |field: &str| root.fields.get(field).and_then(FieldValue::as_f64).unwrap();
        assert!(
            (number("size_bytes") - numbers[0]).abs() < 1.0,
            "{events:?}"
        );
        assert!(
            (number("used_bytes") - numbers[1]).abs() < 1e9,
            "{} and {}",
            number("used_bytes"),
            numbers[1]
        );
    }

    #[tokio::test]
    async fn loopback_is_left_out_unless_it_is_wanted() {
        let has_lo = |events: &[crate::batch::Observation]| {
            events
                .iter()
                .any(|e| e.entity.entity_type.as_str() == "network" && e.entity.id.as_str() == "lo")
        };
        assert!(!has_lo(&poll_once(Params::default()).await));
        let all = Params {
            ignore_interfaces: Vec::new(),
            ..Params::default()
        };
        assert!(has_lo(&poll_once(all).await));
    }

    #[test]
    fn a_slow_interval_that_is_none_is_refused_with_its_key() {
        for bad in ["soon", "10ms", ""] {
            let params = Params {
                slow_interval: bad.to_owned(),
                ..Params::default()
            };
            let Err(refused) = Host::open(params, &testing::context("here.host")) else {
                panic!("{bad} is taken")
            };
            assert_eq!(refused.key, "slow_interval");
        }
    }
}
