//! `homelog ingest`: workers that take events from the log into the store, together with those of other processes.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use prometheus_client::registry::Registry;
use schemas::Catalog;
use supervision::Supervisor;
use tracing::info;

use super::{
    fits, ingesting, monitor, retention,
    run::{self, Grace, Open},
};
use crate::{
    adapters::{Patience, log, store},
    cli::RoleArgs,
    config::Config,
    env::Env,
    outcome::Failure,
    place,
};

const GRACE: Grace = Grace {
    tasks: Duration::from_secs(6),
    closing: Duration::from_secs(5),
};

pub(crate) fn run(args: &RoleArgs, env: &Env) -> Result<(), Failure> {
    let config = place::load(Some(&args.config), env)?;
    fits::ingest(&config)?;
    let listener = monitor::listener(config.ingest.listen, "ingest")?;
    run::run(GRACE, |supervisor| start(config, listener, supervisor))
}

async fn start(
    config: Config,
    listener: Option<TcpListener>,
    supervisor: Supervisor,
) -> Result<Open, Failure> {
    let mut registry = Registry::default();
    let log = log::Opener::to_share(&config, None, &mut registry)?;
    let store = store::Opener::new(&config, None, &mut registry)?;
    let (log, store) = tokio::try_join!(
        log.open(&supervisor, Patience::Forever),
        store.open(&supervisor, Patience::Forever),
    )?;
    let catalog = Arc::new(Catalog::new(collector::catalog()));
    let ingesting = ingesting::start(&supervisor, &config, &log, &store, catalog, &mut registry);
    let workers = config.ingest.workers.get();
    info!(
        workers,
        group = config.ingest.group.as_str(),
        "{workers} ingest workers take events from {} into {}",
        config.log_place(),
        config.store_place(),
    );
    retention::start(
        &supervisor,
        config.retention,
        None,
        Arc::clone(&store.series),
    );
    monitor::start(
        &supervisor,
        listener,
        Arc::new(Mutex::new(registry)),
        ingesting.probes("ingest"),
    )?;
    Ok(Open {
        stores: vec![store.series],
        logs: vec![log.events],
        kept: vec![Box::new(ingesting)],
    })
}
