//! Events a second from a spool on disk to a destination that takes everything after 10 ms, and the memory that it takes:
//! `cargo run --release -p shipper --example throughput`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use async_trait::async_trait;
use event_log::{
    Destination, DestinationError, Embedded, EventLog, ForeignSource, SequenceState, Taken, Urgency,
};
use schemas::{
    Draft, Entity, Event, EventType, FieldValue, Fields, SourceName, Timestamp,
    name::{AgentName, EntityId, EntityType, SourceKind},
};
use shipper::{Metrics, Options, Services, Shipper};
use supervision::Supervisor;

const EVENTS: usize = 500_000;
const SOURCES: usize = 10;

#[derive(Default)]
struct Sink(AtomicUsize);

#[async_trait]
impl Destination for Sink {
    fn name(&self) -> &'static str {
        "sink"
    }

    fn most_events(&self) -> usize {
        5000
    }

    async fn append(&self, events: Vec<Arc<Event>>) -> Result<Taken, DestinationError> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.0.fetch_add(events.len(), Ordering::Relaxed);
        Ok(Taken {
            appended: events.len(),
            ..Taken::default()
        })
    }

    async fn last_seqs(&self, _: &[SourceName]) -> Result<Vec<SequenceState>, DestinationError> {
        Ok(Vec::new())
    }

    async fn claim(
        &self,
        _: &[SourceName],
        _: bool,
    ) -> Result<Vec<ForeignSource>, DestinationError> {
        Ok(Vec::new())
    }
}

fn draft(n: usize) -> anyhow::Result<Draft> {
    let mut fields = Fields::new();
    let value = i64::try_from(n)?;
    fields
        .set("cpu_ratio", FieldValue::F64(0.25))
        .set("memory_used_bytes", FieldValue::I64(value * 4096))
        .set("rx_bytes_total", FieldValue::I64(value * 1500))
        .set("tx_bytes_total", FieldValue::I64(value * 700))
        .set("running", FieldValue::Bool(true))
        .set_text("state", "running");
    Ok(Draft {
        source: SourceName::new(format!("host{}.docker", n % SOURCES))?,
        kind: SourceKind::new("docker")?,
        agent: None,
        event_type: EventType::Sample,
        time: Timestamp::now(),
        entity: Entity::new(EntityType::new("container")?, EntityId::new("web")?)
            .with_label("image", "nginx:1.27"),
        fields,
        identity: None,
    })
}

/// Peak resident memory of this process, in KiB.
fn peak() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.context("no VmHWM")?.parse()?)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let directory = std::env::temp_dir().join(format!("shipper-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let spool = Embedded::open(&directory, event_log::embedded::Options::default())?;
    let spool: Arc<dyn EventLog> = Arc::new(spool);
    for lump in 0..EVENTS / 1000 {
        let drafts = (0..1000)
            .map(|n| draft(lump * 1000 + n))
            .collect::<anyhow::Result<_>>()?;
        spool.append(drafts, Urgency::Soon).await?;
    }
    println!("spooled: {EVENTS} events, peak {} KiB", peak()?);
    let supervisor = Supervisor::new();
    let sink = Arc::new(Sink::default());
    let services = Services {
        spool: Arc::clone(&spool),
        destination: sink.clone(),
        agent: AgentName::new("here")?,
        metrics: Metrics::default(),
    };
    let begun = Instant::now();
    let _shipper = Shipper::start(&supervisor, services, Options::default());
    while sink.0.load(Ordering::Relaxed) < EVENTS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = begun.elapsed();
    println!(
        "shipped: {:.0} events/s, peak {} KiB",
        f64::from(u32::try_from(EVENTS)?) / took.as_secs_f64(),
        peak()?
    );
    supervisor.drain(Duration::from_secs(10)).await;
    spool.close().await?;
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}
