//! The part that ships from the spool to a log that is elsewhere.

use std::{sync::Arc, time::Duration};

use event_log::{Destination, EventLog};
use prometheus_client::registry::Registry;
use query_api::Probe;
use schemas::{
    api::{HealthState, ServiceHealth},
    name::AgentName,
};
use shipper::{Metrics, Options, Services, Shipper, State, Status};
use supervision::Supervisor;
use tokio::sync::watch;

use super::collecting::Host;
use crate::{
    adapters::{Patience, destination, log, log::Log},
    config::{Config, LogKind},
};

/// What messages call a log on Kafka.
const KAFKA: &str = "kafka";

/// Shipping that has not begun yet.
pub(super) struct Shipping {
    agent: AgentName,
    spool: Arc<dyn EventLog>,
    metrics: Metrics,
    options: Options,
    begun: watch::Sender<Option<Shipper>>,
}

impl Shipping {
    /// From that spool; it counts in `registry`.
    pub(super) fn new(
        config: &Config,
        host: &Host,
        spool: &Arc<dyn EventLog>,
        take_over: bool,
        registry: &mut Registry,
    ) -> Self {
        Self {
            agent: host.agent.clone(),
            spool: Arc::clone(spool),
            metrics: Metrics::register(registry),
            options: Options {
                keep: config.collect.spool_keep.0,
                max_bytes: config.collect.spool_max_size.0,
                max_age: config.collect.spool_max_age.0,
                take_over,
                // a stop of `homelog up` has 3.5 s for its tasks
                grace: Duration::from_millis(2500),
                ..Options::default()
            },
            begun: watch::Sender::new(None),
        }
    }

    /// How it goes.
    pub(super) fn probe(&self) -> Probe {
        let begun = self.begun.subscribe();
        Probe::new("event_log", move || match &*begun.borrow() {
            Some(shipper) => shown(&shipper.status().borrow()),
            None => degraded("waiting for the brokers; events are kept in the spool"),
        })
    }

    fn start_to(self, supervisor: &Supervisor, destination: Arc<dyn Destination>) {
        let shipper = Shipper::start(
            supervisor,
            Services {
                spool: self.spool,
                destination,
                agent: self.agent,
                metrics: self.metrics,
            },
            self.options,
        );
        self.begun.send_replace(Some(shipper));
    }

    /// Ships into a log that is open already.
    pub(super) fn start_into(self, supervisor: &Supervisor, log: &Log) {
        let destination = destination::log(KAFKA, self.agent.clone(), log);
        self.start_to(supervisor, destination);
    }

    /// Ships to what the configuration names. Brokers that do not answer yet are waited for in the background.
    pub(super) fn start(
        self,
        supervisor: &Supervisor,
        config: &Config,
        registry: &mut Registry,
    ) -> anyhow::Result<()> {
        if config.log.kind == LogKind::Http {
            let hub = destination::hub(&config.log)?;
            self.start_to(supervisor, hub);
            return Ok(());
        }
        let opener = log::Opener::to_share(config, None, registry)?;
        let tasks = supervisor.clone();
        supervisor.spawn("kafka", async move {
            let token = tasks.token();
            let log = tokio::select! {
                log = opener.open(&tasks, Patience::Forever) => log?,
                () = token.cancelled() => return Ok(()),
            };
            self.start_into(&tasks, &log);
            token.cancelled().await;
            Ok(())
        });
        Ok(())
    }
}

fn degraded(reason: impl Into<String>) -> ServiceHealth {
    ServiceHealth::new(HealthState::Degraded, Some(reason.into()))
}

fn shown(status: &Status) -> ServiceHealth {
    match &status.state {
        State::Starting | State::Shipping => ServiceHealth::new(HealthState::Healthy, None),
        State::Waiting { since, reason } => degraded(format!(
            "{} events wait in the spool since {since}: {reason}",
            status.backlog
        )),
    }
}
