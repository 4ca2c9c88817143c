//! A plausible homelab for measurements: seeded, so that every run measures the same.

pub mod process;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use schemas::{
    Draft, Entity, EventType, Fields, SourceName, Timestamp,
    name::{AgentName, EntityId, EntityType, SourceKind},
};

/// Six fields of one entity, moving the way such readings do.
struct Walk {
    entity: Entity,
    cpu: f64,
    memory: i64,
    received: i64,
    sent: i64,
    temperature: f64,
    busy: bool,
}

/// A homelab of many containers, all sampled at one interval.
pub struct Homelab {
    source: SourceName,
    kind: SourceKind,
    agent: AgentName,
    random: StdRng,
    walks: Vec<Walk>,
}

impl Homelab {
    /// A homelab of that many entities.
    ///
    /// # Errors
    /// Never: the names are valid; the type keeps callers free of `unwrap`.
    pub fn new(entities: usize, seed: u64) -> anyhow::Result<Self> {
        Self::of("bench.docker", entities, seed)
    }

    /// A homelab under the name of a source.
    ///
    /// # Errors
    /// The name is not one.
    pub fn of(source: &str, entities: usize, seed: u64) -> anyhow::Result<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        let walks = (0..entities)
            .map(|n| {
                Ok(Walk {
                    entity: Entity::new(
                        EntityType::new("container")?,
                        EntityId::new(format!("stack/service-{n}/1"))?,
                    )
                    .with_label("name", &format!("service-{n}"))
                    .with_label("image", "registry/app:1.2.3"),
                    cpu: random.random_range(0.0..0.2),
                    memory: random.random_range(10_000_000..2_000_000_000),
                    received: 0,
                    sent: 0,
                    temperature: random.random_range(30.0..60.0),
                    busy: n % 4 == 0,
                })
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            source: SourceName::new(source)?,
            kind: SourceKind::new("docker")?,
            agent: AgentName::new("bench")?,
            random,
            walks,
        })
    }

    /// One reading of every entity, some milliseconds of jitter after `time`.
    pub fn poll(&mut self, time: Timestamp) -> Vec<Draft> {
        let random = &mut self.random;
        self.walks
            .iter_mut()
            .map(|walk| {
                walk.cpu = (walk.cpu + random.random_range(-0.02..0.02)).clamp(0.0, 1.0);
                walk.memory = (walk.memory + random.random_range(-64..65) * 4096).max(4_194_304);
                if walk.busy || random.random_ratio(1, 20) {
                    walk.received += random.random_range(0..200_000);
                    walk.sent += random.random_range(0..80_000);
                }
                walk.temperature = (walk.temperature + f64::from(random.random_range(-1..2)) * 0.5)
                    .clamp(20.0, 90.0);
                let mut fields = Fields::new();
                fields
                    .set_rounded("cpu_ratio", walk.cpu, 4)
                    .set_rounded("temperature_celsius", walk.temperature, 1)
                    .set("memory_used_bytes", walk.memory)
                    .set("rx_bytes_total", walk.received)
                    .set("tx_bytes_total", walk.sent)
                    .set_text("state", "running");
                Draft {
                    source: self.source.clone(),
                    kind: self.kind.clone(),
                    agent: Some(self.agent.clone()),
                    event_type: EventType::Sample,
                    time: time.plus_millis(random.random_range(0..12)),
                    entity: walk.entity.clone(),
                    fields,
                    identity: None,
                }
            })
            .collect()
    }
}
