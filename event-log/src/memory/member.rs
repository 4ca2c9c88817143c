//! A member of a group on a log in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::watch, time::Instant};

use super::{Group, Memory, Shared, State};
use crate::{Delivery, Fleet, Member, ReadError, Record};

/// How long a member waits for something to come.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most records of one delivery.
const DELIVERY: usize = 500;

struct Held {
    next: u64,
    paused: bool,
}

struct MemoryMember {
    shared: Arc<Shared>,
    group: String,
    number: u64,
    held: BTreeMap<usize, Held>,
    /// Told to go, and gone with the next delivery.
    revoked: Vec<usize>,
    /// The partition that was read last, so that each has its turn.
    last: usize,
    newest: watch::Receiver<schemas::Position>,
    moved: watch::Receiver<u64>,
}

#[async_trait]
impl Fleet for Memory {
    async fn join(&self, group: &str) -> Result<Box<dyn Member>, ReadError> {
        let mut state = self.readable()?;
        let partitions = state.partitions.len();
        let number = state
            .groups
            .entry(group.to_owned())
            .or_insert_with(|| Group::new(partitions))
            .join();
        drop(state);
        let mut moved = self.shared.moved.subscribe();
        moved.mark_unchanged();
        self.shared.moved.send_modify(|n| *n += 1);
        Ok(Box::new(MemoryMember {
            shared: Arc::clone(&self.shared),
            group: group.to_owned(),
            number,
            held: BTreeMap::new(),
            revoked: Vec::new(),
            last: 0,
            newest: self.shared.newest.subscribe(),
            moved,
        }))
    }
}

impl MemoryMember {
    /// What there is to tell now.
    fn step(&mut self) -> Option<Delivery> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State {
            groups, partitions, ..
        } = &mut *state;
        let group = groups.get_mut(&self.group)?;
        if !self.revoked.is_empty() {
            for partition in self.revoked.drain(..) {
                group.release(partition, self.number);
                self.held.remove(&partition);
            }
            shared.moved.send_modify(|n| *n += 1);
        }
        let wanted = group.wanted_from(self.number);
        if !wanted.is_empty() {
            self.revoked.clone_from(&wanted);
            return Some(Delivery::Revoked { partitions: wanted });
        }
        if let Some(partition) = group.waiting_for(self.number)
            && let (Some(share), Some(log)) =
                (group.shares.get_mut(partition), partitions.get(partition))
        {
            share.holder = Some(self.number);
            let next = share.committed.unwrap_or(log.first);
            let paused = false;
            self.held.insert(partition, Held { next, paused });
            return Some(Delivery::Assigned {
                partition,
                committed: share.committed,
                oldest: log.first,
                newest: log.next(),
            });
        }
        let turn = self.last + 1;
        let order: Vec<usize> = self
            .held
            .range(turn..)
            .chain(self.held.range(..turn))
            .map(|(partition, _)| *partition)
            .collect();
        for partition in order {
            let (Some(held), Some(log)) =
                (self.held.get_mut(&partition), partitions.get(partition))
            else {
                continue;
            };
            if held.paused {
                continue;
            }
            self.last = partition;
            if held.next < log.first || held.next > log.next() {
                let from = std::mem::replace(&mut held.next, log.first);
                let to = log.first;
                return Some(Delivery::Lost {
                    partition,
                    from,
                    to,
                });
            }
            let passed: Vec<&Record> = log.after(held.next).take(DELIVERY).collect();
            if !passed.is_empty() {
                held.next += passed.len() as u64;
                let records = passed.into_iter().filter(|record| !log.is_purged(record));
                let records = records.cloned().collect();
                return Some(Delivery::Records {
                    partition,
                    records,
                    next: held.next,
                    newest: log.next(),
                });
            }
        }
        None
    }

    fn go(&mut self) {
        let mut state = self
            .shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = state.groups.get_mut(&self.group) {
            group.leave(self.number);
        }
        drop(state);
        self.shared.moved.send_modify(|n| *n += 1);
    }
}

#[async_trait]
impl Member for MemoryMember {
    async fn next(&mut self) -> Result<Delivery, ReadError> {
        let end = Instant::now() + PATIENCE;
        loop {
            self.newest.mark_unchanged();
            self.moved.mark_unchanged();
            if let Some(delivery) = self.step() {
                return Ok(delivery);
            }
            tokio::select! {
                changed = self.newest.changed() => drop(changed),
                changed = self.moved.changed() => drop(changed),
                () = tokio::time::sleep_until(end) => return Ok(Delivery::Idle),
            }
        }
    }

    fn begin(&mut self, partition: usize, from: u64) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.next = from;
        }
    }

    fn done(&mut self, partition: usize, next: u64) {
        let mut state = self
            .shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(group) = state.groups.get_mut(&self.group) else {
            return;
        };
        if let Some(share) = group.shares.get_mut(partition)
            && share.holder == Some(self.number)
        {
            share.committed = Some(next);
        }
        let offsets = group.shares.iter().map(|s| s.committed.unwrap_or(0));
        let position = schemas::Position::from_offsets(offsets.collect());
        let name = self.group.clone();
        state.consumers.insert(name, position);
    }

    fn pause(&mut self, partition: usize) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.paused = true;
        }
    }

    fn resume(&mut self, partition: usize) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.paused = false;
        }
    }

    async fn leave(self: Box<Self>) -> Result<(), ReadError> {
        // what is done is known already; dropping it leaves
        Ok(())
    }
}

impl Drop for MemoryMember {
    fn drop(&mut self) {
        self.go();
    }
}
