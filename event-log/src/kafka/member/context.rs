//! What the client calls while it is polled. It only writes down what is to be done.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
    types::RDKafkaRespErr,
};
use tracing::debug;

use super::{super::client::Context, assign::Pending};

/// A change that the group wants.
pub(super) enum Change {
    Assign(TopicPartitionList),
    Revoke(TopicPartitionList),
}

#[derive(Default)]
pub(super) struct MemberContext {
    context: Context,
    changes: Mutex<VecDeque<Change>>,
    /// Offsets that were told did not arrive.
    pub(super) untold: AtomicBool,
    /// The consumer is being closed: what goes, goes at once.
    pub(super) closes: AtomicBool,
}

impl MemberContext {
    pub(super) fn change(&self) -> Option<Change> {
        self.changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assigns = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let change = if assigns {
            Change::Assign(list.clone())
        } else {
            Change::Revoke(list.clone())
        };
        if self.closes.load(Ordering::Acquire) {
            Pending::of(change).drop_at_once(consumer);
            return;
        }
        self.changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(change);
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(e) = result {
            debug!(error = %e, "the group was not told how far it is, it is told again");
            self.untold.store(true, Ordering::Release);
        }
    }
}
