//! `homelog up`: everything in one process, on any log with any store.

use std::{path::PathBuf, sync::Arc, time::Duration};

use collector::Sources;
use prometheus_client::registry::Registry;
use schemas::Catalog;
use supervision::Supervisor;

use super::{
    admin::FirstAdmin,
    collecting::{self, Host},
    fits, ingesting,
    port::Ports,
    reloading::{self, Reloading},
    retention,
    run::{self, Grace, Open},
    serving::{self, Serving},
    shipping,
};
use crate::{
    adapters::{Patience, control, log, store},
    cli::UpArgs,
    config::{Config, LogKind},
    data_dir,
    env::Env,
    outcome::Failure,
    place,
};

/// An answer that is being written has 3 s, and brokers more than a disk.
const fn grace(kind: LogKind) -> Grace {
    Grace {
        tasks: Duration::from_millis(3500),
        closing: match kind {
            LogKind::Embedded => Duration::from_millis(1200),
            LogKind::Kafka | LogKind::Http => Duration::from_secs(5),
        },
    }
}

/// What a start needs to know.
struct Boot {
    config: Config,
    data: PathBuf,
    ports: Ports,
    first_admin: FirstAdmin,
    host: Host,
    sources: Sources,
    reloading: Option<Reloading>,
}

pub(crate) fn run(args: &UpArgs, env: &Env) -> Result<(), Failure> {
    let stamp = args.config.as_deref().and_then(reloading::stamp);
    let mut config = place::load(args.config.as_deref(), env)?;
    fits::up(&config)?;
    let at_start = config.clone();
    if let Some(listen) = args.listen {
        config.api.listen = listen;
    }
    let first_admin = FirstAdmin::from_env(env)?;
    let host = Host::new(&config, env)?;
    let data = data_dir::locate(args.data.data.as_deref(), env)?;
    data_dir::create(&data)?;
    let lock = data_dir::lock(&data)?;
    let ports = Ports::open(&config.api)?;
    let grace = grace(config.log.kind);
    let sources = Sources::reserving(collecting::claimed(&config, &host));
    let reloading = args.config.clone().map(|path| Reloading {
        path,
        stamp,
        env: env.clone(),
        at_start,
        host: host.clone(),
        sources: sources.clone(),
    });
    let boot = Boot {
        config,
        data,
        ports,
        first_admin,
        host,
        sources,
        reloading,
    };
    let outcome = run::run(grace, |supervisor| start(boot, supervisor));
    drop(lock);
    outcome
}

/// Opens the stores, then serves, then collects: so that the first answer does not wait for anything else.
async fn start(boot: Boot, supervisor: Supervisor) -> Result<Open, Failure> {
    let Boot {
        config,
        data,
        ports,
        first_admin,
        host,
        sources,
        reloading,
    } = boot;
    let mut registry = Registry::default();
    let metrics = collector::CollectorMetrics::register(&mut registry);
    let log = log::Opener::new(&config, Some(&data), &mut registry)?;
    let store = store::Opener::new(&config, Some(&data), &mut registry)?;
    let (log, store, control) = tokio::try_join!(
        log.open(&supervisor, Patience::Forever),
        store.open(&supervisor, Patience::Forever),
        control::open(&config.control, Some(&data), Patience::Forever),
    )?;
    let mut open = Open {
        stores: vec![Arc::clone(&store.series)],
        logs: vec![Arc::clone(&log.events)],
        ..Open::default()
    };
    let catalog = Arc::new(Catalog::new(collector::catalog()));
    let ingesting = ingesting::start(
        &supervisor,
        &config,
        &log,
        &store,
        Arc::clone(&catalog),
        &mut registry,
    );
    let mut probes = ingesting.probes("database");
    // what is collected here survives hours without the brokers
    let collected_into = if config.log.kind == LogKind::Embedded {
        Arc::clone(&log.events)
    } else {
        let spool = log::open_spool(&data, &mut registry).await?;
        open.logs.insert(0, Arc::clone(&spool));
        let shipping = shipping::Shipping::new(&config, &host, &spool, false, &mut registry);
        probes.push(shipping.probe());
        shipping.start_into(&supervisor, &log);
        spool
    };
    serving::start(
        &supervisor,
        Serving {
            config: &config,
            ports,
            first_admin,
            host: &host,
            data: Some(&data),
            log: &log,
            store: &store,
            control,
            catalog,
            registry,
            caught_up: ingesting.caught_up(),
            claimed: sources.names(),
            probes,
        },
    )
    .await?;
    collecting::start(
        &supervisor,
        &sources,
        &config,
        &host,
        collected_into,
        metrics,
    )
    .await;
    if let Some(reloading) = reloading {
        reloading.start(&supervisor)?;
    }
    retention::start(
        &supervisor,
        config.retention,
        (config.log.kind == LogKind::Embedded).then_some(log.events),
        store.series,
    );
    Ok(open)
}
