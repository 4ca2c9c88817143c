//! Starts and stops sources. Each is one supervised task that polls, backs off, and says how it does.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use event_log::EventLog;
use schemas::{SourceName, name::AgentName};
use supervision::Supervisor;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{CollectorMetrics, Configured, Context, source::SourceTask};

/// A poll that takes longer than this has failed, where the configuration says nothing.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// One source as it is configured.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Its lab-unique name.
    pub name: SourceName,
    /// Time between polls.
    pub interval: Duration,
    /// Longest time of one poll.
    pub timeout: Duration,
    /// The integration with its parameters.
    pub integration: Configured,
}

/// What all sources share.
#[derive(Clone)]
pub struct Environment {
    /// Where events go.
    pub log: Arc<dyn EventLog>,
    /// This agent.
    pub agent: AgentName,
    /// The name of this machine.
    pub hostname: Arc<str>,
    /// Where the collector counts.
    pub metrics: CollectorMetrics,
}

/// The sources that run.
pub struct Collector {
    supervisor: Supervisor,
    environment: Environment,
    running: Mutex<HashMap<SourceName, Running>>,
}

struct Running {
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
}

/// A source that runs already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("source `{0}` runs already: names of sources are unique")]
pub struct AlreadyRuns(pub SourceName);

impl Collector {
    /// Starts sources. Of two with one name only the first starts; names are checked by the configuration.
    pub fn start(
        supervisor: &Supervisor,
        sources: impl IntoIterator<Item = SourceConfig>,
        environment: Environment,
    ) -> Self {
        let collector = Self {
            supervisor: supervisor.clone(),
            environment,
            running: Mutex::default(),
        };
        for source in sources {
            if let Err(e) = collector.start_source(source) {
                tracing::error!(error = %e, "{e}");
            }
        }
        collector
    }

    /// Starts one source.
    ///
    /// # Errors
    /// One with its name runs.
    pub fn start_source(&self, config: SourceConfig) -> Result<(), AlreadyRuns> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(&config.name) {
            return Err(AlreadyRuns(config.name));
        }
        let stop = self.supervisor.token().child_token();
        let (ending, ended) = oneshot::channel();
        let name = config.name.clone();
        let task = SourceTask {
            context: Context {
                source: name.clone(),
                agent: self.environment.agent.clone(),
                hostname: Arc::clone(&self.environment.hostname),
                supervisor: self.supervisor.clone(),
            },
            log: Arc::clone(&self.environment.log),
            metrics: self.environment.metrics.clone(),
            stop: stop.clone(),
            config,
        };
        self.supervisor
            .spawn_transient(format!("collect/{name}"), async move {
                task.run().await;
                // whoever waits may have gone
                ending.send(()).ok();
            });
        running.insert(name, Running { stop, ended });
        Ok(())
    }

    /// Stops one source and waits until its last events are on their way. Returns whether it ran.
    pub async fn stop_source(&self, name: &SourceName) -> bool {
        let found = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        let Some(found) = found else { return false };
        found.stop.cancel();
        // an error means that the task was cut, which is an end too
        drop(found.ended.await);
        true
    }

    /// The names of the sources that run, sorted.
    pub fn sources(&self) -> Vec<SourceName> {
        let mut names: Vec<_> = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect();
        names.sort();
        names
    }
}
