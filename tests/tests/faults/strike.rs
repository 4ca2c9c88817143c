use std::{
    ops::Range,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{RngExt, rngs::StdRng};
use test_servers::{Fault, FaultProxy, Traffic};

use crate::lab::Lab;

/// Which part of the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Side {
    /// Before the brokers.
    Log,
    /// Before InfluxDB.
    Store,
}

/// What breaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// One broker is killed and comes back.
    Broker,
    /// All brokers are killed and come back after a minute; meanwhile more breaks.
    AllBrokers,
    /// InfluxDB is killed and comes back.
    Influxdb,
    /// An ingest worker is killed and comes back.
    Worker(usize),
    /// An agent is killed and comes back.
    Agent(usize),
    /// An agent is killed while its last requests are on their way; they arrive after its next life has sent the same.
    Late(usize),
    /// Connections are reset.
    Cut(Side),
    /// Bytes stop for a while.
    Stall(Side),
    /// Connections end in the middle of what they carry.
    Halve(Side),
}

/// Whether it met anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Struck {
    Hit,
    Missed,
}

impl Struck {
    const fn when(hit: bool) -> Self {
        if hit { Self::Hit } else { Self::Missed }
    }
}

const OUTAGE: Duration = Duration::from_mins(1);
const SIDES: [Side; 2] = [Side::Log, Side::Store];
/// Smaller chunks pass while connections are halved: they carry no events.
const LEAST_HALVED: usize = 500;
/// How long an agent's next life has to send again what its last one sent.
const SENT_AGAIN: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);

impl Kind {
    pub(crate) fn everywhere(agents: usize, workers: usize) -> Vec<Self> {
        let mut all = vec![Self::Broker, Self::AllBrokers, Self::Influxdb];
        all.extend((0..agents).map(Self::Agent));
        all.extend((0..agents).map(Self::Late));
        all.extend((0..workers).map(Self::Worker));
        for side in SIDES {
            all.extend([Self::Cut(side), Self::Stall(side), Self::Halve(side)]);
        }
        all
    }
}

fn some(random: &mut StdRng, millis: Range<u64>) -> Duration {
    Duration::from_millis(random.random_range(millis))
}

impl Lab {
    /// Breaks something for a while and mends it. Returns whether it met anything.
    pub(crate) fn strike(&mut self, kind: Kind, random: &mut StdRng) -> Result<Struck> {
        match kind {
            Kind::Broker => {
                let broker = random.random_range(0..self.setting.brokers);
                self.kafka.kill(broker)?;
                sleep(some(random, 500..8_000));
                self.kafka.restart(broker)?;
            }
            Kind::AllBrokers => self.strike_all_brokers(random)?,
            Kind::Influxdb => {
                self.influxdb.kill()?;
                sleep(some(random, 200..6_000));
                self.influxdb.restart()?;
            }
            Kind::Worker(number) => {
                if let Some(worker) = self.workers.get_mut(number) {
                    worker.kill()?;
                    sleep(some(random, 0..4_000));
                    worker.start()?;
                }
            }
            Kind::Agent(number) => {
                if let Some(agent) = self.agents.get_mut(number) {
                    agent.kill()?;
                    sleep(some(random, 0..3_000));
                    agent.start()?;
                }
            }
            Kind::Late(number) => {
                let before = self.traffic(Side::Log);
                self.to_brokers.iter().for_each(FaultProxy::hold);
                // some appends go out and are not answered
                sleep(some(random, 300..1_500));
                if let Some(agent) = self.agents.get_mut(number) {
                    agent.kill()?;
                    agent.start()?;
                }
                sleep(SENT_AGAIN);
                self.to_brokers.iter().for_each(FaultProxy::release);
                return Ok(Struck::when(
                    self.traffic(Side::Log).stalled > before.stalled,
                ));
            }
            Kind::Cut(side) => {
                let before = self.traffic(side);
                for _ in 0..random.random_range(1..4) {
                    self.network(side).iter().for_each(|proxy| proxy.cut());
                    sleep(some(random, 10..1_000));
                }
                return Ok(Struck::when(self.traffic(side).cut > before.cut));
            }
            Kind::Stall(side) => {
                let before = self.traffic(side);
                self.set(side, Fault::Stall);
                sleep(some(random, 500..10_000));
                self.set(side, Fault::None);
                return Ok(Struck::when(self.traffic(side).stalled > before.stalled));
            }
            Kind::Halve(side) => {
                let before = self.traffic(side);
                self.set(side, Fault::Halve(LEAST_HALVED));
                let end = Instant::now() + PATIENCE;
                let wanted = before.halved + random.random_range(1..5);
                while self.traffic(side).halved < wanted && Instant::now() < end {
                    sleep(Duration::from_millis(10));
                }
                self.set(side, Fault::None);
                return Ok(Struck::when(self.traffic(side).halved > before.halved));
            }
        }
        Ok(Struck::Hit)
    }

    /// What else breaks while there is no broker is not counted: nothing flows then.
    fn strike_all_brokers(&mut self, random: &mut StdRng) -> Result<()> {
        for broker in 0..self.setting.brokers {
            self.kafka.kill(broker)?;
        }
        let end = Instant::now() + OUTAGE;
        if random.random_bool(0.7) {
            sleep(some(random, 0..20_000));
            let more = match random.random_range(0..3) {
                0 => Kind::Influxdb,
                1 => Kind::Worker(random.random_range(0..self.workers.len())),
                _ => Kind::Agent(random.random_range(0..self.agents.len())),
            };
            self.strike(more, random)?;
            println!("          and {more:?}");
        }
        sleep(end.saturating_duration_since(Instant::now()));
        self.kafka.restart_all()
    }

    fn network(&self, side: Side) -> Vec<&FaultProxy> {
        match side {
            Side::Log => self.to_brokers.iter().collect(),
            Side::Store => vec![&self.to_store],
        }
    }

    fn set(&self, side: Side, fault: Fault) {
        self.network(side).iter().for_each(|proxy| proxy.set(fault));
    }

    fn traffic(&self, side: Side) -> Traffic {
        self.network(side).iter().map(|proxy| proxy.traffic()).fold(
            Traffic::default(),
            |sum, one| Traffic {
                connections: sum.connections + one.connections,
                cut: sum.cut + one.cut,
                halved: sum.halved + one.halved,
                stalled: sum.stalled + one.stalled,
                to_server: sum.to_server + one.to_server,
                to_client: sum.to_client + one.to_client,
            },
        )
    }
}
