//! What a worker and the thread that polls for it tell each other.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

use crate::{Delivery, ReadError};

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// The worker is woken by it.
    pub(super) told: Notify,
}

#[derive(Default)]
pub(super) struct State {
    outbox: VecDeque<Delivery>,
    /// Deliveries that change what the worker has, and that it has not answered by asking for more.
    open: usize,
    /// Of those, the ones that it was given.
    given: usize,
    asked: Option<Instant>,
    /// Where assigned partitions begin, if the worker said so.
    pub(super) begins: BTreeMap<usize, u64>,
    /// Up to where it is done.
    pub(super) done: BTreeMap<usize, u64>,
    pub(super) paused: BTreeSet<usize>,
    pub(super) leaves: bool,
    left: Option<Result<(), ReadError>>,
    failed: Option<ReadError>,
}

const fn changes(delivery: &Delivery) -> bool {
    matches!(
        delivery,
        Delivery::Assigned { .. } | Delivery::Revoked { .. }
    )
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker asks for more: what it was given before is answered.
    pub(super) fn asked(&self) {
        let mut state = self.state();
        state.asked = Some(Instant::now());
        state.open -= state.given;
        state.given = 0;
    }

    /// What the worker gets next.
    pub(super) fn take(&self) -> Result<Option<Delivery>, ReadError> {
        let mut state = self.state();
        let State { outbox, paused, .. } = &*state;
        let first = outbox.iter().position(|delivery| match delivery {
            // a loss comes after the records that wait before it
            Delivery::Records { partition, .. } | Delivery::Lost { partition, .. } => {
                !paused.contains(partition)
            }
            _ => true,
        });
        let Some(delivery) = first.and_then(|at| state.outbox.remove(at)) else {
            return match &state.failed {
                Some(failed) => Err(failed.clone()),
                None => Ok(None),
            };
        };
        state.given += usize::from(changes(&delivery));
        if let Delivery::Assigned { partition, .. } = &delivery {
            // what was said of it when it was here before counts no more
            state.paused.remove(partition);
            state.done.remove(partition);
        }
        Ok(Some(delivery))
    }

    pub(super) fn put(&self, delivery: Delivery) {
        let mut state = self.state();
        state.open += usize::from(changes(&delivery));
        state.outbox.push_back(delivery);
        drop(state);
        self.told.notify_one();
    }

    pub(super) fn fail(&self, error: ReadError) {
        self.state().failed = Some(error);
        self.told.notify_one();
    }

    pub(super) fn leave(&self, how: Result<(), ReadError>) {
        let mut state = self.state();
        state.failed.get_or_insert(ReadError::Closed);
        state.left = Some(how);
        drop(state);
        self.told.notify_one();
    }

    pub(super) fn left(&self) -> Option<Result<(), ReadError>> {
        self.state().left.clone()
    }
}

impl State {
    /// Whether the worker knows of all that changed.
    pub(super) const fn is_answered(&self) -> bool {
        self.open == 0
    }

    /// How many deliveries of records it can take at once.
    pub(super) fn waiting(&self) -> usize {
        let can_be_taken = |delivery: &&Delivery| match delivery {
            Delivery::Records { partition, .. } => !self.paused.contains(partition),
            _ => false,
        };
        self.outbox.iter().filter(can_be_taken).count()
    }

    /// How long ago the worker asked for something.
    pub(super) fn silence(&mut self) -> std::time::Duration {
        self.asked.get_or_insert_with(Instant::now).elapsed()
    }

    /// Drops what waits of partitions that go.
    pub(super) fn forget(&mut self, partitions: &[usize]) {
        self.outbox.retain(|delivery| match delivery {
            Delivery::Records { partition, .. } | Delivery::Lost { partition, .. } => {
                !partitions.contains(partition)
            }
            _ => true,
        });
        for partition in partitions {
            self.paused.remove(partition);
            self.begins.remove(partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::error::read_failed;

    fn records(partition: usize, next: u64) -> Delivery {
        Delivery::Records {
            partition,
            records: Vec::new(),
            next,
            newest: next,
        }
    }

    fn assigned(partition: usize) -> Delivery {
        Delivery::Assigned {
            partition,
            committed: None,
            oldest: 0,
            newest: 0,
        }
    }

    #[test]
    fn a_loss_does_not_overtake_what_waits_of_a_paused_partition() {
        let shared = Shared::default();
        let lost = Delivery::Lost {
            partition: 0,
            from: 5,
            to: 9,
        };
        shared.state().paused.insert(0);
        for delivery in [records(0, 5), lost.clone(), records(1, 3)] {
            shared.put(delivery);
        }
        assert_eq!(shared.take().unwrap(), Some(records(1, 3)));
        assert_eq!(shared.take().unwrap(), None);
        shared.state().paused.remove(&0);
        assert_eq!(shared.take().unwrap(), Some(records(0, 5)));
        assert_eq!(shared.take().unwrap(), Some(lost));
    }

    #[test]
    fn what_was_said_of_a_partition_before_it_came_back_counts_no_more() {
        let shared = Shared::default();
        shared.put(assigned(0));
        // the worker has not seen yet that it went in between
        shared.state().paused.insert(0);
        shared.state().done.insert(0, 7);
        shared.take().unwrap();
        let state = shared.state();
        assert!(state.paused.is_empty() && state.done.is_empty());
    }

    #[test]
    fn a_member_whose_reading_ended_badly_is_told_why() {
        let shared = Shared::default();
        shared.fail(read_failed("kafka", "it panicked"));
        shared.leave(Ok(()));
        assert!(matches!(shared.take(), Err(ReadError::Failed { .. })));
        let shared = Shared::default();
        shared.leave(Ok(()));
        assert!(matches!(shared.take(), Err(ReadError::Closed)));
    }
}
