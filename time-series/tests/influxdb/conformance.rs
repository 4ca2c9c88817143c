//! The laws of the port.

use std::sync::Arc;

use async_trait::async_trait;
use time_series::{
    PartitionedStore, TimeSeries,
    conformance::{Harness, PartitionedHarness},
};

use super::place;

struct OnServer(String);

#[async_trait]
impl Harness for OnServer {
    async fn open(&self) -> Arc<dyn TimeSeries> {
        Arc::new(place::open(&self.0).await)
    }

    fn keeps(&self) -> bool {
        true
    }
}

#[async_trait]
impl PartitionedHarness for OnServer {
    async fn open(&self) -> Arc<dyn PartitionedStore> {
        Arc::new(place::open(&self.0).await)
    }

    fn keeps(&self) -> bool {
        true
    }
}

time_series::partitioned_conformance!(OnServer(place::new_bucket()));
time_series::conformance!(OnServer(place::new_bucket()));
