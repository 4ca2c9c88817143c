use std::{
    ops::{Deref, DerefMut},
    path::Path,
};

use anyhow::Result;
use homelog_tests::{
    agent::{self, Acknowledged, Counts, Orders},
    role::Role,
};

use crate::lab::Lab;

/// An agent in a process of its own.
pub(crate) struct Agent {
    role: Role,
    orders: Orders,
    acknowledged: Acknowledged,
}

impl Deref for Agent {
    type Target = Role;

    fn deref(&self) -> &Role {
        &self.role
    }
}

impl DerefMut for Agent {
    fn deref_mut(&mut self) -> &mut Role {
        &mut self.role
    }
}

impl Agent {
    pub(crate) fn new(lab: &Lab, place: &Path, number: usize) -> Result<Self> {
        let name = format!("agent-{number}");
        let directory = place.join(&name);
        std::fs::create_dir(&directory)?;
        let setting = &lab.setting;
        let orders = Orders {
            sources: (0..setting.sources)
                .map(|n| format!("{name}-{n}"))
                .collect(),
            name,
            base: lab.base,
            rate: setting.rate.div_ceil(setting.agents as u64),
            brokers: lab.kafka.brokers(),
            topics: "homelog".to_owned(),
            partitions: setting.partitions,
            replication: setting.brokers,
            directory,
        };
        let file = orders.directory.join("orders.json");
        std::fs::write(&file, serde_json::to_string(&orders)?)?;
        agent::set_target(&orders.directory, u64::MAX)?;
        let command = [
            env!("CARGO_BIN_EXE_homelog-test-agent").to_owned(),
            file.display().to_string(),
        ];
        Ok(Self {
            role: Role::new(&orders.name, command.into(), &orders.directory),
            acknowledged: Acknowledged::open(&orders)?,
            orders,
        })
    }

    /// The highest seq of each source that its spool has acknowledged.
    pub(crate) fn acknowledged(&self) -> Result<Vec<(String, u64)>> {
        let all = self.acknowledged.all()?;
        Ok(self.orders.sources.iter().cloned().zip(all).collect())
    }

    pub(crate) fn counts(&self) -> Result<Counts> {
        agent::counts(&self.orders.directory)
    }

    pub(crate) fn set_target(&self, seq: u64) -> Result<()> {
        agent::set_target(&self.orders.directory, seq)
    }
}
