use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use homelog_tests::{agent::Counts, probe, role::Role};
use schemas::Timestamp;
use tempfile::TempDir;
use test_servers::{Fault, FaultProxy, Influxdb, Kafka, KafkaOptions, free_port};

use crate::{agents::Agent, setting::Setting, workers::worker};

/// Everything that runs: what a home has, with a network that can be broken before each broker and before the store.
pub(crate) struct Lab {
    // processes go before servers, servers before their network
    pub(crate) agents: Vec<Agent>,
    pub(crate) workers: Vec<Role>,
    pub(crate) kafka: Kafka,
    pub(crate) influxdb: Influxdb,
    pub(crate) to_brokers: Vec<FaultProxy>,
    pub(crate) to_store: FaultProxy,
    pub(crate) base: i64,
    pub(crate) setting: Setting,
    directory: TempDir,
}

/// What was sent: the highest seq of each source.
pub(crate) struct Sent {
    pub(crate) sources: Vec<(String, u64)>,
}

impl Sent {
    pub(crate) fn total(&self) -> u64 {
        self.sources.iter().map(|(_, last)| last).sum()
    }
}

pub(crate) const BUCKET: &str = "homelog";
/// How long everything may take to go on after a fault.
const RECOVERY: Duration = Duration::from_mins(3);
/// Bytes that show that events pass, on a network where members of a group say that they live.
const SOME_BYTES: u64 = 8_000;
const HOUR: i64 = 3_600_000;

impl Lab {
    pub(crate) fn start(setting: &Setting) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("hl-faults-").tempdir()?;
        let base = Timestamp::now().as_millis() - HOUR;
        let ports: Vec<u16> = (0..setting.brokers)
            .map(|_| free_port())
            .collect::<Result<_>>()?;
        let to_brokers: Vec<FaultProxy> = ports
            .iter()
            .map(|port| FaultProxy::start(*port))
            .collect::<Result<_>>()?;
        let kafka = Kafka::start(&KafkaOptions {
            brokers: setting.brokers,
            advertised: to_brokers.iter().map(FaultProxy::port).collect(),
            ports,
            properties: Vec::new(),
        })?;
        let influxdb = Influxdb::start()?;
        let to_store = FaultProxy::start(influxdb.port())?;
        let mut lab = Self {
            agents: Vec::new(),
            workers: Vec::new(),
            kafka,
            influxdb,
            to_brokers,
            to_store,
            base,
            setting: setting.clone(),
            directory,
        };
        let place = lab.directory.path().to_owned();
        lab.people(&place)?;
        Ok(lab)
    }

    /// Workers and agents.
    fn people(&mut self, place: &Path) -> Result<()> {
        for number in 0..self.setting.workers {
            let worker = worker(self, place, number)?;
            self.workers.push(worker);
        }
        for number in 0..self.setting.agents {
            let agent = Agent::new(self, place, number)?;
            self.agents.push(agent);
        }
        self.workers.iter_mut().try_for_each(Role::start)?;
        self.agents.iter_mut().try_for_each(|agent| agent.start())
    }

    /// How many events the spools of all agents have acknowledged.
    pub(crate) fn acknowledged(&self) -> Result<u64> {
        Ok(self.sent()?.total())
    }

    pub(crate) fn sent(&self) -> Result<Sent> {
        let mut sources = Vec::new();
        for agent in &self.agents {
            sources.extend(agent.acknowledged()?);
        }
        Ok(Sent { sources })
    }

    pub(crate) fn counts(&self) -> Result<Counts> {
        self.agents
            .iter()
            .try_fold(Counts::default(), |sum, agent| {
                let one = agent.counts()?;
                Ok(Counts {
                    shipped: sum.shipped + one.shipped,
                    duplicates: sum.duplicates + one.duplicates,
                    refused: sum.refused + one.refused,
                    dropped: sum.dropped + one.dropped,
                    retries: sum.retries + one.retries,
                    resent: sum.resent + one.resent,
                    rewinds: sum.rewinds + one.rewinds,
                })
            })
    }

    /// Waits until events go into spools, to the brokers and into the store: what strikes next strikes under load.
    pub(crate) fn wait_for_flow(&mut self) -> Result<()> {
        let begin = (
            self.acknowledged()?,
            self.bytes_to_brokers(),
            self.to_store.traffic().to_server,
        );
        let end = Instant::now() + RECOVERY;
        loop {
            std::thread::sleep(Duration::from_millis(100));
            self.all_live()?;
            let spooled = self.acknowledged()? > begin.0;
            let shipped = self.bytes_to_brokers() > begin.1 + SOME_BYTES;
            let stored = self.to_store.traffic().to_server > begin.2 + SOME_BYTES;
            if spooled && shipped && stored {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "after {RECOVERY:?} with everything mended nothing flows into {}\n{}",
                match (spooled, shipped) {
                    (false, _) => "the spools",
                    (_, false) => "Kafka",
                    _ => "InfluxDB",
                },
                self.last_words()
            );
        }
    }

    /// Connections that were ever made to brokers and store.
    pub(crate) fn connections(&self) -> u64 {
        self.to_brokers
            .iter()
            .chain([&self.to_store])
            .map(|proxy| proxy.traffic().connections)
            .sum()
    }

    fn bytes_to_brokers(&self) -> u64 {
        self.to_brokers
            .iter()
            .map(|proxy| proxy.traffic().to_server)
            .sum()
    }

    /// Nobody ended who was not killed.
    fn all_live(&mut self) -> Result<()> {
        self.agents.iter_mut().try_for_each(|agent| agent.lives())?;
        self.workers.iter_mut().try_for_each(Role::lives)
    }

    pub(crate) fn last_words(&self) -> String {
        let agents = self.agents.iter().map(|agent| agent.last_words());
        let workers = self.workers.iter().map(Role::last_words);
        agents.chain(workers).collect::<Vec<_>>().join("\n")
    }

    /// Everything runs and nothing is in the way.
    pub(crate) fn mend(&mut self) -> Result<()> {
        for proxy in self.to_brokers.iter().chain([&self.to_store]) {
            proxy.set(Fault::None);
        }
        self.kafka.restart_all().context("brokers")?;
        if self.influxdb.process().is_none() {
            self.influxdb.restart().context("InfluxDB")?;
        }
        self.workers.iter_mut().try_for_each(Role::start)?;
        self.agents.iter_mut().try_for_each(|agent| agent.start())
    }

    /// Ends the load.
    pub(crate) fn stop_events(&self) -> Result<()> {
        self.agents
            .iter()
            .try_for_each(|agent| agent.set_target(0))?;
        let end = Instant::now() + RECOVERY;
        loop {
            let before = self.acknowledged()?;
            std::thread::sleep(Duration::from_secs(2));
            if self.acknowledged()? == before {
                return Ok(());
            }
            ensure!(Instant::now() < end, "agents do not stop");
        }
    }

    /// One more event of each source; returns when the spools have them.
    pub(crate) fn send_one_more_each(&self) -> Result<()> {
        let before = self.acknowledged()?;
        let mut more = 0;
        for agent in &self.agents {
            let sources = agent.acknowledged()?;
            let last = sources.iter().map(|(_, last)| *last).max().unwrap_or(0);
            more += sources.iter().map(|(_, seq)| last + 1 - seq).sum::<u64>();
            agent.set_target(last + 1)?;
        }
        let end = Instant::now() + RECOVERY;
        while self.acknowledged()? < before + more {
            ensure!(Instant::now() < end, "agents make no more events");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Unix milliseconds of an event.
    pub(crate) fn time(&self, seq: u64) -> i64 {
        probe::time(self.base, seq)
    }
}
