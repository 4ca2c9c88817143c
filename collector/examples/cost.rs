//! What collecting costs: runs one source with a log in memory and tells CPU time for each poll, and memory.
//!
//! `cargo run --release --example cost -p collector -- KIND [INTERVAL [TIME [KEY=VALUE …]]]`, such as `host 5s 2m` or
//! `docker 1s 1m url=tcp://proxy:2375`.

use std::{fs, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use collector::{CollectorMetrics, Environment, SourceConfig, Sources, Supplier, integrations};
use prometheus_client::registry::Registry;
use schemas::{SourceName, name::AgentName, time::parse_duration};
use supervision::Supervisor;

fn duration(text: &str) -> anyhow::Result<Duration> {
    Ok(Duration::from_millis(u64::try_from(parse_duration(text)?)?))
}

/// CPU time of this process: fields 14 and 15 of /proc/self/stat, in hundredths of a second (proc(5)).
fn cpu_time() -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat
        .rsplit_once(')')
        .context("no name in /proc/self/stat")?
        .1;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}

fn memory() -> anyhow::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let lines = status
        .lines()
        .filter(|line| line.starts_with("VmRSS") || line.starts_with("Threads"));
    Ok(lines
        .map(|line| line.replace('\t', " "))
        .collect::<Vec<_>>()
        .join(", "))
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_else(|| "host".to_owned());
    let interval = duration(arguments.next().as_deref().unwrap_or("5s"))?;
    let time = duration(arguments.next().as_deref().unwrap_or("1m"))?;
    let mut options = toml::Table::new();
    for option in arguments {
        let Some((key, value)) = option.split_once('=') else {
            bail!("`{option}` is not KEY=VALUE")
        };
        options.insert(key.to_owned(), toml::Value::String(value.to_owned()));
    }
    let known = integrations::find(&kind).with_context(|| format!("no kind `{kind}`"))?;
    let source = SourceConfig {
        name: SourceName::new(format!("here.{kind}"))?,
        interval,
        timeout: collector::scheduler::DEFAULT_TIMEOUT,
        integration: known.parse(options)?,
    };
    let supervisor = Supervisor::new();
    let mut registry = Registry::default();
    let environment = Environment {
        log: Arc::new(event_log::Memory::new(1)),
        agent: AgentName::new("here")?,
        hostname: Arc::from("here"),
        metrics: CollectorMetrics::register(&mut registry),
    };
    let sources = Sources::default();
    sources.apply(Supplier::Config, vec![source]);
    collector::start(&supervisor, &sources, environment);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, polls_before) = (cpu_time()?, polls(&registry)?);
    tokio::time::sleep(time).await;
    let used = cpu_time()?.saturating_sub(before);
    let polls = polls(&registry)? - polls_before;
    println!(
        "{kind} every {interval:?} for {time:?}: {polls} polls, {:.0} µs of CPU each, {:.3} % of a core; {}",
        used.as_secs_f64() * 1e6 / polls.max(1.0),
        used.as_secs_f64() / time.as_secs_f64() * 100.0,
        memory()?
    );
    supervisor.drain(Duration::from_secs(3)).await;
    Ok(())
}

fn polls(registry: &Registry) -> anyhow::Result<f64> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)?;
    let line = text
        .lines()
        .find(|line| line.starts_with("homelog_collector_polls_total"))
        .context("no polls are counted")?;
    Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
}
