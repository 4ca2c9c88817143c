//! The time-series store.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use ingest::Limits;
use prometheus_client::registry::Registry;
use supervision::Supervisor;
use time_series::{PartitionedStore, TimeSeries, embedded, influxdb};

use super::{Patience, tls, waiting};
use crate::config::{Config, StoreKind};

/// The store as the roles use it.
pub(crate) struct Store {
    /// The port.
    pub(crate) series: Arc<dyn TimeSeries>,
    /// The same, if many workers may write it.
    pub(crate) shared: Option<Arc<dyn PartitionedStore>>,
}

impl Store {
    /// What it takes.
    pub(crate) fn limits(&self, config: &Config) -> Limits {
        Limits {
            unsigned: self.series.capabilities().unsigned,
            keep_millis: i64::try_from(config.retention.raw.0.as_millis()).ok(),
            ..Limits::default()
        }
    }
}

/// A store that is not open yet.
pub(crate) enum Opener {
    /// A file.
    Embedded(PathBuf, embedded::Options),
    /// A server.
    Influxdb(Box<influxdb::Options>),
}

impl Opener {
    /// The store that the configuration names; it counts in `registry`.
    ///
    /// # Errors
    /// The configuration cannot work.
    pub(crate) fn new(
        config: &Config,
        data: Option<&Path>,
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        let store = &config.store;
        Ok(match store.kind {
            StoreKind::Embedded => {
                let data = data.context("there is no data directory")?;
                let options = embedded::Options {
                    metrics: embedded::Metrics::register(registry),
                    ..embedded::Options::default()
                };
                Self::Embedded(data.join(time_series::Embedded::FILE), options)
            }
            StoreKind::Influxdb => {
                let client = http_client::Client::new(http_client::Options {
                    tls: tls::policy(&store.tls),
                    ..http_client::Options::default()
                })?;
                if client.is_insecure() {
                    tracing::warn!(
                        "[store] tls insecure = true: whoever sits on the way to {} reads the token and every point",
                        store.url.as_str()
                    );
                }
                let mut options = influxdb::Options::new(
                    store.url.as_str(),
                    store.org.as_str(),
                    store.bucket.as_str(),
                    store.token.get().clone(),
                    client.inner().clone(),
                );
                options.retention = Some(config.retention.raw.0);
                options.metrics = influxdb::Metrics::register(registry);
                Self::Influxdb(Box::new(options))
            }
        })
    }

    /// Opens it.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub(crate) async fn open(
        self,
        supervisor: &Supervisor,
        patience: Patience,
    ) -> anyhow::Result<Store> {
        match self {
            Self::Embedded(path, options) => {
                let opening =
                    tokio::task::spawn_blocking(move || time_series::Embedded::open(path, options));
                Ok(Store {
                    series: Arc::new(opening.await??),
                    shared: None,
                })
            }
            Self::Influxdb(options) => {
                let opened = waiting::open(
                    "the time-series store",
                    patience,
                    influxdb::OpenError::is_transient,
                    || time_series::Influxdb::open((*options).clone(), supervisor),
                );
                let store = Arc::new(opened.await?);
                Ok(Store {
                    series: store.clone(),
                    shared: Some(store),
                })
            }
        }
    }
}

/// Opens the store that the configuration names for reading alone, beside whoever writes it.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) async fn open_to_read(
    config: &Config,
    data: Option<&Path>,
    supervisor: &Supervisor,
) -> anyhow::Result<Arc<dyn TimeSeries>> {
    if config.store.kind == StoreKind::Embedded {
        let data = data.context("there is no data directory")?;
        let path = data.join(time_series::Embedded::FILE);
        return Ok(Arc::new(time_series::Embedded::open_read_only(path)?));
    }
    let opener = Opener::new(config, data, &mut Registry::default())?;
    Ok(opener.open(supervisor, Patience::Once).await?.series)
}
