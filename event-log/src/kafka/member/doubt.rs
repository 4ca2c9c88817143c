//! Partitions of which it is not known whether they still are what they were, and what was to be read next is there.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rdkafka::consumer::Consumer;
use tracing::{debug, warn};

use super::{
    super::{cluster::places, sequences},
    part::Part,
    poller::Poller,
};
use crate::ReadError;

/// How soon what could not be settled is looked at again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long the ends of a partition are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked without an occasion: the client does not notice each time that a partition was cut and has grown past
/// its old end.
const LOOK: Duration = Duration::from_mins(1);

pub(super) struct Doubt {
    partitions: VecDeque<usize>,
    again: Option<Instant>,
    looked: Instant,
}

impl Default for Doubt {
    fn default() -> Self {
        Self {
            partitions: VecDeque::new(),
            again: None,
            looked: Instant::now(),
        }
    }
}

impl Doubt {
    /// What comes of it meanwhile may be of another log than what was before: it comes again when that is settled.
    pub(super) fn is_about(&self, partition: usize) -> bool {
        self.partitions.contains(&partition)
    }

    fn add(&mut self, partition: usize) {
        if !self.partitions.contains(&partition) {
            self.partitions.push_back(partition);
        }
    }
}

impl Poller {
    /// What is to be read next may be gone from some partition: the client does not say from which.
    pub(super) fn begin_to_doubt(&mut self) {
        for partition in self.parts.keys() {
            self.doubt.add(*partition);
        }
    }

    /// Looks now and then whether partitions still are what they were.
    pub(super) fn look_for_doubt(&mut self) {
        if self.doubt.looked.elapsed() < LOOK {
            return;
        }
        self.doubt.looked = Instant::now();
        let partitions: Vec<usize> = self.parts.keys().copied().collect();
        let extents = self.inner.extents_of(&partitions, PATIENCE);
        for ((partition, part), extent) in self.parts.iter().zip(extents) {
            let mark = part.ledger.mark();
            let is_it = extent
                .and_then(|extent| sequences::is_of(&self.inner.cluster, *partition, mark, extent));
            match is_it {
                Ok(true) => {}
                Ok(false) => self.doubt.add(*partition),
                Err(e) => debug!(partition, error = %e, "whether it is what it was is not known"),
            }
        }
    }

    /// Finds out what was lost, and goes on after it; what cannot be found out now is tried again later.
    pub(super) fn settle_doubt(&mut self) {
        // while the group changes, taking and giving partitions would be taken for an answer to it
        let waits = self.doubt.again.is_some_and(|at| Instant::now() < at);
        if self.doubt.partitions.is_empty() || waits || self.pending.is_some() {
            return;
        }
        while let Some(partition) = self.doubt.partitions.pop_front() {
            if !self.parts.contains_key(&partition) {
                continue;
            }
            if let Err(e) = self.settle(partition) {
                debug!(partition, error = %e, "where it goes on is not known yet, will try again");
                // after the others, and not at once: to wait for each one would take too long where no broker answers
                self.doubt.partitions.push_back(partition);
                break;
            }
        }
        self.doubt.again = Some(Instant::now() + AGAIN);
    }

    fn settle(&mut self, partition: usize) -> Result<(), ReadError> {
        let extent = match self.inner.extents_of(&[partition], PATIENCE).pop() {
            Some(extent) => extent?,
            None => return Ok(()),
        };
        let Some(part) = self.parts.get_mut(&partition) else {
            return Ok(());
        };
        let cluster = &self.inner.cluster;
        let from = part.next;
        // records before it were not the worker's to see
        let seen = from.max(part.from());
        let is_cut = from > extent.high
            || !sequences::is_of(cluster, partition, part.ledger.mark(), extent)?;
        if is_cut {
            if let Some(beginning) = sequences::load(cluster, &[(partition, extent)])?.pop() {
                *part = Part::new(extent.low, extent.high, beginning);
                self.tell_lost(partition, seen, extent.low);
            }
        } else if from < extent.low {
            // it is the log that it was
            part.ledger.skip_to(extent.low);
            part.next = extent.low;
            if seen < extent.low {
                self.tell_lost(partition, seen, extent.low);
            }
        }
        let next = self.parts.get(&partition).map_or(extent.low, |p| p.next);
        // also where nothing is lost: the client has stopped to read it
        let failed = |e| {
            let what = "going on after what is gone";
            super::read(self.inner.cluster.brokers(), what, &e)
        };
        let list = places(&self.inner.topic, [(partition, next)]).map_err(failed)?;
        if let Err(e) = self.consumer.incremental_unassign(&list) {
            // it may be so already, from an attempt before
            warn!(partition, error = %e, "going on after what is gone");
        }
        self.consumer.incremental_assign(&list).map_err(failed)
    }
}
