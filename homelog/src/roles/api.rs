//! `homelog api`: the HTTP API and the dashboard, without any state of its own.

use std::{sync::Arc, time::Duration};

use collector::Sources;
use prometheus_client::registry::Registry;
use schemas::Catalog;
use supervision::Supervisor;

use super::{
    admin::FirstAdmin,
    collecting::Host,
    fits, ingesting,
    port::Ports,
    run::{self, Grace, Open},
    serving::{self, Serving},
};
use crate::{
    adapters::{Patience, control, log, store},
    cli::ApiArgs,
    config::Config,
    env::Env,
    outcome::Failure,
    place,
};

const GRACE: Grace = Grace {
    // an answer that is being written has 3 s
    tasks: Duration::from_millis(3500),
    closing: Duration::from_secs(5),
};

pub(crate) fn run(args: &ApiArgs, env: &Env) -> Result<(), Failure> {
    let mut config = place::load(Some(&args.role.config), env)?;
    fits::api(&config)?;
    if let Some(listen) = args.listen {
        config.api.listen = listen;
    }
    let first_admin = FirstAdmin::from_env(env)?;
    let host = Host::new(&config, env)?;
    let ports = Ports::open(&config.api)?;
    run::run(GRACE, |supervisor| {
        start(config, ports, first_admin, host, supervisor)
    })
}

async fn start(
    config: Config,
    ports: Ports,
    first_admin: FirstAdmin,
    host: Host,
    supervisor: Supervisor,
) -> Result<Open, Failure> {
    let mut registry = Registry::default();
    let log = log::Opener::new(&config, None, &mut registry)?;
    let store = store::Opener::new(&config, None, &mut registry)?;
    let (log, store, control) = tokio::try_join!(
        log.open(&supervisor, Patience::Forever),
        store.open(&supervisor, Patience::Forever),
        control::open(&config.control, None, Patience::Forever),
    )?;
    serving::start(
        &supervisor,
        Serving {
            config: &config,
            ports,
            first_admin,
            host: &host,
            data: None,
            log: &log,
            store: &store,
            control,
            catalog: Arc::new(Catalog::new(collector::catalog())),
            registry,
            caught_up: ingesting::always(),
            claimed: Sources::default().names(),
            probes: Vec::new(),
        },
    )
    .await?;
    Ok(Open {
        stores: vec![store.series],
        logs: vec![log.events],
        ..Open::default()
    })
}
