//! A steady stream of events through Kafka, workers and `InfluxDB`: whether they keep up, and what each of them costs.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;
use event_log::{EventLog, Urgency, kafka};
use homelog_benches::{
    Homelab,
    process::{peak, processor},
};
use schemas::Timestamp;
use supervision::Supervisor;
use test_servers::{Guarded, free_port};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    configs::{self, Worker},
    servers::Servers,
};

#[derive(Args)]
pub(crate) struct Options {
    /// The binary of Homelog, as released
    #[arg(long)]
    homelog: PathBuf,
    /// Events a second, one stream after the other
    #[arg(long, value_delimiter = ',', default_value = "5000,10000,20000")]
    rates: Vec<u64>,
    /// How long the lag is watched, after as long as it takes until everything runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Partitions of the topic
    #[arg(long, default_value_t = 3)]
    partitions: usize,
    /// Ingest workers
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

/// Each source is polled once a second, at its own tenth of it.
const TENTHS: usize = 10;
const SOURCES_PER_TENTH: usize = 3;
const WARM_UP: usize = 15;
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn measure(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let servers = Servers::start()?;
    println!(
        "{} partitions, {} workers, {} s each; CPU seconds are per million events, the producer's with making the events",
        options.partitions, options.workers, options.seconds
    );
    println!(
        "{:>10}{:>12}{:>12}{:>12}{:>10}{:>12}{:>10}{:>10}{:>12}{:>12}",
        "asked/s",
        "events/s",
        "most lag",
        "lag s",
        "keeps up",
        "producer",
        "Kafka",
        "workers",
        "InfluxDB",
        "worker MB"
    );
    for rate in &options.rates {
        runtime.block_on(stream(&servers, options, *rate))?;
    }
    Ok(())
}

/// What the workers say of themselves.
#[derive(Clone, Copy, Default)]
struct Lag {
    events: f64,
    seconds: f64,
}

/// Processor seconds of all that takes part.
#[derive(Clone, Copy)]
struct Costs {
    producer: f64,
    kafka: f64,
    workers: f64,
    influxdb: f64,
}

struct Stream<'a> {
    servers: &'a Servers,
    ports: Vec<u16>,
    workers: Vec<Guarded>,
    http: reqwest::Client,
}

impl Stream<'_> {
    async fn lag(&self) -> Result<Lag> {
        let mut lag = Lag::default();
        for port in &self.ports {
            let url = format!("http://127.0.0.1:{port}/metrics");
            let text = self.http.get(url).send().await?.text().await?;
            for line in text.lines() {
                let value = || line.rsplit(' ').next().unwrap_or_default().parse::<f64>();
                if line.starts_with("homelog_ingest_partition_lag_events{") {
                    lag.events += value()?;
                } else if line.starts_with("homelog_ingest_partition_lag_seconds{") {
                    lag.seconds = lag.seconds.max(value()?);
                }
            }
        }
        Ok(lag)
    }

    fn costs(&self) -> Result<Costs> {
        let kafka = self.servers.kafka.process(0).context("Kafka")?.pid()?;
        let influxdb = self.servers.influxdb.process().context("InfluxDB")?.pid()?;
        let mut workers = 0.0;
        for worker in &self.workers {
            workers += processor(worker.pid())?;
        }
        Ok(Costs {
            producer: processor(std::process::id())?,
            kafka: processor(kafka)?,
            workers,
            influxdb: processor(influxdb)?,
        })
    }
}

async fn stream(servers: &Servers, options: &Options, rate: u64) -> Result<()> {
    let topics = format!("sustained{rate}");
    let bucket = topics.as_str();
    let mut stream = Stream {
        servers,
        ports: Vec::new(),
        workers: Vec::new(),
        http: reqwest::Client::builder().timeout(PATIENCE).build()?,
    };
    let supervisor = Supervisor::new();
    let log = kafka::Kafka::open(
        kafka::Options {
            brokers: servers.kafka.brokers(),
            prefix: topics.clone(),
            partitions: options.partitions,
            follow: false,
            ..kafka::Options::default()
        },
        &supervisor,
    )
    .await?;
    for _ in 0..options.workers {
        let port = free_port()?;
        let worker = Worker {
            topics: &topics,
            partitions: options.partitions,
            group: "ingest",
            bucket,
            port,
        };
        let command = configs::homelog(servers, &options.homelog, &worker)?;
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = servers
            .directory
            .path()
            .join(format!("{bucket}-{port}.log"));
        let mut worker = Guarded::start(&words, &[], &output)?;
        worker.wait_for_port(port, PATIENCE)?;
        stream.ports.push(port);
        stream.workers.push(worker);
    }

    let sources = TENTHS * SOURCES_PER_TENTH;
    let entities = usize::try_from(rate)?.div_ceil(sources);
    let mut homelabs = (0..sources)
        .map(|n| Homelab::of(&format!("bench-{n}"), entities, n as u64))
        .collect::<Result<Vec<_>>>()?;
    let mut clock = interval(Duration::from_secs(1) / u32::try_from(TENTHS)?);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent = 0_u64;
    let (mut begin, mut before, mut sent_before) = (Instant::now(), stream.costs()?, 0);
    let mut lags: Vec<Lag> = Vec::new();
    for second in 0..WARM_UP + usize::try_from(options.seconds)? {
        if second == WARM_UP {
            (begin, before, sent_before) = (Instant::now(), stream.costs()?, sent);
        }
        for tenth in 0..TENTHS {
            clock.tick().await;
            let time = Timestamp::now();
            let now = homelabs.iter_mut().skip(tenth).step_by(TENTHS);
            let drafts: Vec<_> = now.flat_map(|homelab| homelab.poll(time)).collect();
            sent += drafts.len() as u64;
            log.append(drafts, Urgency::Soon).await?;
        }
        if second >= WARM_UP {
            lags.push(stream.lag().await?);
        }
    }
    let (took, after) = (begin.elapsed(), stream.costs()?);
    print(
        rate,
        sent - sent_before,
        took,
        &lags,
        [before, after],
        &stream,
    )?;

    let end = Instant::now() + PATIENCE;
    while servers.points(bucket).await? != sent {
        ensure!(
            Instant::now() < end,
            "{sent} events were sent, the store has {}",
            servers.points(bucket).await?
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    log.close().await?;
    supervisor.drain(Duration::from_secs(5)).await;
    for worker in stream.workers {
        worker.stop(Duration::from_secs(10))?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn print(
    asked: u64,
    events: u64,
    took: Duration,
    lags: &[Lag],
    [before, after]: [Costs; 2],
    stream: &Stream<'_>,
) -> Result<()> {
    let rate = events as f64 / took.as_secs_f64();
    let part = lags.len().div_ceil(6);
    let mean = |lags: &[Lag]| lags.iter().map(|l| l.events).sum::<f64>() / lags.len() as f64;
    let (first, last) = (lags.chunks(part).next(), lags.rchunks(part).next());
    let grown = mean(last.context("no lag")?) - mean(first.context("no lag")?);
    // less than what comes in half a second is noise
    let keeps_up = grown < rate / 2.0 && rate > asked as f64 * 0.98;
    let most = |of: fn(&Lag) -> f64| lags.iter().map(of).fold(0.0, f64::max);
    let per_million = |of: fn(&Costs) -> f64| (of(&after) - of(&before)) * 1e6 / events as f64;
    let mut memory = 0;
    for worker in &stream.workers {
        memory = memory.max(peak(worker.pid())?);
    }
    println!(
        "{asked:>10}{rate:>12.0}{:>12.0}{:>12.1}{:>10}{:>12.1}{:>10.1}{:>10.1}{:>12.1}{:>12.0}",
        most(|l| l.events),
        most(|l| l.seconds),
        if keeps_up { "yes" } else { "no" },
        per_million(|c| c.producer),
        per_million(|c| c.kafka),
        per_million(|c| c.workers),
        per_million(|c| c.influxdb),
        memory as f64 / 1e6,
    );
    Ok(())
}
