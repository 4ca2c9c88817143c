use std::collections::VecDeque;

use schemas::Position;

use crate::{Batch, ReadQuery, Record};

/// Most bytes of JSON whose events stay in memory.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// Most records that stay in memory.
const MAX_RECORDS: usize = 8192;

/// The newest records of every partition, without those that stand there again.
#[derive(Default)]
pub(super) struct Ring {
    partitions: Vec<Part>,
    bytes: usize,
    count: usize,
}

#[derive(Default)]
struct Part {
    /// From which offset on all records are here.
    from: u64,
    /// With the length of each in bytes.
    records: VecDeque<(Record, usize)>,
}

impl Ring {
    /// An empty one that begins at these offsets.
    pub(super) fn new(begin: impl Iterator<Item = u64>) -> Self {
        let part = |from| Part {
            from,
            records: VecDeque::new(),
        };
        Self {
            partitions: begin.map(part).collect(),
            bytes: 0,
            count: 0,
        }
    }

    pub(super) fn push(&mut self, record: Record, bytes: usize) {
        let Some(part) = self.partitions.get_mut(record.partition) else {
            return;
        };
        part.records.push_back((record, bytes));
        self.bytes += bytes;
        self.count += 1;
        while self.bytes > MAX_BYTES || self.count > MAX_RECORDS {
            let oldest = self
                .partitions
                .iter_mut()
                .filter(|part| !part.records.is_empty())
                .min_by_key(|part| part.records.front().map(|(record, _)| record.logged));
            let Some((record, bytes)) = oldest.and_then(|part| {
                let gone = part.records.pop_front();
                if let Some((record, _)) = &gone {
                    part.from = record.offset + 1;
                }
                gone
            }) else {
                return;
            };
            drop(record);
            self.bytes -= bytes;
            self.count -= 1;
        }
    }

    /// Begins a partition anew.
    pub(super) fn reset(&mut self, partition: usize, from: u64) {
        if let Some(part) = self.partitions.get_mut(partition) {
            self.bytes -= part.records.iter().map(|(_, bytes)| bytes).sum::<usize>();
            self.count -= part.records.len();
            *part = Part {
                from,
                records: VecDeque::new(),
            };
        }
    }

    /// Reads up to where the ring reaches, if it goes back far enough.
    pub(super) fn read(
        &self,
        from: &Position,
        reached: &Position,
        query: &ReadQuery,
    ) -> Option<Batch> {
        let offsets = (0..).zip(&self.partitions);
        if offsets.clone().any(|(p, part)| from.offset(p) < part.from) {
            return None;
        }
        let mut rest: Vec<_> = offsets
            .map(|(p, part)| {
                let skip = part
                    .records
                    .partition_point(|(r, _)| r.offset < from.offset(p));
                part.records.iter().skip(skip).map(|(r, _)| r).peekable()
            })
            .collect();
        let mut records = Vec::new();
        let mut next = from.clone();
        while records.len() < query.limit {
            // between partitions, the one that was logged first
            let first = rest
                .iter_mut()
                .filter_map(|part| Some((part.peek()?.logged, part)))
                .min_by_key(|(logged, _)| *logged);
            let Some(record) = first.and_then(|(_, part)| part.next()) else {
                // what follows the last of each partition are records that stand there again
                for (partition, end) in (0..).zip(reached.offsets()) {
                    if let Some(last) = end.checked_sub(1) {
                        next.advance(partition, last);
                    }
                }
                break;
            };
            next.advance(record.partition, record.offset);
            if record.event().is_none_or(|event| query.filter.wants(event)) {
                records.push(record.clone());
            }
        }
        Some(Batch {
            records,
            purged: 0,
            at_end: next.reaches(reached),
            next,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use schemas::Timestamp;

    use super::*;
    use crate::{Body, Filter};

    fn record(partition: usize, offset: u64) -> Record {
        Record {
            partition,
            offset,
            logged: Timestamp::from_millis(i64::try_from(offset).unwrap() * 10),
            body: Body::Unreadable {
                bytes: Arc::from(&b"x"[..]),
                reason: "for a test".to_owned(),
            },
        }
    }

    fn all() -> ReadQuery {
        ReadQuery {
            filter: Filter::default(),
            limit: 100_000,
        }
    }

    #[test]
    fn it_is_read_from_where_it_begins_and_not_before() {
        let mut ring = Ring::new([5, 0].into_iter());
        // offsets that are left out stand in the log again
        for (partition, offset) in [(0, 5), (1, 0), (0, 8), (1, 1)] {
            ring.push(record(partition, offset), 1);
        }
        let reached = Position::from_offsets(vec![10, 2]);
        let from = Position::from_offsets(vec![6, 0]);
        let batch = ring.read(&from, &reached, &all()).unwrap();
        let places: Vec<_> = batch
            .records
            .iter()
            .map(|r| (r.partition, r.offset))
            .collect();
        assert_eq!(places, [(1, 0), (1, 1), (0, 8)]);
        assert!(batch.at_end && batch.next == reached);
        let before = Position::from_offsets(vec![4, 0]);
        assert!(ring.read(&before, &reached, &all()).is_none());
    }

    #[test]
    fn the_oldest_go_first() {
        let mut ring = Ring::new([0].into_iter());
        let many = MAX_RECORDS as u64 + 10;
        for offset in 0..many {
            ring.push(record(0, offset), 1);
        }
        let reached = Position::from_offsets(vec![many]);
        assert!(
            ring.read(&Position::from_offsets(vec![9]), &reached, &all())
                .is_none()
        );
        let batch = ring
            .read(&Position::from_offsets(vec![10]), &reached, &all())
            .unwrap();
        assert_eq!(batch.records.len(), MAX_RECORDS);
        ring.push(record(0, many), MAX_BYTES);
        let reached = Position::from_offsets(vec![many + 1]);
        let left = ring
            .read(&Position::from_offsets(vec![many]), &reached, &all())
            .unwrap();
        assert_eq!(left.records.len(), 1);
        // what was taken in just now is read before it is told
        let told = Position::from_offsets(vec![many]);
        let ahead = ring.read(&told, &told, &all()).unwrap();
        assert!(ahead.at_end && ahead.next == reached);
        ring.reset(0, 3);
        let reached = Position::from_offsets(vec![3]);
        let left = ring.read(&reached, &reached, &all()).unwrap();
        assert!(left.records.is_empty() && left.at_end);
    }
}
