use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    free_port,
    kafka_program::{self, Broker},
    process::{Process, Program},
};

/// How a cluster is set up.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// How many brokers; each is a controller too.
    pub brokers: usize,
    /// More lines for `server.properties`, each `key=value`; they win over ours.
    pub properties: Vec<String>,
    /// Port that clients are told, by broker, where it is not the one that the broker listens on (a proxy stands between).
    pub advertised: Vec<u16>,
    /// Ports that the brokers listen on; free ones if there are none.
    pub ports: Vec<u16>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            brokers: 1,
            properties: Vec::new(),
            advertised: Vec::new(),
            ports: Vec::new(),
        }
    }
}

/// A Kafka cluster in `KRaft` mode.
#[derive(Debug)]
pub struct Kafka {
    // before what they run from: they go first
    brokers: Vec<Option<Process>>,
    programs: Vec<Program>,
    ports: Vec<u16>,
    advertised: Vec<u16>,
    directory: TempDir,
}

const PATIENCE: Duration = Duration::from_mins(1);
/// What a broker logs when it takes part in the cluster; it listens before that.
const STARTED: &str = "Kafka Server started";

impl Kafka {
    /// Starts a cluster and waits until it serves.
    ///
    /// # Errors
    /// It is not installed or does not start.
    pub fn start(options: &KafkaOptions) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("hl-kafka-").tempdir()?;
        let or_free = |given: &[u16]| -> Result<Vec<u16>> {
            if given.is_empty() {
                return (0..options.brokers).map(|_| free_port()).collect();
            }
            ensure!(given.len() == options.brokers, "one port for each broker");
            Ok(given.to_vec())
        };
        let ports = or_free(&options.ports)?;
        let controllers = or_free(&[])?;
        let internal = or_free(&[])?;
        let advertised = match options.advertised.as_slice() {
            [] => ports.clone(),
            given => or_free(given)?,
        };
        let plans: Vec<Broker<'_>> = (0..options.brokers)
            .map(|id| Broker {
                id,
                ports: &ports,
                internal: &internal,
                advertised: &advertised,
                controllers: &controllers,
                more: &options.properties,
            })
            .collect();
        // each takes a second or two of Java's start
        let programs = std::thread::scope(|scope| {
            let made: Vec<_> = plans
                .iter()
                .map(|plan| scope.spawn(|| kafka_program::make(plan, directory.path())))
                .collect();
            made.into_iter()
                .map(|one| {
                    one.join()
                        .unwrap_or_else(|_| bail!("making a broker panicked"))
                })
                .collect::<Result<Vec<_>>>()
        })?;
        let mut kafka = Self {
            brokers: programs.iter().map(|_| None).collect(),
            programs,
            ports,
            advertised,
            directory,
        };
        kafka.restart_all()?;
        Ok(kafka)
    }

    /// Starts a broker that was killed without waiting for it; see [`Kafka::wait`].
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(&mut self, broker: usize) -> Result<()> {
        let started = self
            .programs
            .get(broker)
            .context("no such broker")?
            .start()?;
        if let Some(place) = self.brokers.get_mut(broker) {
            *place = Some(started);
        }
        Ok(())
    }

    /// Waits until a broker serves.
    ///
    /// # Errors
    /// It ended, or does not serve in time: most of the brokers must run.
    pub fn wait(&mut self, broker: usize) -> Result<()> {
        match self.brokers.get_mut(broker) {
            Some(Some(process)) => process.wait_for_words(STARTED, PATIENCE),
            _ => Ok(()),
        }
    }

    /// Kills a broker as `kill -9` does.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self, broker: usize) -> Result<()> {
        match self.brokers.get_mut(broker).and_then(Option::take) {
            Some(process) => process.kill(),
            None => Ok(()),
        }
    }

    /// Starts a broker that was killed, on the same data, and waits until it serves; most of the others must run.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self, broker: usize) -> Result<()> {
        self.spawn(broker)?;
        self.wait(broker)
    }

    /// Starts all brokers that do not run, on the same data, and waits until they serve.
    ///
    /// # Errors
    /// One does not start.
    pub fn restart_all(&mut self) -> Result<()> {
        for broker in 0..self.brokers.len() {
            if self.process(broker).is_none() {
                self.spawn(broker)?;
            }
        }
        (0..self.brokers.len()).try_for_each(|broker| self.wait(broker))
    }

    /// Where a native broker keeps its data.
    pub fn data(&self, broker: usize) -> PathBuf {
        self.directory.path().join(format!("data-{broker}"))
    }

    /// The process of a broker, if it runs.
    pub fn process(&self, broker: usize) -> Option<&Process> {
        self.brokers.get(broker).and_then(Option::as_ref)
    }

    /// Ports that the brokers listen on.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// What a client is given: `127.0.0.1:port,…`
    pub fn brokers(&self) -> String {
        let all: Vec<String> = self
            .advertised
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        all.join(",")
    }
}
