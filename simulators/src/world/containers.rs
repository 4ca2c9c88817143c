//! Containers of one engine: what they use, and when they stopped.

use schemas::time::Timestamp;

use super::{World, chance, night};
use crate::number::{real, whole};
use crate::world::wave::DAY;

const MIB: i64 = 1 << 20;
/// How often the engine's machine is restarted.
const REBOOT_DAYS: i64 = 14;

/// How the night is for a container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Calm,
    /// It eats memory and is killed.
    Hungry,
    /// It is gone for a while.
    Gone,
}

/// A container, as it was made.
pub(crate) struct Container {
    pub(crate) name: &'static str,
    pub(crate) project: &'static str,
    pub(crate) service: &'static str,
    pub(crate) image: &'static str,
    pub(crate) port: Option<i64>,
    /// Bytes.
    pub(crate) memory_limit: i64,
    /// Whether it has a health check.
    pub(crate) checked: bool,
    cores: f64,
    memory: f64,
    received: f64,
    restarts_per_day: f64,
    fate: Fate,
}

/// A time in which it did not run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Outage {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) exit_code: i64,
    pub(crate) out_of_memory: bool,
}

/// Its life up to an instant.
pub(crate) struct Life {
    /// When it was last started.
    pub(crate) started: Timestamp,
    /// The last outage, which is not over where `running` is false.
    pub(crate) outage: Option<Outage>,
    pub(crate) running: bool,
    /// Restarts since the engine's machine was started.
    pub(crate) restarts: i64,
}

/// What it uses; counters since its start.
pub(crate) struct Usage {
    pub(crate) cpu_nanos: i64,
    pub(crate) memory: i64,
    pub(crate) received: i64,
    pub(crate) sent: i64,
    pub(crate) read: i64,
    pub(crate) written: i64,
    pub(crate) processes: i64,
}

/// Something that happened to a container.
pub(crate) struct Happened {
    pub(crate) at: Timestamp,
    /// Which one.
    pub(crate) container: usize,
    pub(crate) action: &'static str,
    pub(crate) exit_code: Option<i64>,
}

/// The engine's machine.
pub(crate) struct Engine {
    pub(crate) containers: Vec<Container>,
}

/// Cores of the machine.
pub(crate) const CORES: i64 = 6;
/// Its memory.
pub(crate) const MEMORY: i64 = 16 * 1024 * MIB;

impl Engine {
    /// The one of this home.
    pub(crate) fn new() -> Self {
        let container = |name, project, service, image, cores, mib, limit: i64| Container {
            name,
            project,
            service,
            image,
            port: None,
            memory_limit: limit * MIB,
            checked: false,
            cores,
            memory: mib,
            received: cores * 60_000.0,
            restarts_per_day: 0.0,
            fate: Fate::Calm,
        };
        let mut containers = vec![
            container(
                "traefik",
                "proxy",
                "traefik",
                "traefik:v3.2",
                0.03,
                96.0,
                256,
            ),
            container(
                "homeassistant",
                "home",
                "homeassistant",
                "ghcr.io/home-assistant/home-assistant:2024.3",
                0.12,
                640.0,
                2048,
            ),
            container(
                "mosquitto",
                "home",
                "mosquitto",
                "eclipse-mosquitto:2",
                0.01,
                14.0,
                128,
            ),
            container(
                "photos-server-1",
                "photos",
                "server",
                "ghcr.io/immich-app/immich-server:v1.122.0",
                0.22,
                720.0,
                2048,
            ),
            container(
                "photos-machine-learning-1",
                "photos",
                "machine-learning",
                "ghcr.io/immich-app/immich-machine-learning:v1.122.0",
                0.08,
                520.0,
                2048,
            ),
            container(
                "photos-database-1",
                "photos",
                "database",
                "tensorchord/pgvecto-rs:pg14-v0.2.0",
                0.06,
                310.0,
                1024,
            ),
            container(
                "jellyfin",
                "media",
                "jellyfin",
                "jellyfin/jellyfin:10.10.3",
                0.35,
                900.0,
                4096,
            ),
            container(
                "grafana",
                "monitoring",
                "grafana",
                "grafana/grafana:11.3.1",
                0.02,
                130.0,
                512,
            ),
            container(
                "shop-api-1",
                "shop",
                "api",
                "registry.home.arpa/shop-api:2.7.1",
                0.09,
                180.0,
                384,
            ),
        ];
        for container in &mut containers {
            match container.name {
                "homeassistant" => {
                    container.fate = Fate::Gone;
                    container.port = Some(8123);
                }
                "photos-machine-learning-1" => container.fate = Fate::Hungry,
                "shop-api-1" => {
                    container.restarts_per_day = 0.8;
                    container.port = Some(8080);
                }
                "jellyfin" => container.restarts_per_day = 0.1,
                "traefik" => container.port = Some(443),
                _ => {}
            }
            container.checked = matches!(
                container.name,
                "photos-server-1" | "photos-database-1" | "jellyfin"
            );
        }
        Self { containers }
    }

    /// When the engine's machine was started.
    pub(crate) fn started(world: &World, at: Timestamp) -> Timestamp {
        world.started("docker1", REBOOT_DAYS, at)
    }

    /// The outages of a container that began in a time, in order.
    fn outages(
        world: &World,
        container: &Container,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Outage> {
        let mut outages = Vec::new();
        let mut midnight = world.midnight(from);
        let key = container.name;
        let mut add = |(begin, end): (f64, f64), exit_code, out_of_memory| {
            let outage = Outage {
                from: world.instant(begin),
                to: world.instant(end),
                exit_code,
                out_of_memory,
            };
            if outage.from >= from && outage.from <= to {
                outages.push(outage);
            }
        };
        while midnight <= world.local(to) {
            let times = night::times(midnight);
            match container.fate {
                Fate::Calm => {}
                Fate::Hungry => add(times.killed, 137, true),
                Fate::Gone => add(times.gone, 143, false),
            }
            let day = whole(midnight / DAY);
            if chance::unit(world.seed(), key, day) < container.restarts_per_day {
                // by day, so that it does not meet the night
                let hour = 7.0 + 15.0 * chance::unit(world.seed(), key, -day);
                let begin = (midnight + hour * 3600.0).floor();
                add((begin, begin + 4.0), 1, false);
            }
            midnight += DAY;
        }
        outages
    }

    /// How a container lives.
    pub(crate) fn life(world: &World, container: &Container, at: Timestamp) -> Life {
        let boot = Self::started(world, at);
        let first = boot.plus_millis(20_000).min(at);
        let outages = Self::outages(world, container, boot, at);
        let last = outages.last().copied();
        let running = last.is_none_or(|outage| outage.to <= at);
        let ended = outages.iter().rev().find(|outage| outage.to <= at);
        Life {
            started: ended.map_or(first, |outage| outage.to),
            outage: last,
            running,
            restarts: i64::try_from(outages.iter().filter(|o| o.to <= at).count()).unwrap_or(0),
        }
    }

    /// What a container uses; absent while it does not run.
    pub(crate) fn usage(world: &World, container: &Container, at: Timestamp) -> Option<Usage> {
        let life = Self::life(world, container, at);
        if !life.running {
            return None;
        }
        let key = |what: &str| format!("container/{}/{what}", container.name);
        let since = |wave| world.total(&wave, life.started, at).max(0.0);
        let limit = real(container.memory_limit);
        // what it holds grows a little with its age
        let age = real(at.since(life.started)) / 86_400_000.0;
        let mut memory = world.level(
            &world.wave(&key("memory"), container.memory, 0.05, 0.08),
            at,
        ) * real(MIB)
            * (1.0 + (age * 0.03).min(0.25));
        if container.fate == Fate::Hungry {
            memory += (limit - memory) * world.night(at).eaten();
        }
        Some(Usage {
            cpu_nanos: whole(since(world.wave(&key("cpu"), container.cores, 0.4, 0.25)) * 1e9),
            memory: whole(memory.min(limit) / 4096.0) * 4096,
            received: whole(since(world.wave(
                &key("net"),
                container.received,
                0.4,
                0.25,
            ))),
            sent: whole(since(world.wave(
                &key("net"),
                container.received * 2.3,
                0.4,
                0.25,
            ))),
            read: whole(since(world.wave(
                &key("disk"),
                container.cores * 90_000.0,
                0.3,
                0.2,
            ))),
            written: whole(since(world.wave(
                &key("disk"),
                container.cores * 40_000.0,
                0.3,
                0.2,
            ))),
            processes: 3 + whole(container.memory / 40.0),
        })
    }

    /// What happened in a time, with its end and without its beginning, in order.
    pub(crate) fn happened(&self, world: &World, from: Timestamp, to: Timestamp) -> Vec<Happened> {
        let mut all = Vec::new();
        for (n, container) in self.containers.iter().enumerate() {
            // an outage that ends in this time may have begun a while before
            for outage in Self::outages(world, container, from.plus_millis(-3_600_000), to) {
                let mut add = |at, action, exit_code| {
                    if at > from && at <= to {
                        all.push(Happened {
                            at,
                            container: n,
                            action,
                            exit_code,
                        });
                    }
                };
                if outage.out_of_memory {
                    add(outage.from.plus_millis(-3), "oom", None);
                }
                add(outage.from, "die", Some(outage.exit_code));
                add(outage.to, "start", None);
            }
        }
        all.sort_by_key(|event| event.at);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-05-06T{time}Z"), Timestamp::from_millis(0)).unwrap()
    }

    fn named<'a>(engine: &'a Engine, name: &str) -> &'a Container {
        engine.containers.iter().find(|c| c.name == name).unwrap()
    }

    #[test]
    fn one_container_is_killed_at_night_and_another_is_gone() {
        let (world, engine) = (World::new(2, 0), Engine::new());
        let hungry = named(&engine, "photos-machine-learning-1");
        let before = Engine::usage(&world, hungry, at("03:05:00")).unwrap();
        let full = Engine::usage(&world, hungry, at("03:19:59")).unwrap();
        assert!(full.memory > 3 * before.memory);
        assert!(full.memory > hungry.memory_limit * 98 / 100);
        assert!(Engine::usage(&world, hungry, at("03:20:10")).is_none());
        let life = Engine::life(&world, hungry, at("03:21:00"));
        assert!(life.running && life.started == at("03:20:30"));
        assert!(life.outage.unwrap().out_of_memory);

        let events: Vec<_> = engine
            .happened(&world, at("03:00:00"), at("03:40:00"))
            .iter()
            .map(|e| (engine.containers[e.container].name, e.action, e.exit_code))
            .collect();
        assert_eq!(
            events,
            [
                ("photos-machine-learning-1", "oom", None),
                ("photos-machine-learning-1", "die", Some(137)),
                ("photos-machine-learning-1", "start", None),
                ("homeassistant", "die", Some(143)),
                ("homeassistant", "start", None),
            ]
        );
    }

    #[test]
    fn events_are_told_once_however_one_asks() {
        let (world, engine) = (World::new(2, 0), Engine::new());
        let count = |from, to| engine.happened(&world, from, to).len();
        let (start, end) = (at("00:00:00"), at("23:59:59"));
        let mut pieces = 0;
        let mut from = start;
        while from < end {
            let to = from.plus_millis(700_000).min(end);
            pieces += count(from, to);
            from = to;
        }
        assert_eq!(pieces, count(start, end));
        assert!(pieces >= 5);
    }
}
