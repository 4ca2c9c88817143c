//! An agent for tests: appends events at a rate to a real spool and ships them to Kafka, until it is killed.
//!
//! It writes down what its spool has acknowledged, and makes events up to the target that it is given (see
//! `homelog_tests::agent`).

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use event_log::{Embedded, EventLog, LogDestination, Outcome, Urgency, embedded, kafka};
use homelog_tests::{
    agent::{self, Acknowledged, Counts, Orders},
    probe,
};
use schemas::{
    Draft, Entity, EventType, FieldValue, Fields, SourceName, Timestamp,
    name::{AgentName, EntityId, EntityType, SourceKind},
};
use shipper::Shipper;
use supervision::Supervisor;

const TICK: Duration = Duration::from_millis(100);
const TICKS: u64 = 10;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter("info,librdkafka=error")
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let file = std::env::args()
        .nth(1)
        .context("usage: homelog-test-agent ORDERS.json")?;
    let orders: Orders = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let spool = orders.directory.join("spool");
    std::fs::create_dir_all(&spool)?;
    let spool: Arc<dyn EventLog> = Arc::new(Embedded::open(&spool, embedded::Options::default())?);
    let supervisor = Supervisor::new();
    let metrics = shipper::Metrics::default();
    let kafka = kafka::Metrics::default();
    supervisor.spawn(
        "count",
        count(orders.directory.clone(), metrics.clone(), kafka.clone()),
    );
    supervisor.spawn_transient(
        "connect",
        connect(
            orders.clone(),
            Arc::clone(&spool),
            metrics,
            kafka,
            supervisor.clone(),
        ),
    );
    supervisor.spawn("observe", observe(orders, spool));
    let exit = supervisor.first_exit().await;
    anyhow::bail!("{exit}")
}

/// Opens Kafka when it answers; what is observed meanwhile waits in the spool.
async fn connect(
    orders: Orders,
    spool: Arc<dyn EventLog>,
    metrics: shipper::Metrics,
    kafka: kafka::Metrics,
    supervisor: Supervisor,
) {
    let options = kafka::Options {
        brokers: orders.brokers.clone(),
        prefix: orders.topics.clone(),
        partitions: orders.partitions,
        replication: orders.replication,
        client_id: orders.name.clone(),
        follow: false,
        metrics: kafka,
        ..kafka::Options::default()
    };
    let log: Arc<dyn EventLog> = loop {
        match kafka::Kafka::open(options.clone(), &supervisor).await {
            Ok(log) => break Arc::new(log),
            Err(e) => tracing::warn!("cannot open Kafka: {e}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let Ok(agent) = AgentName::new(&*orders.name) else {
        return;
    };
    let destination = LogDestination::new("kafka", agent.clone(), log);
    let services = shipper::Services {
        spool,
        destination: Arc::new(destination),
        agent,
        metrics,
    };
    // ships until the process ends
    drop(Shipper::start(
        &supervisor,
        services,
        shipper::Options::default(),
    ));
}

async fn count(
    directory: std::path::PathBuf,
    metrics: shipper::Metrics,
    kafka: kafka::Metrics,
) -> Result<()> {
    loop {
        agent::put_counts(
            &directory,
            Counts {
                shipped: metrics.shipped.get(),
                duplicates: metrics.duplicates.get(),
                refused: metrics.refused.get(),
                dropped: metrics.dropped.get(),
                retries: metrics.retries.get(),
                resent: kafka.retries.get(),
                rewinds: metrics.rewinds.get(),
            },
        )?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn observe(orders: Orders, spool: Arc<dyn EventLog>) -> Result<()> {
    let acknowledged = Acknowledged::open(&orders)?;
    let mut last = Vec::new();
    let states = spool.sequences().await?;
    for (place, source) in orders.sources.iter().enumerate() {
        let seq = states
            .iter()
            .filter(|state| state.source.as_str() == source)
            .map(|state| state.last_seq)
            .max()
            .unwrap_or(0);
        // what an earlier life was not told of is in the spool as well
        acknowledged.put(place, seq)?;
        last.push(seq);
    }
    let per_tick = orders
        .rate
        .div_ceil(TICKS * orders.sources.len().max(1) as u64);
    let mut clock = tokio::time::interval(TICK);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let target = agent::target(Path::new(&orders.directory))?;
        let mut drafts = Vec::new();
        for (source, last) in orders.sources.iter().zip(&mut last) {
            let until = target.min(*last + per_tick).max(*last);
            for seq in *last + 1..=until {
                drafts.push(draft(&orders, source, seq)?);
            }
            *last = until;
        }
        if drafts.is_empty() {
            continue;
        }
        let appended = spool.append(drafts, Urgency::Soon).await?;
        for receipt in &appended.receipts {
            anyhow::ensure!(
                receipt.outcome == Outcome::Appended,
                "the spool answered {receipt:?}"
            );
        }
        for (place, seq) in last.iter().enumerate() {
            acknowledged.put(place, *seq)?;
        }
    }
}

fn draft(orders: &Orders, source: &str, seq: u64) -> Result<Draft> {
    let mut fields = Fields::new();
    fields
        .set(probe::VALUE, FieldValue::float(probe::value(source, seq))?)
        .set(probe::COUNT, probe::count(source, seq));
    Ok(Draft {
        source: SourceName::new(source)?,
        kind: SourceKind::new("probe")?,
        agent: Some(AgentName::new(&*orders.name)?),
        event_type: EventType::Sample,
        time: Timestamp::from_millis(probe::time(orders.base, seq)),
        entity: Entity::new(
            EntityType::new(probe::TYPE)?,
            EntityId::new(probe::id(seq))?,
        ),
        fields,
        identity: None,
    })
}
