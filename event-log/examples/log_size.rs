//! Measures the embedded log: `cargo run --release -p event-log --example log_size -- [EVENTS] [PER_APPEND]`.
//!
//! Events look like those of a host with many containers: per entity six readings every 5 s, percentages with two decimals,
//! counters, temperatures.

use std::{sync::Arc, time::Instant};

use anyhow::Context as _;
use event_log::{Embedded, EventLog, Filter, ReadQuery, Urgency, embedded::Options};
use schemas::{
    Draft, Entity, EventType, FieldValue, Fields, SourceName, Timestamp, codec,
    name::{EntityId, EntityType, SourceKind},
};

const ENTITIES: u64 = 330;

/// Small, and the same in every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn draft(n: u64, noise: &mut Noise) -> anyhow::Result<Draft> {
    let (entity, round) = (n % ENTITIES, n / ENTITIES);
    let late = noise.below(12);
    let mut fields = Fields::new();
    let hundredths = u32::try_from(noise.below(10_000))?;
    fields
        .set(
            "cpu_ratio",
            FieldValue::float(f64::from(hundredths) / 10_000.0)?,
        )
        .set(
            "memory_used_bytes",
            (200_000 + entity * 1000 + noise.below(64)) * 4096,
        )
        .set(
            "rx_bytes_total",
            round * 1500 * (entity % 4) + noise.below(1500),
        )
        .set("tx_bytes_total", round * 700 * (entity % 3))
        .set("uptime_seconds", round * 5)
        .set(
            "temperature_celsius",
            FieldValue::float(40.0 + f64::from(u32::try_from(noise.below(8))?) / 2.0)?,
        );
    let millis = i64::try_from(1_763_000_000_000 + round * 5000 + late)?;
    Ok(Draft {
        source: SourceName::new(format!("server{}.docker", entity / 30))?,
        kind: SourceKind::new("docker")?,
        agent: None,
        event_type: EventType::Sample,
        time: Timestamp::from_millis(millis),
        entity: Entity::new(
            EntityType::new("container")?,
            EntityId::new(format!("project{}/service{entity}/1", entity % 9))?,
        ),
        fields,
        identity: None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}

#[expect(clippy::print_stdout, reason = "it is what this program is for")]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| {
        arguments
            .next()
            .map_or(Ok(default), |text| text.parse::<u64>())
    };
    let (events, per_append) = (number(200_000)?, number(330)?);
    let directory = tempfile::tempdir()?;
    let log = Arc::new(Embedded::open(directory.path(), Options::default())?);
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    let mut json = Vec::new();
    let mut json_bytes = 0;
    let mut slowest = 0;
    let begun = Instant::now();
    let mut appending = std::time::Duration::ZERO;
    let mut n = 0;
    while n < events {
        let drafts = (n..events.min(n + per_append))
            .map(|n| draft(n, &mut noise))
            .collect::<anyhow::Result<Vec<_>>>()?;
        for draft in &drafts {
            json.clear();
            let identity = schemas::Identity {
                epoch: schemas::Epoch::new("0123456789abcdef")?,
                seq: n / ENTITIES + 1,
            };
            codec::encode(&draft.clone().into_event(identity), &mut json)?;
            json_bytes += json.len() as u64;
        }
        n += drafts.len() as u64;
        let at = Instant::now();
        log.append(drafts, Urgency::Soon).await?;
        slowest = slowest.max(at.elapsed().as_millis());
        appending += at.elapsed();
    }
    println!(
        "appended {events} events, {per_append} at a time: {:.1} s in appends, slowest {slowest} ms, {:.1} s in all",
        appending.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    log.close().await?;
    let file = std::fs::metadata(log.path())?.len();
    println!(
        "{:.1} B/event in the file ({:.1} MB), {:.1} B/event as JSON",
        ratio(file, events),
        ratio(file, 1_000_000),
        ratio(json_bytes, events)
    );

    let begun = Instant::now();
    let log = Embedded::open(directory.path(), Options::default())?;
    let bounds = log.bounds().await?;
    println!(
        "open and bounds: {:.1} ms",
        begun.elapsed().as_secs_f64() * 1e3
    );
    let middle = bounds.oldest_logged.context("there are events")?;
    let begun = Instant::now();
    log.seek(middle.plus_millis(1)).await?;
    println!("seek: {:.2} ms", begun.elapsed().as_secs_f64() * 1e3);
    let mut next = bounds.oldest;
    let query = ReadQuery {
        filter: Filter::default(),
        limit: 10_000,
    };
    let begun = Instant::now();
    let mut read = 0;
    loop {
        let batch = log.read(&next, &query).await?;
        read += batch.records.len() as u64;
        next = batch.next;
        if batch.at_end {
            break;
        }
    }
    anyhow::ensure!(read == events, "read {read} events");
    println!(
        "read and decoded: {:.0} events/s",
        ratio(read * 1000, u64::try_from(begun.elapsed().as_millis())?)
    );
    log.close().await?;
    Ok(())
}
