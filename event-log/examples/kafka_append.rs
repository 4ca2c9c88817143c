//! How fast events are appended to Kafka and read back by a member: `kafka_append [EVENTS] [brokers]`.
//!
//! Without brokers it starts one. Each figure is of acknowledged events; memory and CPU are of this process alone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use event_log::{Delivery, EventLog, Fleet, Kafka, Urgency, kafka::Options};
use schemas::{
    Draft, Entity, EventType, Fields, SourceName, Timestamp,
    name::{EntityId, EntityType, SourceKind},
};
use supervision::Supervisor;

const APPEND: usize = 500;
const WRITERS: usize = 8;

fn draft(source: &str, n: usize) -> Result<Draft> {
    let mut fields = Fields::new();
    for (k, name) in [
        "cpu_ratio",
        "load_1m",
        "memory_used_bytes",
        "rx_bytes_total",
        "tx_bytes_total",
        "uptime_seconds",
    ]
    .into_iter()
    .enumerate()
    {
        fields.set(name, i64::try_from(n * (k + 3) % 1_000_003)?);
    }
    Ok(Draft {
        source: SourceName::new(source)?,
        kind: SourceKind::new("host")?,
        agent: None,
        event_type: EventType::Sample,
        time: Timestamp::now(),
        entity: Entity::new(
            EntityType::new("host")?,
            EntityId::new(format!("host{}", n % 50))?,
        ),
        fields,
        identity: None,
    })
}

/// CPU seconds of this process.
fn cpu() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .context("stat")?
        .split_whitespace()
        .collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("stat")?.parse::<f64>()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// A line of this process's status, in MB.
fn memory(name: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(name))
        .context("status")?;
    let kib: f64 = line.split_whitespace().nth(1).context("status")?.parse()?;
    Ok(kib / 1024.0)
}

fn say(what: &str, events: usize, began: Instant, cpu_before: f64) -> Result<()> {
    let seconds = began.elapsed().as_secs_f64();
    let per_million = (cpu()? - cpu_before) * 1e6 / f64::from(u32::try_from(events)?);
    println!(
        "{what}: {events} events in {seconds:.2} s = {:.0}/s, {per_million:.2} CPU s per million, RSS {:.0} MB, peak {:.0} MB",
        f64::from(u32::try_from(events)?) / seconds,
        memory("VmRSS")?,
        memory("VmHWM")?
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let events: usize = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let mut server = None;
    let brokers = match arguments.next() {
        Some(brokers) => brokers,
        None => server
            .insert(test_servers::Kafka::start(
                &test_servers::KafkaOptions::default(),
            )?)
            .brokers(),
    };
    let supervisor = Supervisor::new();
    let options = Options {
        brokers,
        prefix: test_servers::unique("bench"),
        follow: false,
        ..Options::default()
    };
    let log = Arc::new(Kafka::open(options, &supervisor).await?);
    println!("open: RSS {:.0} MB", memory("VmRSS")?);
    let (began, cpu_before) = (Instant::now(), cpu()?);
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(&log);
        writers.push(async move {
            let source = format!("host{writer}");
            for round in 0..events / WRITERS / APPEND {
                let drafts: Result<Vec<_>> = (0..APPEND)
                    .map(|n| draft(&source, round * APPEND + n))
                    .collect();
                loop {
                    match log
                        .append(
                            drafts.as_ref().map_err(|e| anyhow::anyhow!("{e}"))?.clone(),
                            Urgency::Soon,
                        )
                        .await
                    {
                        Ok(_) => break,
                        Err(event_log::AppendError::Busy) => {}
                        Err(e) => return Err(e.into()),
                    }
                }
            }
            anyhow::Ok(())
        });
    }
    let events = events / WRITERS / APPEND * WRITERS * APPEND;
    let mut running = Vec::new();
    for (n, writer) in writers.into_iter().enumerate() {
        let (told, done) = tokio::sync::oneshot::channel();
        supervisor.spawn_transient(format!("writer{n}"), async move {
            drop(told.send(writer.await));
        });
        running.push(done);
    }
    for done in running {
        done.await??;
    }
    say("append", events, began, cpu_before)?;
    let (began, cpu_before) = (Instant::now(), cpu()?);
    let mut member = log.join("bench").await?;
    let mut seen = 0;
    while seen < events {
        if let Delivery::Records {
            partition,
            records,
            next,
            ..
        } = member.next().await?
        {
            seen += records.len();
            member.done(partition, next);
        }
    }
    say("member", seen, began, cpu_before)?;
    member.leave().await?;
    log.close().await?;
    supervisor.drain(Duration::from_secs(5)).await;
    Ok(())
}
