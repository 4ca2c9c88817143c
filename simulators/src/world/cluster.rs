//! Two machines that run guests.

use schemas::time::Timestamp;

use super::{World, chance, night};
use crate::number::{real, rounded, whole};
use crate::world::wave::DAY;

const GIB: i64 = 1 << 30;

/// A machine.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) address: &'static str,
    pub(crate) cores: i64,
    pub(crate) cpu: &'static str,
    pub(crate) memory: i64,
    pub(crate) root: i64,
    reboot_days: i64,
}

/// A virtual machine (`qemu`) or a container (`lxc`).
pub(crate) struct Guest {
    pub(crate) id: i64,
    pub(crate) name: &'static str,
    pub(crate) node: &'static str,
    pub(crate) container: bool,
    pub(crate) runs: bool,
    pub(crate) template: bool,
    pub(crate) cores: i64,
    pub(crate) memory: i64,
    pub(crate) disk: i64,
    pub(crate) tags: &'static str,
    load: f64,
}

/// A place for images and backups; without a node all have it.
pub(crate) struct Storage {
    pub(crate) name: &'static str,
    pub(crate) node: Option<&'static str>,
    pub(crate) kind: &'static str,
    pub(crate) content: &'static str,
    pub(crate) bytes: i64,
    days: f64,
}

/// A machine at an instant.
pub(crate) struct NodeReading {
    pub(crate) uptime_seconds: i64,
    /// Of all cores.
    pub(crate) cpu_ratio: f64,
    pub(crate) wait_ratio: f64,
    pub(crate) loads: [f64; 3],
    pub(crate) memory_used: i64,
    pub(crate) swap_used: i64,
    pub(crate) root_used: i64,
}

/// A guest at an instant; counters count since its start.
#[derive(Default)]
pub(crate) struct GuestReading {
    pub(crate) uptime_seconds: i64,
    /// Of its own cores.
    pub(crate) cpu_ratio: f64,
    pub(crate) memory_used: i64,
    pub(crate) disk_used: i64,
    pub(crate) received: i64,
    pub(crate) sent: i64,
    pub(crate) read: i64,
    pub(crate) written: i64,
}

/// Something that a node did.
pub(crate) struct Task {
    pub(crate) node: &'static str,
    pub(crate) kind: &'static str,
    /// The guest.
    pub(crate) id: String,
    pub(crate) start_seconds: i64,
    /// Absent while it runs.
    pub(crate) end_seconds: Option<i64>,
    pub(crate) number: i64,
}

/// The cluster.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) guests: Vec<Guest>,
    pub(crate) storages: Vec<Storage>,
}

impl Cluster {
    /// The one of this home.
    pub(crate) fn new() -> Self {
        let guest = |id, name, node, container, load, cores, memory: i64, disk: i64, tags| Guest {
            id,
            name,
            node,
            container,
            runs: load > 0.0,
            template: false,
            cores,
            memory: memory * GIB,
            disk: disk * GIB,
            tags,
            load,
        };
        let local = |name, node, kind, content, gib: i64, days| Storage {
            name,
            node,
            kind,
            content,
            bytes: gib * GIB,
            days,
        };
        let mut guests = vec![
            guest(100, "router", "pve1", false, 0.05, 2, 2, 16, "network"),
            guest(
                101,
                "docker1",
                "pve1",
                false,
                0.3,
                6,
                16,
                128,
                "docker;prod",
            ),
            guest(102, "windows11", "pve1", false, 0.0, 4, 8, 96, ""),
            guest(200, "dns1", "pve1", true, 0.02, 1, 1, 8, "network;prod"),
            guest(201, "media", "pve2", true, 0.12, 4, 4, 32, "media"),
            guest(202, "gitea", "pve2", true, 0.04, 2, 2, 24, "prod"),
            guest(203, "lab", "pve2", true, 0.0, 2, 2, 16, "lab"),
        ];
        guests.push(Guest {
            template: true,
            ..guest(9000, "debian-12", "pve2", false, 0.0, 2, 2, 8, "template")
        });
        Self {
            nodes: vec![
                Node {
                    name: "pve1",
                    address: "192.168.1.21",
                    cores: 12,
                    cpu: "12th Gen Intel(R) Core(TM) i5-12500T",
                    memory: 64 * GIB,
                    root: 94 * GIB,
                    reboot_days: 53,
                },
                Node {
                    name: "pve2",
                    address: "192.168.1.22",
                    cores: 4,
                    cpu: "Intel(R) N100",
                    memory: 16 * GIB,
                    root: 68 * GIB,
                    reboot_days: 37,
                },
            ],
            guests,
            storages: vec![
                local("local", Some("pve1"), "dir", "iso,vztmpl,backup", 94, 400.0),
                local("local", Some("pve2"), "dir", "iso,vztmpl,backup", 68, 500.0),
                local(
                    "local-lvm",
                    Some("pve1"),
                    "lvmthin",
                    "images,rootdir",
                    780,
                    330.0,
                ),
                local(
                    "local-lvm",
                    Some("pve2"),
                    "lvmthin",
                    "images,rootdir",
                    360,
                    250.0,
                ),
                local("nas1-backups", None, "nfs", "backup", 7150, 190.0),
            ],
        }
    }

    /// The guests of a node.
    pub(crate) fn guests_of<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Guest> {
        self.guests.iter().filter(move |guest| guest.node == node)
    }

    /// How a guest is; all zero where it does not run.
    pub(crate) fn guest(&self, world: &World, guest: &Guest, at: Timestamp) -> GuestReading {
        if !guest.runs {
            return GuestReading::default();
        }
        let key = |what: &str| format!("guest{}/{what}", guest.id);
        let node = self.nodes.iter().find(|node| node.name == guest.node);
        let days = node.map_or(30, |node| node.reboot_days);
        // it starts after its node did
        let started = world
            .started(guest.node, days, at)
            .plus_millis(45_000 + guest.id % 7 * 4000);
        let since = |wave| whole(world.total(&wave, started, at).max(0.0));
        let busy = guest.load * 1_000_000.0;
        let load = world.wave(&key("cpu"), guest.load, 0.4, 0.25);
        let backup = self.backed_up(world, guest, at);
        GuestReading {
            uptime_seconds: (at.since(started) / 1000).max(0),
            cpu_ratio: (world.level(&load, at) + if backup { 0.2 } else { 0.0 }).min(1.0),
            memory_used: whole(
                world.level(&world.wave(&key("memory"), 0.62, 0.05, 0.08), at) * real(guest.memory),
            ),
            disk_used: if guest.container {
                whole(world.fills(&key("disk"), 230.0, 0.3, 0.72, at) * real(guest.disk))
            } else {
                0
            },
            received: since(world.wave(&key("net"), busy * 1.4, 0.4, 0.25)),
            sent: since(world.wave(&key("net"), busy * 0.9, 0.4, 0.25)),
            read: since(world.wave(&key("disk"), busy * 0.5, 0.3, 0.25)),
            written: since(world.wave(&key("disk"), busy * 0.8, 0.3, 0.25)),
        }
    }

    /// How a node is: as its guests are.
    pub(crate) fn node(&self, world: &World, node: &Node, at: Timestamp) -> NodeReading {
        let started = world.started(node.name, node.reboot_days, at);
        let (mut cores, mut memory) = (0.2, real(node.memory) * 0.06);
        for guest in self.guests_of(node.name) {
            let reading = self.guest(world, guest, at);
            cores += reading.cpu_ratio * real(guest.cores);
            memory += real(reading.memory_used);
        }
        let backup = if world.night(at).backup() { 1.0 } else { 0.0 };
        let ratio = (cores / real(node.cores)).min(1.0);
        let wait = 0.002 + 0.03 * ratio + backup * 0.12;
        let load = cores + wait * real(node.cores) * 2.0;
        NodeReading {
            uptime_seconds: at.since(started) / 1000,
            cpu_ratio: ratio,
            wait_ratio: wait,
            loads: [1.0, 0.94, 0.87].map(|slower| rounded(load * slower, 2)),
            memory_used: whole(memory.min(real(node.memory) * 0.97)),
            swap_used: whole(real(node.memory) * 0.004),
            root_used: whole(
                real(node.root) * world.fills(&format!("{}/root", node.name), 400.0, 0.2, 0.6, at),
            ),
        }
    }

    /// Used bytes of a storage.
    pub(crate) fn used(world: &World, storage: &Storage, at: Timestamp) -> i64 {
        // what is shared is the volume of the NAS
        let (key, low, high) = match storage.node {
            Some(node) => (format!("{node}/{}", storage.name), 0.25, 0.8),
            None => ("nas1/volume2".to_owned(), 0.48, 0.83),
        };
        let mut share = world.fills(&key, storage.days, low, high, at);
        if storage.node.is_none() {
            share += (0.985 - share) * world.night(at).filled();
        }
        whole(real(storage.bytes) * share)
    }

    /// When a guest's backup runs in the night after a midnight, in seconds of local time: each node one after the other.
    fn backup_of(&self, guest: &Guest, midnight: f64) -> Option<(f64, f64)> {
        let (begin, end) = night::times(midnight).backup;
        let queue: Vec<_> = self.guests_of(guest.node).filter(|g| g.runs).collect();
        let place = i64::try_from(queue.iter().position(|g| g.id == guest.id)?).ok()?;
        let each = (end - begin) / real(i64::try_from(queue.len()).ok()?);
        Some((
            (begin + each * real(place)).floor(),
            (begin + each * real(place + 1)).floor() - 2.0,
        ))
    }

    fn backed_up(&self, world: &World, guest: &Guest, at: Timestamp) -> bool {
        self.backup_of(guest, world.midnight(at))
            .is_some_and(|(from, to)| (from..to).contains(&world.local(at)))
    }

    /// What was done in the last days, the newest first.
    pub(crate) fn tasks(&self, world: &World, days: i32, at: Timestamp) -> Vec<Task> {
        let now = world.local(at);
        let seconds = |local: f64| world.instant(local).as_millis() / 1000;
        let mut tasks = Vec::new();
        for back in 0..days {
            let midnight = world.midnight(at) - f64::from(back) * DAY;
            let day = whole(midnight / DAY);
            let mut add = |node, kind, id: String, from: f64, to: f64, number| {
                if from <= now {
                    tasks.push(Task {
                        node,
                        kind,
                        id,
                        start_seconds: seconds(from),
                        end_seconds: (to <= now).then(|| seconds(to)),
                        number,
                    });
                }
            };
            for guest in &self.guests {
                if let Some((from, to)) = self.backup_of(guest, midnight) {
                    add(
                        guest.node,
                        "vzdump",
                        guest.id.to_string(),
                        from,
                        to,
                        guest.id,
                    );
                }
            }
            for node in &self.nodes {
                let lag = chance::unit(world.seed(), node.name, day);
                let from = (midnight + 4.2 * 3600.0 + lag * 3600.0).floor();
                add(node.name, "aptupdate", String::new(), from, from + 6.0, 7);
            }
        }
        tasks.sort_by_key(|task| std::cmp::Reverse((task.start_seconds, task.number)));
        tasks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-05-06T{time}Z"), Timestamp::from_millis(0)).unwrap()
    }

    #[test]
    fn a_backup_runs_at_night_and_ends() {
        let (world, cluster) = (World::new(4, 0), Cluster::new());
        let running = |time| {
            let tasks = cluster.tasks(&world, 2, at(time));
            let running: Vec<_> = tasks.iter().filter(|t| t.end_seconds.is_none()).collect();
            running.iter().map(|task| task.kind).collect::<Vec<_>>()
        };
        assert_eq!(running("03:04:00"), [""; 0]);
        assert_eq!(running("03:06:00"), ["vzdump", "vzdump"]);
        assert_eq!(running("03:31:00"), [""; 0]);
        let tasks = cluster.tasks(&world, 2, at("03:31:00"));
        assert_eq!(tasks.iter().filter(|t| t.kind == "vzdump").count(), 10);
    }

    #[test]
    fn a_node_works_as_much_as_its_guests_and_counters_only_grow() {
        let (world, cluster) = (World::new(4, 0), Cluster::new());
        let node = &cluster.nodes[0];
        let reading = cluster.node(&world, node, at("12:00:00"));
        let cores: f64 = cluster
            .guests_of("pve1")
            .map(|g| cluster.guest(&world, g, at("12:00:00")).cpu_ratio * real(g.cores))
            .sum();
        assert!((reading.cpu_ratio * 12.0 - cores - 0.2).abs() < 1e-9);
        let docker = &cluster.guests[1];
        let before = cluster.guest(&world, docker, at("12:00:00"));
        let after = cluster.guest(&world, docker, at("12:00:10"));
        assert!(after.received > before.received && after.written > before.written);
    }
}
