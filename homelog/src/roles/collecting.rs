//! The part that observes.

use std::{collections::HashSet, sync::Arc};

use anyhow::Context;
use collector::{CollectorMetrics, Environment, SourceConfig, Sources, Supplier};
use event_log::EventLog;
use schemas::{SourceName, name::AgentName};
use supervision::Supervisor;
use tracing::info;

use crate::{config::Config, env::Env, outcome::Failure};

/// The machine that this process runs on.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// Its name.
    pub(crate) name: String,
    /// The agent that this process is.
    pub(crate) agent: AgentName,
    docker: Option<String>,
}

impl Host {
    /// What the system, the environment and the configuration say.
    pub(crate) fn new(config: &Config, env: &Env) -> Result<Self, Failure> {
        let docker = env
            .text("DOCKER_HOST")
            .map_err(|e| Failure::usage(format!("homelog: {e}")))?
            .map(str::to_owned);
        let name = hostname::get()
            .context("the name of this machine is not known")?
            .to_string_lossy()
            .into_owned();
        let agent = match &config.collect.agent {
            Some(agent) => agent.name().clone(),
            None => AgentName::new(collector::name_of_host(&name))?,
        };
        Ok(Self {
            name,
            agent,
            docker,
        })
    }
}

/// Names that this process collects under: nobody may push under them.
pub(super) fn claimed(config: &Config, host: &Host) -> HashSet<SourceName> {
    let name = |source: &SourceConfig| source.name.clone();
    if config.sources.is_empty() {
        let engine = collector::DockerHost(String::new());
        return collector::default_sources(&host.name, Some(engine))
            .iter()
            .map(name)
            .collect();
    }
    config.sources.iter().map(name).collect()
}

/// Starts to observe what is configured, or this host and its Docker Engine.
pub(super) async fn start(
    supervisor: &Supervisor,
    sources: &Sources,
    config: &Config,
    host: &Host,
    log: Arc<dyn EventLog>,
    metrics: CollectorMetrics,
) {
    sources.apply(Supplier::Config, self::sources(config, host).await);
    collector::start(
        supervisor,
        sources,
        Environment {
            log,
            agent: host.agent.clone(),
            hostname: Arc::from(host.name.as_str()),
            metrics,
        },
    );
}

/// What is observed by a configuration.
pub(crate) async fn sources(config: &Config, host: &Host) -> Vec<SourceConfig> {
    if !config.sources.is_empty() {
        return config.sources.clone();
    }
    let engine = collector::find_docker(host.docker.as_deref()).await;
    if let Some(collector::DockerHost(url)) = &engine {
        info!(engine.url = %url, "observing this host and its Docker Engine at {url}");
    } else {
        info!("observing this host; there is no Docker Engine that this user may talk to");
    }
    collector::default_sources(&host.name, engine)
}
