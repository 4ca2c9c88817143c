//! The event log.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use async_trait::async_trait;
use event_log::{Claims, DestinationError, EventLog, Fleet, ForeignSource, Kafka, embedded, kafka};
use prometheus_client::registry::Registry;
use schemas::{SourceName, name::AgentName};
use supervision::Supervisor;

use super::{Patience, waiting};
use crate::config::{Config, LogKind, Mechanism, Tls};

/// Directory of the spool in the data directory: apart from an embedded log that may be there from before.
pub(crate) const SPOOL: &str = "spool";

/// The log as the roles use it.
#[derive(Clone)]
pub(crate) struct Log {
    /// The port.
    pub(crate) events: Arc<dyn EventLog>,
    /// The same, if many workers may share it.
    pub(crate) fleet: Option<Arc<dyn Fleet>>,
    /// The same, if it remembers who has which source.
    pub(crate) claims: Option<Arc<dyn Claims>>,
}

/// A log that is not open yet.
pub(crate) enum Opener {
    /// A file.
    Embedded(PathBuf, embedded::Options),
    /// Topics of a cluster.
    Kafka(Box<kafka::Options>),
}

impl Opener {
    /// The log that the configuration names; it counts in `registry`.
    ///
    /// # Errors
    /// The configuration cannot work.
    pub(crate) fn new(
        config: &Config,
        data: Option<&Path>,
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        match config.log.kind {
            LogKind::Embedded => {
                let data = data.context("there is no data directory")?;
                Ok(Self::Embedded(data.to_owned(), embedded_options(registry)))
            }
            LogKind::Kafka => Ok(Self::Kafka(Box::new(kafka_options(config, registry)))),
            LogKind::Http => anyhow::bail!("the log of a hub is read at the hub"),
        }
    }

    /// The same for who only appends, or shares it with others: it does not follow what all others append.
    ///
    /// # Errors
    /// The configuration cannot work.
    pub(crate) fn to_share(
        config: &Config,
        data: Option<&Path>,
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        let mut opener = Self::new(config, data, registry)?;
        if let Self::Kafka(options) = &mut opener {
            options.follow = false;
        }
        Ok(opener)
    }

    /// Opens it.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub(crate) async fn open(
        self,
        supervisor: &Supervisor,
        patience: Patience,
    ) -> anyhow::Result<Log> {
        match self {
            Self::Embedded(dir, options) => Ok(Log {
                events: open_embedded(dir, options).await?,
                fleet: None,
                claims: None,
            }),
            Self::Kafka(options) => {
                let opened = waiting::open(
                    "the event log",
                    patience,
                    kafka::OpenError::is_transient,
                    || Kafka::open((*options).clone(), supervisor),
                );
                let log = Arc::new(opened.await?);
                Ok(Log {
                    events: log.clone(),
                    fleet: Some(log.clone()),
                    claims: Some(Arc::new(KafkaClaims(log))),
                })
            }
        }
    }
}

/// What the configuration says about Kafka.
pub(crate) fn kafka_options(config: &Config, registry: &mut Registry) -> kafka::Options {
    let log = &config.log;
    let tls = match &log.tls {
        Tls::Default | Tls::Off | Tls::Fingerprint(_) | Tls::Insecure => None,
        Tls::System => Some(kafka::Tls::default()),
        Tls::Ca(path) => Some(kafka::Tls {
            ca: Some(path.clone()),
        }),
    };
    let sasl = log
        .username
        .as_ref()
        .zip(log.password.as_ref())
        .map(|(username, password)| kafka::Sasl {
            mechanism: match log.mechanism {
                Mechanism::Plain => kafka::Mechanism::Plain,
                Mechanism::ScramSha256 => kafka::Mechanism::ScramSha256,
                Mechanism::ScramSha512 => kafka::Mechanism::ScramSha512,
            },
            username: username.as_str().to_owned(),
            password: password.get().clone(),
        });
    kafka::Options {
        brokers: log.brokers.as_str().to_owned(),
        prefix: log.topics.as_str().to_owned(),
        partitions: usize::try_from(log.partitions.get()).unwrap_or(1),
        replication: usize::try_from(log.replication.get()).unwrap_or(1),
        retention: config.retention.events.0,
        security: kafka::Security { tls, sasl },
        metrics: kafka::Metrics::register(registry),
        ..kafka::Options::default()
    }
}

/// Claims of sources in a topic.
struct KafkaClaims(Arc<Kafka>);

#[async_trait]
impl Claims for KafkaClaims {
    async fn claim(
        &self,
        agent: &AgentName,
        sources: &[SourceName],
        take_over: bool,
    ) -> Result<Vec<ForeignSource>, DestinationError> {
        match self.0.claim_sources(sources, agent, take_over).await {
            Ok(()) => Ok(Vec::new()),
            Err(kafka::ClaimError::ClaimedBy { .. }) => {
                let owners = self.0.source_owners().await?;
                Ok(owners
                    .into_iter()
                    .filter(|(source, owner)| sources.contains(source) && owner != agent)
                    .map(|(source, owner)| ForeignSource { source, owner })
                    .collect())
            }
            Err(kafka::ClaimError::Read(e)) => Err(e.into()),
            Err(kafka::ClaimError::Append(e)) => Err(e.into()),
        }
    }

    async fn owners(&self) -> Result<Vec<ForeignSource>, DestinationError> {
        let owners = self.0.source_owners().await?;
        Ok(owners
            .into_iter()
            .map(|(source, owner)| ForeignSource { source, owner })
            .collect())
    }
}

fn embedded_options(registry: &mut Registry) -> embedded::Options {
    embedded::Options {
        metrics: embedded::Metrics::register(registry),
        ..embedded::Options::default()
    }
}

async fn open_embedded(
    dir: PathBuf,
    options: embedded::Options,
) -> anyhow::Result<Arc<dyn EventLog>> {
    let opening = tokio::task::spawn_blocking(move || event_log::Embedded::open(&dir, options));
    Ok(Arc::new(opening.await??))
}

/// Opens the spool of a data directory.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) async fn open_spool(
    data: &Path,
    registry: &mut Registry,
) -> anyhow::Result<Arc<dyn EventLog>> {
    let dir = data.join(SPOOL);
    crate::data_dir::create(&dir)?;
    open_embedded(dir, embedded_options(registry)).await
}

/// Opens the log that the configuration names for reading alone, beside whoever writes it.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) async fn open_to_read(
    config: &Config,
    data: Option<&Path>,
    supervisor: &Supervisor,
) -> anyhow::Result<Arc<dyn EventLog>> {
    if config.log.kind == LogKind::Embedded {
        let data = data.context("there is no data directory")?;
        return Ok(Arc::new(event_log::Embedded::open_read_only(data)?));
    }
    let opener = Opener::to_share(config, data, &mut Registry::default())?;
    Ok(opener.open(supervisor, Patience::Once).await?.events)
}
