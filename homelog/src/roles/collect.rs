//! `homelog collect`: an agent. It observes into its spool and ships from there to Kafka or a hub.

use std::{
    fs::OpenOptions,
    io::{BufRead, Write},
    net::TcpListener,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use collector::Sources;
use event_log::http::{Enrolment, InvalidEnrolment};
use prometheus_client::registry::Registry;
use secrecy::{ExposeSecret, SecretString};
use supervision::Supervisor;
use tracing::info;

use super::{
    collecting::{self, Host},
    fits, monitor,
    reloading::{self, Reloading},
    run::{self, Grace, Open},
    shipping::Shipping,
};
use crate::{
    adapters::log,
    cli::CollectArgs,
    config::{self, Config, LogKind},
    data_dir,
    env::Env,
    outcome::Failure,
    place,
};

const GRACE: Grace = Grace {
    tasks: Duration::from_secs(6),
    closing: Duration::from_secs(2),
};

/// File of the data directory that holds the enrolment.
const HUB: &str = "hub";

/// Keeps an enrolment for later starts, for this user alone.
fn remember(path: &Path, enrolment: &Enrolment) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let new = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        writeln!(file, "{}", enrolment.reveal())?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    write().with_context(|| format!("the hub cannot be remembered in {}", path.display()))
}

fn recall(path: &Path) -> anyhow::Result<Enrolment> {
    let text = config::read_secret(path).map_err(anyhow::Error::msg)?;
    text.parse().with_context(|| {
        format!(
            "{} does not say which hub this agent has: enrol it again with --hub",
            path.display()
        )
    })
}

/// What is longer is no enrolment, in bytes.
const LONGEST: u64 = 4096;

/// An enrolment that is in nobody's list of processes.
fn first_line(input: impl BufRead) -> anyhow::Result<SecretString> {
    let mut line = String::new();
    input
        .take(LONGEST)
        .read_line(&mut line)
        .context("--hub: stdin cannot be read")?;
    Ok(SecretString::from(line))
}

struct Boot {
    config: Config,
    data: PathBuf,
    listener: Option<TcpListener>,
    host: Host,
    sources: Sources,
    reloading: Option<Reloading>,
    take_over: bool,
}

pub(crate) fn run(args: &CollectArgs, env: &Env) -> Result<(), Failure> {
    let stamp = args.config.as_deref().and_then(reloading::stamp);
    let mut config = place::load(args.config.as_deref(), env)?;
    let at_start = config.clone();
    let given = match &args.hub {
        Some(hub) if hub.expose_secret() == "-" => Some(first_line(std::io::stdin().lock())?),
        given => given.clone(),
    };
    let given = given
        .map(|hub| hub.expose_secret().parse())
        .transpose()
        .map_err(|e: InvalidEnrolment| Failure::usage(format!("homelog: --hub: {e}")))?;
    let data = data_dir::locate(args.data.data.as_deref(), env)?;
    let remembered = data.join(HUB);
    if given.is_none() && (config.log.kind != LogKind::Embedded || !remembered.is_file()) {
        fits::collect(&config)?;
    }
    data_dir::create(&data)?;
    let lock = data_dir::lock(&data)?;
    if let Some(enrolment) = &given {
        remember(&remembered, enrolment)?;
        config.log.enrol(enrolment);
    } else if config.log.kind == LogKind::Embedded {
        config.log.enrol(&recall(&remembered)?);
    }
    let host = Host::new(&config, env)?;
    let sources = Sources::default();
    let reloading = args.config.clone().map(|path| Reloading {
        path,
        stamp,
        env: env.clone(),
        at_start,
        host: host.clone(),
        sources: sources.clone(),
    });
    let boot = Boot {
        listener: monitor::listener(config.collect.listen, "collect")?,
        take_over: args.take_over,
        config,
        data,
        host,
        sources,
        reloading,
    };
    let outcome = run::run(GRACE, |supervisor| start(boot, supervisor));
    drop(lock);
    outcome
}

/// Observes first: what cannot be shipped yet waits in the spool.
async fn start(boot: Boot, supervisor: Supervisor) -> Result<Open, Failure> {
    let Boot {
        config,
        data,
        listener,
        host,
        sources,
        reloading,
        take_over,
    } = boot;
    let mut registry = Registry::default();
    let metrics = collector::CollectorMetrics::register(&mut registry);
    let spool = log::open_spool(&data, &mut registry).await?;
    let shipping = Shipping::new(&config, &host, &spool, take_over, &mut registry);
    let probe = shipping.probe();
    shipping.start(&supervisor, &config, &mut registry)?;
    collecting::start(
        &supervisor,
        &sources,
        &config,
        &host,
        Arc::clone(&spool),
        metrics,
    )
    .await;
    if let Some(reloading) = reloading {
        reloading.start(&supervisor)?;
    }
    info!(
        agent = %host.agent,
        "agent `{}` collects into {} and ships to {}",
        host.agent,
        data.join(log::SPOOL).display(),
        config.log_place(),
    );
    monitor::start(
        &supervisor,
        listener,
        Arc::new(Mutex::new(registry)),
        vec![probe],
    )?;
    Ok(Open {
        logs: vec![spool],
        ..Open::default()
    })
}
