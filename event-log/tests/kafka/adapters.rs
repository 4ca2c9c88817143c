//! The laws of the port, with one partition and with three.

use std::sync::Arc;

use async_trait::async_trait;
use event_log::{
    EventLog, Fleet,
    conformance::{Fixture, FleetFixture},
    kafka::Options,
};
use schemas::SourceName;

use super::kit::{brokers, delete, open, options, produce};

/// Topics of their own.
struct Topics(Options);

impl Topics {
    fn new(partitions: usize) -> Self {
        Self(options(brokers(), partitions))
    }
}

#[async_trait]
impl Fixture for Topics {
    async fn open(&mut self) -> Arc<dyn EventLog> {
        Arc::new(open(&self.0).await)
    }

    async fn put_bytes(&mut self, source: &SourceName, bytes: &[u8]) {
        produce(&self.0, &[(source.as_str(), bytes)]);
    }
}

#[async_trait]
impl FleetFixture for Topics {
    async fn open(&mut self) -> (Arc<dyn EventLog>, Arc<dyn Fleet>) {
        let log = Arc::new(open(&self.0).await);
        (log.clone(), log)
    }

    async fn lose(&mut self, partition: usize, before: u64) {
        delete(&self.0, partition, before).await;
    }
}

event_log::conformance!(one_partition, Topics::new(1));
event_log::conformance!(three_partitions, Topics::new(3));
event_log::fleet_conformance!(fleet_on_three_partitions, Topics::new(3));
