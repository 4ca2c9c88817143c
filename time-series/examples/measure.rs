//! Writes a synthetic day of 2,000 series into an embedded store and measures it.
//!
//! `cargo run --release -p time-series --example measure -- [DIRECTORY] [HOURS]`

use std::{path::PathBuf, sync::Arc, time::Instant};

use schemas::{
    EntityKey, FieldName, FieldValue, Fields, Labels, Position, SourceName, Timestamp,
    api::Agg,
    name::{EntityId, EntityType, SourceKind},
};
use time_series::{
    Embedded, Point, RangeQuery, Selection, Step, TimeSeries, WriteBatch, embedded::Options,
};

type Failure = Box<dyn std::error::Error>;

const ENTITIES: usize = 334;
const BEGIN: i64 = 1_795_392_000_000;
const INTERVAL: i64 = 5000;

/// xorshift64*: the same day at every run.
struct Random(u64);

impl Random {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a random number between 0 and 1 needs no more"
    )]
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    #[expect(clippy::cast_possible_truncation, reason = "small numbers only")]
    fn below(&mut self, bound: f64) -> i64 {
        (self.unit() * bound) as i64
    }

    /// Exponentially distributed around a mean.
    #[expect(clippy::cast_possible_truncation, reason = "small numbers only")]
    fn exponential(&mut self, mean: f64) -> i64 {
        (-mean * (1.0 - self.unit()).ln()) as i64
    }
}

struct Machine {
    key: EntityKey,
    labels: Arc<Labels>,
    index: usize,
    cpu: f64,
    memory: i64,
    rx: i64,
    tx: i64,
    temperature: f64,
    uptime: i64,
}

fn machine(index: usize) -> Result<Machine, Failure> {
    Ok(Machine {
        key: EntityKey {
            source: SourceName::new(format!("server{}.docker", index / 40))?,
            entity_type: EntityType::new("container")?,
            id: EntityId::new(format!("project/service-{index}/1"))?,
        },
        labels: Arc::new(
            [
                (
                    FieldName::new("name")?,
                    Arc::from(format!("service-{index}")),
                ),
                (FieldName::new("image")?, Arc::from("registry/image:1.2.3")),
            ]
            .into(),
        ),
        index,
        cpu: 0.2,
        memory: 400 << 20,
        rx: 0,
        tx: 0,
        temperature: 40.0,
        uptime: 0,
    })
}

impl Machine {
    fn step(&mut self, random: &mut Random) -> Fields {
        self.cpu = (self.cpu + (random.unit() - 0.5) * 0.1).clamp(0.0, 1.0);
        self.memory = (self.memory + (random.below(9.0) - 4) * 4096).max(1 << 20);
        let (rx, tx) = match self.index % 4 {
            0 => (random.below(200_000.0), random.below(90_000.0)),
            1 if random.chance(0.1) => (random.below(2e6), random.below(1e6)),
            _ => (0, 0),
        };
        self.rx += rx;
        self.tx += tx;
        if random.chance(0.05) {
            self.temperature += (random.unit() - 0.5).signum() * 0.5;
        }
        self.uptime += 5;
        let mut fields = Fields::new();
        if self.index.is_multiple_of(2) {
            fields.set_rounded("cpu_ratio", self.cpu, 15);
        } else {
            fields.set_rounded("cpu_ratio", self.cpu, 4);
        }
        fields
            .set("memory_used_bytes", self.memory)
            .set("rx_bytes_total", self.rx)
            .set("tx_bytes_total", self.tx)
            .set_rounded("temperature_celsius", self.temperature, 1);
        match self.index % 3 {
            0 => fields.set_text("state", "running"),
            1 => fields.set("uptime_seconds", self.uptime),
            _ => fields.set("healthy", true),
        };
        fields
    }
}

fn memory_kib() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    (of("VmRSS:"), of("VmHWM:"))
}

fn query(
    selection: Selection,
    fields: &[&'static str],
    from: i64,
    to: i64,
    step: Step,
) -> RangeQuery {
    RangeQuery {
        selection,
        fields: fields.iter().map(|field| FieldName::from(*field)).collect(),
        from: Timestamp::from_millis(from),
        to: Timestamp::from_millis(to),
        step,
        aggs: vec![Agg::Mean, Agg::Max],
        max_series: 10_000,
        max_values: 10_000_000,
    }
}

async fn timed(name: &str, store: &Embedded, query: &RangeQuery) -> Result<(), Failure> {
    let begun = Instant::now();
    let answer = store.range(query).await?;
    let cold = begun.elapsed();
    let mut best = cold;
    let mut total = std::time::Duration::ZERO;
    for _ in 0..20 {
        let begun = Instant::now();
        store.range(query).await?;
        best = best.min(begun.elapsed());
        total += begun.elapsed();
    }
    let values: usize = answer.series.iter().map(|series| series.values.len()).sum();
    println!(
        "{name}: {} series, {values} values: first {cold:.2?}, mean of 20 {:.2?}, best {best:.2?}",
        answer.series.len(),
        total / 20
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let hours: i64 = arguments.next().map_or(Ok(24), |hours| hours.parse())?;
    let path = directory.join("measure.series.db");
    for suffix in ["", "-wal", "-shm"] {
        let file = PathBuf::from(format!("{}{suffix}", path.display()));
        if file.exists() {
            std::fs::remove_file(file)?;
        }
    }
    println!("before: RSS {} KiB", memory_kib().0);
    let store = Embedded::open(&path, Options::default())?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut machines = (0..ENTITIES).map(machine).collect::<Result<Vec<_>, _>>()?;
    let kind = SourceKind::new("docker")?;
    let ticks = hours * 3_600_000 / INTERVAL;
    let mut writing = std::time::Duration::ZERO;
    let mut slowest = std::time::Duration::ZERO;
    for tick in 0..ticks {
        let mut points = Vec::with_capacity(ENTITIES);
        for machine in &mut machines {
            let late = if random.chance(0.02) {
                50 + random.below(400.0)
            } else {
                random.exponential(6.0)
            };
            points.push(Point {
                key: machine.key.clone(),
                kind: kind.clone(),
                agent: None,
                labels: Arc::clone(&machine.labels),
                time: Timestamp::from_millis(BEGIN + tick * INTERVAL + late),
                fields: machine.step(&mut random),
            });
        }
        let position = Position::from_offsets(vec![tick.unsigned_abs() + 1]);
        let begun = Instant::now();
        store.write(WriteBatch { points, position }).await?;
        writing += begun.elapsed();
        slowest = slowest.max(begun.elapsed());
    }
    let begun = Instant::now();
    store.flush().await?;
    writing += begun.elapsed();
    let stats = store.stats().await?;
    let (rss, peak) = memory_kib();
    println!(
        "written: {} points, {} samples in {writing:.2?} (slowest write {slowest:.2?}), {} bytes = {:.3} bytes a sample; RSS {rss} KiB, peak {peak} KiB",
        stats.points,
        stats.samples,
        stats.bytes,
        ratio(stats.bytes, stats.samples),
    );
    store.close().await?;
    drop(store);
    let begun = Instant::now();
    let store = Embedded::open(&path, Options::default())?;
    println!("open: {:.2?}", begun.elapsed());

    let end = BEGIN + ticks * INTERVAL;
    let one = |index: usize| Selection {
        entities: machines
            .get(index)
            .map(|m| m.key.clone())
            .into_iter()
            .collect(),
        ..Selection::default()
    };
    let hundred = Selection {
        entities: machines.iter().take(100).map(|m| m.key.clone()).collect(),
        ..Selection::default()
    };
    let hour = 3_600_000;
    let five = Step::Millis(300_000);
    timed(
        "1 series, 1 h, raw",
        &store,
        &query(one(7), &["cpu_ratio"], end - hour, end, Step::Raw),
    )
    .await?;
    timed(
        "1 series, 24 h, 5 min mean+max",
        &store,
        &query(one(7), &["cpu_ratio"], end - 24 * hour, end, five),
    )
    .await?;
    timed(
        "100 series, 24 h, 5 min mean+max",
        &store,
        &query(hundred.clone(), &["cpu_ratio"], end - 24 * hour, end, five),
    )
    .await?;
    timed(
        "100 series, 24 h, 1 day mean+max",
        &store,
        &query(hundred, &["cpu_ratio"], BEGIN, end, Step::Millis(24 * hour)),
    )
    .await?;
    let begun = Instant::now();
    let now = store.state(&Selection::default(), None).await?;
    println!(
        "latest of {} entities: {:.2?}",
        now.entities.len(),
        begun.elapsed()
    );
    let begun = Instant::now();
    let then = store
        .state(
            &Selection::default(),
            Some(Timestamp::from_millis(end - 7 * hour)),
        )
        .await?;
    println!(
        "state 7 h ago of {} entities: {:.2?}",
        then.entities.len(),
        begun.elapsed()
    );
    let begun = Instant::now();
    let report = store.check().await?;
    println!(
        "check: {} chunks, problems {:?}: {:.2?}",
        report.chunks,
        report.problems,
        begun.elapsed()
    );
    println!("reading only: RSS {} KiB", memory_kib().0);
    let last = then
        .entities
        .first()
        .and_then(|e| e.fields.get("memory_used_bytes"));
    if !matches!(last.map(|l| &l.value), Some(FieldValue::I64(_))) {
        return Err("the state 7 h ago has no memory".into());
    }
    store.close().await?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a ratio to be shown")]
fn ratio(bytes: u64, samples: u64) -> f64 {
    bytes as f64 / samples as f64
}
