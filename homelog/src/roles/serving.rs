//! The part that answers: the HTTP API and the dashboard.

use std::{
    collections::{BTreeSet, HashSet},
    io::Write,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use control::ControlStore;
use prometheus_client::registry::Registry;
use query_api::{ApiOptions, Auth, AuthOptions, Listeners, Probe, ServerTls};
use schemas::{Catalog, SourceName};
use secrecy::SecretString;
use supervision::Supervisor;
use tokio::sync::watch;

use super::{
    admin::FirstAdmin,
    collecting::Host,
    greeting::{Greeting, own_addresses},
    port::{self, Ports},
};
use crate::{
    adapters::{log::Log, store::Store},
    config::Config,
    outcome::Failure,
};

/// What is served, and how.
pub(super) struct Serving<'a> {
    /// The configuration.
    pub(super) config: &'a Config,
    /// Where it listens.
    pub(super) ports: Ports,
    /// How the first admin is made.
    pub(super) first_admin: FirstAdmin,
    /// This machine.
    pub(super) host: &'a Host,
    /// Where the data is, if any is here.
    pub(super) data: Option<&'a Path>,
    /// The log.
    pub(super) log: &'a Log,
    /// The store.
    pub(super) store: &'a Store,
    /// The control store.
    pub(super) control: Arc<dyn ControlStore>,
    /// Types of metrics.
    pub(super) catalog: Arc<Catalog>,
    /// Metrics of every part.
    pub(super) registry: Registry,
    /// True once reads are complete.
    pub(super) caught_up: watch::Receiver<bool>,
    /// Sources that this process collects itself.
    pub(super) claimed: watch::Receiver<HashSet<SourceName>>,
    /// Parts whose state counts.
    pub(super) probes: Vec<Probe>,
}

/// Starts to serve and greets.
pub(super) async fn start(supervisor: &Supervisor, serving: Serving<'_>) -> Result<(), Failure> {
    let Serving { config, host, .. } = serving;
    let own = own_addresses();
    let tls = tls(config)?;
    let auth = Auth::open(
        Arc::clone(&serving.control),
        AuthOptions {
            fingerprint: tls.as_ref().map(|tls| tls.fingerprint().to_owned()),
            ..auth_options(config, &host.name, &own)
        },
    )
    .await?;
    let setup = serving.first_admin.make(&*serving.control, &auth).await?;
    let (listener, address) = port::served(serving.ports.api)?;
    let mut listeners = Listeners::from(vec![listener]);
    if let Some(influxdb) = serving.ports.influxdb {
        listeners.influxdb.push(port::served(influxdb)?.0);
    }
    query_api::serve(
        listeners,
        query_api::Services {
            log: Arc::clone(&serving.log.events),
            store: Arc::clone(&serving.store.series),
            control: serving.control,
            auth,
            catalog: serving.catalog,
            registry: Arc::new(Mutex::new(serving.registry)),
            caught_up: serving.caught_up,
            claimed: serving.claimed,
            claims: serving.log.claims.clone(),
        },
        ApiOptions {
            metrics_from: config.api.metrics_from.clone(),
            probes: serving.probes,
            tls,
            keep_events: Some(config.retention.events.0),
            ..ApiOptions::default()
        },
        supervisor,
    )?;
    greet(config, address, setup.as_ref(), serving.data, &own);
    Ok(())
}

/// The certificate that is shown, if one is configured.
pub(crate) fn tls(config: &Config) -> Result<Option<ServerTls>, Failure> {
    let (Some(certificate), Some(key)) = (&config.api.certificate, &config.api.key) else {
        return Ok(None);
    };
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let tls = ServerTls::from_pem(&read(certificate.path())?, &read(key.path())?)
        .with_context(|| format!("[api] certificate {}", certificate.path().display()))?;
    Ok(Some(tls))
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

/// How it is reached.
pub(crate) const fn scheme(config: &Config) -> &'static str {
    if config.api.certificate.is_some() {
        "https"
    } else {
        "http"
    }
}

fn greet(
    config: &Config,
    address: SocketAddr,
    setup: Option<&SecretString>,
    data: Option<&Path>,
    own: &BTreeSet<IpAddr>,
) {
    let text = Greeting {
        address,
        scheme: scheme(config),
        setup,
        places: &config.places(data),
        own,
    }
    .render();
    let mut out = std::io::stdout().lock();
    // nobody may be reading
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
