//! What a fleet on Kafka and InfluxDB costs: `peers` catches up on a topic beside Telegraf (`kafka_consumer` → `influxdb_v2`) with
//! the same messages and the same `InfluxDB`, then ships a spool; `sustained` keeps up with a steady stream.

mod configs;
mod measured;
mod servers;
mod spool;
mod sustained;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use clap::{Args, Parser};
use test_servers::free_port;

use crate::{configs::Worker, measured::Measured, servers::Servers};

/// Measures Homelog on Kafka and InfluxDB.
#[derive(Parser)]
enum Command {
    /// Catches up on a topic, beside Telegraf
    Peers(Peers),
    /// Keeps up with a steady stream
    Sustained(sustained::Options),
}

#[derive(Args)]
struct Peers {
    /// Events in the topic
    #[arg(long, default_value_t = 500_000)]
    events: u64,
    /// How often each is measured
    #[arg(long, default_value_t = 2)]
    rounds: u32,
    /// The binary of Homelog, as released
    #[arg(long)]
    homelog: PathBuf,
    /// The agent of the tests, as released
    #[arg(long)]
    agent: PathBuf,
    /// The binary of Telegraf
    #[arg(long)]
    telegraf: PathBuf,
}

/// How long one run may take.
const PATIENCE: Duration = Duration::from_mins(15);

fn main() -> Result<()> {
    match Command::parse() {
        Command::Peers(args) => peers(&args),
        Command::Sustained(options) => sustained::measure(&options),
    }
}

fn peers(args: &Peers) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let servers = Servers::start()?;
    let took = runtime.block_on(servers.fill(args.events))?;
    println!(
        "{} events of six fields in one topic, written in {took:.1?}",
        args.events
    );
    Measured::heading();
    for round in 1..=args.rounds {
        let bucket = format!("homelog{round}");
        let run = runtime.block_on(servers.run(
            &configs::homelog(
                &servers,
                &args.homelog,
                &Worker {
                    topics: servers::TOPICS,
                    partitions: 1,
                    group: &format!("ingest-{round}"),
                    bucket: &bucket,
                    port: free_port()?,
                },
            )?,
            &bucket,
            args.events,
            PATIENCE,
        ))?;
        run.print("homelog ingest");
        let bucket = format!("telegraf{round}");
        runtime.block_on(servers.make_bucket(&bucket))?;
        let run = runtime.block_on(servers.run(
            &configs::telegraf(&servers, &args.telegraf, &bucket, round)?,
            &bucket,
            args.events,
            PATIENCE,
        ))?;
        run.print("telegraf");
    }
    spool::measure(&servers, &args.agent, args.events)?.print("agent, from its spool");
    Ok(())
}
