//! Partitions that come and go.

use std::{collections::HashMap, time::Duration};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
};
use tracing::{debug, error, warn};

use super::{
    super::{
        cluster::{Extent, PATIENCE, index, number, signed, unsigned},
        sequences,
    },
    context::{Change, MemberContext},
    part::Part,
    poller::Poller,
};
use crate::{Delivery, ReadError};

/// How long the ends of a partition that comes are waited for before it is tried again.
const ASSIGN: Duration = Duration::from_secs(2);

/// A change that the worker has been told of and has not answered.
pub(super) struct Pending {
    list: TopicPartitionList,
    assigns: bool,
    /// Up to where the group has gone, of partitions that come.
    committed: Vec<(usize, Option<u64>)>,
    /// Whether the worker was told.
    told: bool,
}

impl Pending {
    pub(super) fn of(change: Change) -> Self {
        let (list, assigns) = match change {
            Change::Assign(list) => (list, true),
            Change::Revoke(list) => (list, false),
        };
        Self {
            list,
            assigns,
            committed: Vec::new(),
            told: false,
        }
    }

    fn partitions(&self) -> Vec<usize> {
        self.list
            .elements()
            .iter()
            .map(|e| index(e.partition()))
            .collect()
    }

    /// Does it without the worker, which is gone.
    pub(super) fn drop_at_once(self, consumer: &BaseConsumer<MemberContext>) {
        let done = if self.assigns {
            consumer.incremental_assign(&self.list)
        } else {
            consumer.incremental_unassign(&self.list)
        };
        if let Err(e) = done {
            debug!(error = %e, "leaving a group");
        }
    }
}

impl Poller {
    /// Begins or ends a change.
    pub(super) fn work_on_changes(&mut self) {
        let Some(mut pending) = self
            .pending
            .take()
            .or_else(|| self.consumer.context().change().map(Pending::of))
        else {
            return;
        };
        if !pending.told {
            let told = if pending.assigns {
                self.tell_assigned(&mut pending)
            } else {
                self.tell_revoked(&pending);
                Ok(())
            };
            match told {
                Ok(()) => pending.told = true,
                Err(e) => debug!(error = %e, "what was assigned is not known yet, will try again"),
            }
        }
        let is_lost = !pending.assigns && self.consumer.assignment_lost();
        let is_answered = self.shared.state().is_answered();
        if !pending.told || (!is_answered && !is_lost) {
            self.pending = Some(pending);
            return;
        }
        if pending.assigns {
            if let Err(e) = self.assign(&mut pending) {
                debug!(error = %e, "what was assigned cannot be read yet, will try again");
                self.pending = Some(pending);
            }
        } else {
            self.revoke(&pending, is_lost);
        }
    }

    fn tell_assigned(&self, pending: &mut Pending) -> Result<(), ReadError> {
        let failed = |e| {
            let what = "how far the group has gone is not known";
            super::read(self.inner.cluster.brokers(), what, &e)
        };
        if pending.list.count() == 0 {
            return Ok(());
        }
        let partitions = pending.partitions();
        let extents = self.inner.extents_of(&partitions, ASSIGN);
        let extents: HashMap<usize, Extent> = partitions
            .iter()
            .zip(extents)
            .map(|(partition, extent)| Ok((*partition, extent?)))
            .collect::<Result<_, ReadError>>()?;
        let asked = self
            .consumer
            .committed_offsets(pending.list.clone(), PATIENCE)
            .map_err(failed)?;
        let mut committed = Vec::new();
        for element in asked.elements() {
            element.error().map_err(failed)?;
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(unsigned(offset)),
                _ => None,
            };
            committed.push((index(element.partition()), offset));
        }
        for &(partition, committed) in &committed {
            let extent = extents.get(&partition).copied().unwrap_or_default();
            self.shared.put(Delivery::Assigned {
                partition,
                committed,
                oldest: extent.low,
                newest: extent.high,
            });
        }
        pending.committed = committed;
        Ok(())
    }

    fn tell_revoked(&self, pending: &Pending) {
        let partitions = pending.partitions();
        if partitions.is_empty() {
            return;
        }
        self.shared.state().forget(&partitions);
        if !self.consumer.assignment_lost() {
            self.shared.put(Delivery::Revoked { partitions });
        }
    }

    /// Begins to read what the worker knows of now.
    fn assign(&mut self, pending: &mut Pending) -> Result<(), ReadError> {
        let failed = |e| super::read(self.inner.cluster.brokers(), "taking partitions", &e);
        let partitions = pending.partitions();
        let mut parts = Vec::with_capacity(partitions.len());
        let mut lost = Vec::new();
        if !partitions.is_empty() {
            let extents = self.inner.extents_of(&partitions, ASSIGN);
            let wanted = partitions
                .iter()
                .zip(extents)
                .map(|(partition, extent)| Ok((*partition, extent?)))
                .collect::<Result<Vec<_>, ReadError>>()?;
            let beginnings = sequences::load(&self.inner.cluster, &wanted)?;
            for ((partition, extent), beginning) in wanted.into_iter().zip(beginnings) {
                let committed = pending.committed.iter().find(|(p, _)| *p == partition);
                let committed = committed.and_then(|(_, offset)| *offset);
                let begins = self.shared.state().begins.get(&partition).copied();
                let mut from = begins.or(committed).unwrap_or(extent.low);
                if from < extent.low || from > extent.high {
                    lost.push((partition, from, extent.low));
                    from = extent.low;
                }
                let part = Part::new(from, extent.high, beginning);
                pending
                    .list
                    .set_partition_offset(
                        &self.inner.topic,
                        number(partition),
                        Offset::Offset(signed(part.next.max(extent.low))),
                    )
                    .map_err(failed)?;
                parts.push((partition, part));
            }
        }
        self.consumer
            .incremental_assign(&pending.list)
            .map_err(failed)?;
        // what failed above is tried again as a whole
        for (partition, part) in parts {
            self.shared.state().begins.remove(&partition);
            self.parts.insert(partition, part);
        }
        for (partition, from, to) in lost {
            self.tell_lost(partition, from, to);
        }
        Ok(())
    }

    /// Lets partitions go.
    fn revoke(&mut self, pending: &Pending, is_lost: bool) {
        let partitions = pending.partitions();
        if is_lost {
            self.shared.state().forget(&partitions);
            let partitions = partitions.clone();
            if !partitions.is_empty() {
                self.shared.put(Delivery::Taken { partitions });
            }
        } else {
            self.tell(CommitMode::Sync);
            self.save(true);
        }
        self.resume_all(&pending.list);
        for partition in &partitions {
            self.parts.remove(partition);
            self.shared.state().done.remove(partition);
        }
        if let Err(e) = self.consumer.incremental_unassign(&pending.list) {
            warn!(error = %e, "letting partitions go");
        }
    }

    pub(super) fn tell_lost(&self, partition: usize, from: u64, to: u64) {
        error!(
            partition,
            from, to, "records that the group has not seen are gone from the log"
        );
        self.shared.put(Delivery::Lost {
            partition,
            from,
            to,
        });
    }
}
