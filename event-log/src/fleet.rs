//! A log that a group of workers shares: each worker has some of its partitions, and each partition has one worker.

use async_trait::async_trait;

use crate::{ReadError, Record};

/// What a member of a group is given.
#[derive(Clone, PartialEq, Debug)]
pub enum Delivery {
    /// A partition is this member's now. Records follow from where the group has gone, unless [`Member::begin`] says otherwise
    /// before the next [`Member::next`].
    Assigned {
        /// The partition.
        partition: usize,
        /// Offset from which the group goes on; none if it never was there.
        committed: Option<u64>,
        /// Offset of the first record that can be read.
        oldest: u64,
        /// Offset after the last record.
        newest: u64,
    },
    /// Records of one partition in its order, without those that are in it twice.
    Records {
        /// The partition.
        partition: usize,
        /// What it holds; may be empty when all that was read was there before.
        records: Vec<Record>,
        /// Offset after everything that was looked at.
        next: u64,
        /// Offset after the last record of the partition, as far as is known.
        newest: u64,
    },
    /// Partitions go to another member. Whoever has them finishes what is in flight, says how far with [`Member::done`] and
    /// asks for the next delivery: only then they go.
    Revoked {
        /// The partitions.
        partitions: Vec<usize>,
    },
    /// Partitions are another member's already (this one was away too long): what is in flight is dropped.
    Taken {
        /// The partitions.
        partitions: Vec<usize>,
    },
    /// Records that the group has not seen are gone: the log was trimmed, cut short or made anew. It goes on after them.
    Lost {
        /// The partition.
        partition: usize,
        /// Offset of the first that is gone.
        from: u64,
        /// Offset at which it goes on; lower than `from` where the log was made anew.
        to: u64,
    },
    /// Nothing came for a while.
    Idle,
}

/// One worker of a group. It is a member as long as it asks for deliveries.
#[async_trait]
pub trait Member: Send {
    /// Waits for what comes next, at most about a second. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The log cannot be read, in a way that trying again does not mend.
    async fn next(&mut self) -> Result<Delivery, ReadError>;

    /// Where a partition that was just assigned is read from, instead of where the group has gone.
    fn begin(&mut self, partition: usize, from: u64);

    /// Everything before `next` in a partition is where it belongs. Told to the group in the background, and before a partition
    /// goes to another member.
    fn done(&mut self, partition: usize, next: u64);

    /// Stops reading a partition that is ahead of what can be written, until [`Member::resume`].
    fn pause(&mut self, partition: usize);

    /// Goes on reading a partition.
    fn resume(&mut self, partition: usize);

    /// Tells the group what is done and leaves it, so that others go on at once.
    ///
    /// # Errors
    /// The group could not be told: another member repeats what came since.
    async fn leave(self: Box<Self>) -> Result<(), ReadError>;
}

/// A log that can be shared by a group of workers.
#[async_trait]
pub trait Fleet: Send + Sync + 'static {
    /// Joins a group by its name.
    ///
    /// # Errors
    /// The log cannot be reached or refuses it.
    async fn join(&self, group: &str) -> Result<Box<dyn Member>, ReadError>;
}
