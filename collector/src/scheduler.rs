//! Starts and stops sources as [`Sources`] says. Each is one supervised task that polls, backs off, and says how it does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use event_log::EventLog;
use futures::future::join_all;
use schemas::{SourceName, name::AgentName};
use supervision::Supervisor;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{CollectorMetrics, Configured, Context, Sources, source::SourceTask};

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

impl SourceConfig {
    /// Whether nothing of it differs, so that one that runs need not start again.
    pub fn is_same(&self, other: &Self) -> bool {
        let Self {
            name,
            interval,
            timeout,
            integration,
        } = self;
        *name == other.name
            && *interval == other.interval
            && *timeout == other.timeout
            && integration.is_same(&other.integration)
    }
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

/// Runs what `sources` says, now and after every change of it, until the supervisor stops.
pub fn start(supervisor: &Supervisor, sources: &Sources, environment: Environment) {
    let mut scheduler = Scheduler {
        supervisor: supervisor.clone(),
        sources: sources.clone(),
        environment,
        running: BTreeMap::new(),
        began: false,
    };
    let mut changed = sources.names();
    let stop = supervisor.token();
    supervisor.spawn("collect", async move {
        loop {
            changed.mark_unchanged();
            scheduler.follow().await;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                // the scheduler holds a handle, so that the sender lives
                told = changed.changed() => if told.is_err() { return Ok(()) },
            }
        }
    });
}

struct Scheduler {
    supervisor: Supervisor,
    sources: Sources,
    environment: Environment,
    running: BTreeMap<SourceName, Running>,
    /// The first set needs no telling.
    began: bool,
}

struct Running {
    config: SourceConfig,
    stop: CancellationToken,
    removed: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
}

impl Scheduler {
    /// Stops what should not run as it does, and starts what should.
    async fn follow(&mut self) {
        let wanted = self.sources.wanted();
        let stopping: Vec<_> = self
            .running
            .extract_if(.., |name, running| {
                !wanted
                    .get(name)
                    .is_some_and(|config| config.is_same(&running.config))
            })
            .map(|(_, running)| running)
            .collect();
        let unchanged = self.running.len();
        let (mut restarted, mut removed) = (BTreeSet::new(), BTreeSet::new());
        for running in &stopping {
            let name = running.config.name.clone();
            if wanted.contains_key(&name) {
                restarted.insert(name);
            } else {
                removed.insert(name);
                running.removed.store(true, Ordering::Release);
            }
            running.stop.cancel();
        }
        // an error means that the task was cut, which is an end too
        drop(join_all(stopping.into_iter().map(|running| running.ended)).await);
        if self.supervisor.token().is_cancelled() {
            return;
        }
        let mut started = BTreeSet::new();
        for (name, config) in wanted {
            if self.running.contains_key(&name) {
                continue;
            }
            if !restarted.contains(&name) {
                started.insert(name.clone());
            }
            let running = self.begin(config);
            self.running.insert(name, running);
        }
        if std::mem::replace(&mut self.began, true) {
            let (started, restarted, removed) = (list(&started), list(&restarted), list(&removed));
            info!(
                started,
                restarted,
                removed,
                unchanged,
                "sources changed: started {started}; started again {restarted}; removed {removed}; {unchanged} go on"
            );
        }
    }

    fn begin(&self, config: SourceConfig) -> Running {
        let stop = self.supervisor.token().child_token();
        let removed = Arc::new(AtomicBool::new(false));
        let (ending, ended) = oneshot::channel();
        let name = config.name.clone();
        let task = SourceTask {
            context: Context {
                source: name.clone(),
                agent: self.environment.agent.clone(),
                hostname: Arc::clone(&self.environment.hostname),
                supervisor: self.supervisor.clone(),
                sources: self.sources.clone(),
            },
            log: Arc::clone(&self.environment.log),
            metrics: self.environment.metrics.clone(),
            stop: stop.clone(),
            removed: Arc::clone(&removed),
            config: config.clone(),
        };
        self.supervisor
            .spawn_transient(format!("collect/{name}"), async move {
                task.run().await;
                // whoever waits may have gone
                ending.send(()).ok();
            });
        Running {
            config,
            stop,
            removed,
            ended,
        }
    }
}

fn list(names: &BTreeSet<SourceName>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<_> = names.iter().map(SourceName::as_str).collect();
    names.join(", ")
}
