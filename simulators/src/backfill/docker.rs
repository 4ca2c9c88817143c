//! What sources of kind `docker` tell.

use schemas::{Entity, Fields, time::Timestamp};

use super::{
    Source, Span,
    told::{Told, entity, share},
};
use crate::{
    number::real,
    world::{
        World, chance,
        containers::{CORES, Container, Engine, MEMORY},
    },
};

/// Over how many milliseconds the use of the processor is measured.
const BETWEEN: i64 = 10_000;
/// How long a health check takes to say something.
const STARTING: i64 = 30_000;
const HOST: &str = "docker1";

/// A Docker Engine.
pub(super) struct Docker {
    engine: Engine,
    /// As many digits of each container's id as are shown.
    ids: Vec<String>,
}

impl Docker {
    pub(super) fn new(world: &World) -> Self {
        let engine = Engine::new();
        let ids = engine
            .containers
            .iter()
            .map(|container| chance::digits(world.seed(), container.name, 12))
            .collect();
        Self { engine, ids }
    }

    fn tell_engine(&self, running: usize, told: &mut Told) -> anyhow::Result<()> {
        let count = |number: usize| i64::try_from(number).unwrap_or(0);
        let all = self.engine.containers.len();
        let mut fields = Fields::new();
        fields
            .set("containers_running_count", count(running))
            .set("containers_paused_count", 0_i64)
            .set("containers_stopped_count", count(all - running))
            .set("images_count", count(all))
            .set("memory_total_bytes", MEMORY)
            .set("cpus_count", CORES);
        let entity = entity("docker_engine", HOST)?
            .with_label("name", HOST)
            .with_label("version", "27.3.1")
            .with_label("os", "Debian GNU/Linux 12 (bookworm)")
            .with_label("kernel", "6.1.0-27-amd64");
        told.sample(entity, fields);
        Ok(())
    }

    fn tell_images(&self, world: &World, at: Timestamp, told: &mut Told) -> anyhow::Result<()> {
        // they were made three weeks before the engine's machine was started
        let created = Engine::started(world, at).plus_millis(-21 * 86_400_000);
        let created = Timestamp::from_millis(created.as_millis() / 1000 * 1000);
        for container in &self.engine.containers {
            let entity = entity("docker_image", container.image)?
                .with_label("name", container.image)
                .with_label("host", HOST)
                .with_label("created", &created.to_string());
            let id = chance::digits(world.seed(), container.image, 12);
            let mut fields = Fields::new();
            fields
                .set_text("image_id", &id)
                .set("containers_count", 1_i64)
                .set("size_bytes", 40_000_000 + container.memory_limit / 7);
            told.sample(entity, fields);
        }
        Ok(())
    }

    fn tell_changes(&self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        for event in self.engine.happened(world, span.from, span.to) {
            let (Some(container), Some(id)) = (
                self.engine.containers.get(event.container),
                self.ids.get(event.container),
            ) else {
                continue;
            };
            let state = if event.action == "die" {
                "exited"
            } else {
                "running"
            };
            let mut fields = Fields::new();
            fields
                .set_text("action", event.action)
                .set_text("state", state);
            if let Some(code) = event.exit_code {
                fields.set("exit_code", code);
            }
            told.change(event.at, of_container(container, id)?, fields);
        }
        Ok(())
    }
}

fn of_container(container: &Container, id: &str) -> anyhow::Result<Entity> {
    let key = format!("{}/{}/1", container.project, container.service);
    Ok(entity("container", &key)?
        .with_label("name", container.name)
        .with_label("image", container.image)
        .with_label("container_id", id)
        .with_label("host", HOST)
        .with_label("compose_project", container.project)
        .with_label("compose_service", container.service))
}

/// Cores in use of late; absent where it began to run since.
fn cores(world: &World, container: &Container, nanos: i64, at: Timestamp) -> Option<f64> {
    let before = Engine::usage(world, container, at.plus_millis(-BETWEEN))?;
    let used = nanos - before.cpu_nanos;
    (used >= 0).then(|| real(used) / (real(BETWEEN) * 1e6))
}

fn fields(world: &World, container: &Container, at: Timestamp) -> Fields {
    let life = Engine::life(world, container, at);
    let mut fields = Fields::new();
    fields
        .set("restarts_total", life.restarts)
        .set("image_outdated", false)
        .set_text("restart_policy", "unless-stopped");
    let Some(usage) = Engine::usage(world, container, at) else {
        fields.set_text("state", "exited");
        if let Some(outage) = life.outage {
            fields
                .set("exit_code", outage.exit_code)
                .set("oom_killed", outage.out_of_memory);
        }
        return fields;
    };
    fields.set_text("state", "running").set("oom_killed", false);
    if container.checked {
        let begins = at.since(life.started) < STARTING;
        fields
            .set_text("health", if begins { "starting" } else { "healthy" })
            .set("health_failures_count", 0_i64);
    }
    if let Some(cores) = cores(world, container, usage.cpu_nanos, at) {
        fields.set_rounded("cpu_ratio", cores, 4);
    }
    // half of a ninth is file cache that can go
    let memory = usage.memory - usage.memory / 9 / 4096 * 4096 / 2;
    fields
        .set("memory_used_bytes", memory)
        .set("memory_limit_bytes", container.memory_limit)
        .set_rounded(
            "memory_used_ratio",
            share(memory, container.memory_limit),
            4,
        )
        .set("rx_bytes_total", usage.received)
        .set("tx_bytes_total", usage.sent)
        .set("block_read_bytes_total", usage.read)
        .set("block_written_bytes_total", usage.written)
        .set("pids_count", usage.processes)
        .set("uptime_seconds", at.since(life.started) / 1000);
    fields
}

impl Source for Docker {
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let mut running = 0;
        for (container, id) in self.engine.containers.iter().zip(&self.ids) {
            if Engine::life(world, container, span.to).running {
                running += 1;
            }
            let fields = fields(world, container, span.to);
            told.sample(of_container(container, id)?, fields);
        }
        self.tell_engine(running, told)?;
        if span.slow {
            self.tell_images(world, span.to, told)?;
        }
        self.tell_changes(world, span, told)
    }
}
