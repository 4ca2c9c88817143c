//! The rooms, wired together.

use std::{
    collections::{BTreeSet, HashSet},
    io::Write,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use collector::{Collector, CollectorMetrics, Environment, SourceConfig};
use control::ControlStore;
use event_log::EventLog;
use ingest::{Ingest, IngestMetrics, Limits};
use prometheus_client::registry::Registry;
use query_api::{ApiOptions, Auth, AuthOptions};
use schemas::{Catalog, SourceName, name::AgentName};
use secrecy::SecretString;
use supervision::Supervisor;
use time_series::TimeSeries;
use tracing::{info, warn};

use super::{
    Boot,
    greeting::{Greeting, own_addresses},
    retention,
};
use crate::{config::Config, outcome::Failure};

/// What runs.
pub(super) struct Services {
    log: Arc<dyn EventLog>,
    store: Arc<dyn TimeSeries>,
    _collector: Collector,
}

impl Services {
    /// Opens the stores, then serves, then collects: so that the first answer does not wait for anything else.
    pub(super) async fn start(boot: Boot, supervisor: &Supervisor) -> Result<Self, Failure> {
        let Boot {
            config,
            data,
            listener,
            first_admin,
            docker_host,
        } = boot;
        let mut registry = Registry::default();
        let collector_metrics = CollectorMetrics::register(&mut registry);
        let ingest_metrics = IngestMetrics::register(&mut registry);
        let (log, store, control) = open(&data, &mut registry).await?;
        let catalog = Arc::new(Catalog::new(collector::catalog()));
        let hostname = hostname::get()
            .context("the name of this machine is not known")?
            .to_string_lossy()
            .into_owned();
        let own = own_addresses();
        let auth = Auth::open(Arc::clone(&control), auth_options(&config, &hostname, &own)).await?;
        let setup = first_admin.make(&*control, &auth).await?;

        let ingest = Ingest::start(
            supervisor,
            ingest::Services {
                log: Arc::clone(&log),
                store: Arc::clone(&store),
                catalog: Arc::clone(&catalog),
                limits: Limits {
                    unsigned: store.capabilities().unsigned,
                    keep_millis: i64::try_from(config.retention.raw.0.as_millis()).ok(),
                    ..Limits::default()
                },
                metrics: ingest_metrics,
            },
        );
        let claimed = claimed(&config, &hostname);
        let listener =
            tokio::net::TcpListener::from_std(listener).context("the listener cannot be used")?;
        let address = listener
            .local_addr()
            .context("the listener has no address")?;
        query_api::serve(
            vec![listener],
            query_api::Services {
                log: Arc::clone(&log),
                store: Arc::clone(&store),
                control,
                auth,
                catalog,
                registry: Arc::new(Mutex::new(registry)),
                caught_up: ingest.caught_up(),
                claimed: Arc::new(claimed),
            },
            ApiOptions {
                metrics_from: config.api.metrics_from.clone(),
                ..ApiOptions::default()
            },
            supervisor,
        )?;
        greet(address, setup.as_ref(), &data, &own);

        let sources = sources(&config, &hostname, docker_host.as_deref()).await;
        let collector = Collector::start(
            supervisor,
            sources,
            Environment {
                log: Arc::clone(&log),
                agent: AgentName::new(collector::name_of_host(&hostname))?,
                hostname: Arc::from(hostname),
                metrics: collector_metrics,
            },
        );
        retention::start(
            supervisor,
            config.retention,
            Arc::clone(&log),
            Arc::clone(&store),
        );
        Ok(Self {
            log,
            store,
            _collector: collector,
        })
    }

    /// Makes durable what is in memory. What fails here is in the log and is read again at the next start.
    pub(super) async fn close(&self) {
        if let Err(e) = self.store.close().await {
            warn!(error = %e, "the time-series store did not close cleanly: {e}");
        }
        if let Err(e) = self.log.close().await {
            warn!(error = %e, "the event log did not close cleanly: {e}");
        }
    }
}

type Stores = (
    Arc<dyn EventLog>,
    Arc<dyn TimeSeries>,
    Arc<dyn ControlStore>,
);

/// Opens all three at the same time.
async fn open(data: &Path, registry: &mut Registry) -> Result<Stores, Failure> {
    let log_options = event_log::embedded::Options {
        metrics: event_log::embedded::Metrics::register(registry),
        ..event_log::embedded::Options::default()
    };
    let store_options = time_series::embedded::Options {
        metrics: time_series::embedded::Metrics::register(registry),
        ..time_series::embedded::Options::default()
    };
    let log = {
        let data = data.to_owned();
        tokio::task::spawn_blocking(move || event_log::Embedded::open(&data, log_options))
    };
    let store = {
        let data = data.join(time_series::Embedded::FILE);
        tokio::task::spawn_blocking(move || time_series::Embedded::open(data, store_options))
    };
    let (log, store, control) =
        tokio::join!(log, store, control::Embedded::open(data.join("control.db")));
    Ok((Arc::new(log??), Arc::new(store??), Arc::new(control?)))
}

/// Names that this process collects under: nobody may push under them.
fn claimed(config: &Config, hostname: &str) -> HashSet<SourceName> {
    let name = |source: &SourceConfig| source.name.clone();
    if config.sources.is_empty() {
        let engine = collector::DockerHost(String::new());
        return collector::default_sources(hostname, Some(engine))
            .iter()
            .map(name)
            .collect();
    }
    config.sources.iter().map(name).collect()
}

async fn sources(config: &Config, hostname: &str, docker_host: Option<&str>) -> Vec<SourceConfig> {
    if !config.sources.is_empty() {
        return config.sources.clone();
    }
    let engine = collector::find_docker(docker_host).await;
    if let Some(collector::DockerHost(url)) = &engine {
        info!(engine.url = %url, "observing this host and its Docker Engine at {url}");
    } else {
        info!("observing this host; there is no Docker Engine that this user may talk to");
    }
    collector::default_sources(hostname, engine)
}

fn auth_options(config: &Config, hostname: &str, own: &BTreeSet<IpAddr>) -> AuthOptions {
    AuthOptions {
        hosts: config
            .api
            .hosts
            .iter()
            .map(|host| host.as_str().to_owned())
            .collect(),
        hostname: Some(hostname.to_owned()),
        own_addresses: own.iter().copied().collect(),
        trusted_proxies: config.api.trusted_proxies.clone(),
        ..AuthOptions::default()
    }
}

fn greet(address: SocketAddr, setup: Option<&SecretString>, data: &Path, own: &BTreeSet<IpAddr>) {
    let text = Greeting {
        address,
        setup,
        data,
        own,
    }
    .render();
    let mut out = std::io::stdout().lock();
    // nobody may be reading
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
