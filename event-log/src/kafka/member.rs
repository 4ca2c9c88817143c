//! A member of a consumer group.
//!
//! A thread of its own polls, so that the group knows of it while the worker works. What it reads waits for the worker, up to a
//! bound; then it polls no more until some is taken. A worker that asks for nothing for too long is taken out of the group.

mod assign;
mod context;
mod doubt;
mod part;
mod poller;
mod shared;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;

use self::{poller::Poller, shared::Shared};
use super::{
    Inner,
    cluster::blocking,
    error::{read, read_failed},
};
use crate::{Delivery, Member, ReadError};

/// How long a member waits for something to come.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long leaving may take.
const LEAVING: Duration = Duration::from_secs(15);

struct KafkaMember {
    shared: Arc<Shared>,
    brokers: String,
}

pub(super) async fn join(inner: &Arc<Inner>, group: &str) -> Result<Box<dyn Member>, ReadError> {
    let brokers = inner.cluster.brokers().to_owned();
    let shared = Arc::new(Shared::default());
    let poller = {
        let (inner, shared) = (Arc::clone(inner), Arc::clone(&shared));
        let group = inner.cluster.options.group(group);
        blocking(move || {
            Poller::join(&inner, &shared, &group)
                .map_err(|e| read(inner.cluster.brokers(), "joining the group", &e))
        })
        .await?
    };
    std::thread::Builder::new()
        .name("event-log-member".to_owned())
        .spawn(move || poller.run())
        .map_err(|e| read_failed(&brokers, format!("a member cannot start: {e}")))?;
    Ok(Box::new(KafkaMember { shared, brokers }))
}

#[async_trait]
impl Member for KafkaMember {
    async fn next(&mut self) -> Result<Delivery, ReadError> {
        let end = tokio::time::Instant::now() + PATIENCE;
        self.shared.asked();
        loop {
            if let Some(delivery) = self.shared.take()? {
                return Ok(delivery);
            }
            let told = self.shared.told.notified();
            if tokio::time::timeout_at(end, told).await.is_err() {
                return Ok(Delivery::Idle);
            }
        }
    }

    fn begin(&mut self, partition: usize, from: u64) {
        self.shared.state().begins.insert(partition, from);
    }

    fn done(&mut self, partition: usize, next: u64) {
        self.shared.state().done.insert(partition, next);
    }

    fn pause(&mut self, partition: usize) {
        self.shared.state().paused.insert(partition);
    }

    fn resume(&mut self, partition: usize) {
        self.shared.state().paused.remove(&partition);
        // what waited for it can be taken now
        self.shared.told.notify_one();
    }

    async fn leave(self: Box<Self>) -> Result<(), ReadError> {
        self.shared.state().leaves = true;
        let end = Instant::now() + LEAVING;
        loop {
            if let Some(left) = self.shared.left() {
                return left;
            }
            if Instant::now() > end {
                return Err(read_failed(
                    &self.brokers,
                    "the group could not be told that a member leaves: others take over when it is missed",
                ));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for KafkaMember {
    fn drop(&mut self) {
        self.shared.state().leaves = true;
    }
}
