use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use homelog_benches::process::{peak, processor};
use homelog_tests::agent::{self, Acknowledged, Orders};
use schemas::Timestamp;
use test_servers::{Fault, FaultProxy, Guarded, Kafka, KafkaOptions, free_port};

use crate::{measured::Measured, servers::Servers};

const SOURCES: usize = 4;
const PATIENCE: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_millis(20);

/// An agent fills its spool while Kafka is out of reach; what is measured begins when the way is free.
pub(crate) fn measure(servers: &Servers, binary: &Path, events: u64) -> Result<Measured> {
    let port = free_port()?;
    let proxy = FaultProxy::start(port)?;
    let kafka = Kafka::start(&KafkaOptions {
        ports: vec![port],
        advertised: vec![proxy.port()],
        ..KafkaOptions::default()
    })?;
    proxy.set(Fault::Refuse);
    let directory = servers.directory.path().join("agent");
    std::fs::create_dir(&directory)?;
    let per_source = events / SOURCES as u64;
    let orders = Orders {
        name: "bench".to_owned(),
        sources: (0..SOURCES).map(|n| format!("bench-{n}")).collect(),
        base: Timestamp::now().plus_millis(-3_600_000).as_millis(),
        rate: 100_000,
        brokers: kafka.brokers(),
        topics: "spool".to_owned(),
        partitions: 1,
        replication: 1,
        directory: directory.clone(),
    };
    let file = directory.join("orders.json");
    std::fs::write(&file, serde_json::to_string(&orders)?)?;
    agent::set_target(&directory, per_source)?;
    let acknowledged = Acknowledged::open(&orders)?;
    let command = [
        binary.to_str().context("path")?,
        file.to_str().context("path")?,
    ];
    let process = Guarded::start(&command, &[], &directory.join("output.log"))?;
    let total = per_source * SOURCES as u64;
    wait(&process, || {
        Ok(acknowledged.all()?.iter().sum::<u64>() == total)
    })?;

    let broker = kafka.process(0).context("Kafka")?.pid()?;
    let (before, server_before) = (processor(process.pid())?, processor(broker)?);
    proxy.set(Fault::None);
    // it looks for the broker once a second; the first event tells that it has found it
    wait(&process, || Ok(agent::counts(&directory)?.shipped > 0))?;
    let (first, start) = (agent::counts(&directory)?.shipped, Instant::now());
    wait(&process, || Ok(agent::counts(&directory)?.shipped == total))?;
    Ok(Measured {
        events: total - first,
        took: start.elapsed(),
        processor: processor(process.pid())? - before,
        memory: peak(process.pid())?,
        server: processor(broker)? - server_before,
    })
}

fn wait(process: &Guarded, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !is_so()? {
        ensure!(
            Instant::now() < end,
            "not in {PATIENCE:?}:\n{}",
            process.last_words()
        );
        std::thread::sleep(LOOK);
    }
    Ok(())
}
