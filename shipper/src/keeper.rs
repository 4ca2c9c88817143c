//! How far the spool was shipped, and what may go from its beginning.
//!
//! The position is a consumer of the spool. So that events stay for a while after they were taken, the position is also
//! written down under one of 25 names in turn, a new one each 24th of that time: the oldest of them holds the spool's
//! beginning back.

use std::{sync::Arc, time::Duration};

use event_log::{AppendError, EventLog, Filter, ReadError, ReadQuery, Retention};
use futures::future::try_join_all;
use schemas::{Position, Timestamp, name::AgentName};
use tracing::{error, info, warn};

use crate::{Metrics, Options, declare::declare, queue::Item, ranges::Ranges, window::Window};

/// The consumer that stands for what was shipped.
pub(crate) const CONSUMER: &str = "shipper";
const MARKS: i64 = 25;
/// Most events of one read.
const PAGE: usize = 1000;
/// Most events that go in one step.
const STEP: u64 = 100_000;
/// An overflowing spool is made smaller by this part, so that it does not overflow at each event.
const RELIEF: u64 = 10;

fn mark_name(mark: i64) -> String {
    format!("{CONSUMER}/kept/{mark:02}")
}

/// Why the spool could not be tended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

pub(crate) struct Keeper {
    spool: Arc<dyn EventLog>,
    agent: AgentName,
    metrics: Metrics,
    committed: u64,
    /// When the position was last written down as a mark, in units of `mark_millis`, and where it was.
    marked: Option<(i64, u64)>,
    mark_millis: i64,
    max_bytes: u64,
    max_age: Duration,
    gave_up_kept: bool,
}

impl Keeper {
    pub(crate) async fn open(
        spool: Arc<dyn EventLog>,
        agent: AgentName,
        metrics: Metrics,
        options: &Options,
    ) -> Result<Self, SpoolError> {
        let committed = match spool.consumer_position(CONSUMER).await? {
            Some(position) => position,
            None => spool.bounds().await?.oldest,
        };
        spool.set_consumer_position(CONSUMER, &committed).await?;
        let mut absent = Vec::new();
        for mark in 0..MARKS {
            let name = mark_name(mark);
            if spool.consumer_position(&name).await?.is_none() {
                absent.push(name);
            }
        }
        try_join_all(
            absent
                .iter()
                .map(|name| spool.set_consumer_position(name, &committed)),
        )
        .await?;
        let keep = i64::try_from(options.keep.as_millis()).unwrap_or(i64::MAX);
        Ok(Self {
            agent,
            metrics,
            committed: committed.offset(0),
            marked: None,
            mark_millis: (keep / (MARKS - 1)).max(1),
            max_bytes: options.max_bytes,
            max_age: options.max_age,
            gave_up_kept: false,
            spool,
        })
    }

    /// Everything before it was shipped or dropped.
    pub(crate) const fn committed(&self) -> u64 {
        self.committed
    }

    /// Writes a position down; it never goes back.
    pub(crate) async fn commit(&mut self, next: u64) -> Result<(), SpoolError> {
        if next > self.committed {
            let position = Position::from_offsets(vec![next]);
            self.spool
                .set_consumer_position(CONSUMER, &position)
                .await?;
            self.committed = next;
        }
        Ok(())
    }

    /// Lets go what was kept long enough, and what overflows.
    pub(crate) async fn tend(&mut self, window: &mut Window) -> Result<(), SpoolError> {
        let now = Timestamp::now();
        self.mark(now).await?;
        self.trim(now).await?;
        self.drop_old(window, now).await?;
        self.drop_overflow(window).await
    }

    /// Writes the position down under the name whose turn it is. Names whose turn passed meanwhile (the machine slept, or
    /// was slow) get the position of before: it was not passed when their turn began.
    async fn mark(&mut self, now: Timestamp) -> Result<(), SpoolError> {
        let turn = now.as_millis().div_euclid(self.mark_millis);
        if let Some((last, before)) = self.marked {
            if last == turn {
                return Ok(());
            }
            let before = Position::from_offsets(vec![before]);
            for passed in (last + 1).max(turn - MARKS + 1)..turn {
                let name = mark_name(passed.rem_euclid(MARKS));
                self.spool.set_consumer_position(&name, &before).await?;
            }
        }
        self.spool
            .set_consumer_position(&mark_name(turn.rem_euclid(MARKS)), &self.position())
            .await?;
        self.marked = Some((turn, self.committed));
        Ok(())
    }

    fn position(&self) -> Position {
        Position::from_offsets(vec![self.committed])
    }

    async fn trim(&self, now: Timestamp) -> Result<(), SpoolError> {
        let retention = Retention {
            // what was logged in this millisecond too
            before: Some(now.plus_millis(1)),
            max_bytes: None,
        };
        self.spool.trim(&retention).await?;
        Ok(())
    }

    /// No shipped event is held back any more.
    async fn give_up_kept(&self) -> Result<(), SpoolError> {
        let position = self.position();
        let names: Vec<_> = (0..MARKS).map(mark_name).collect();
        try_join_all(
            names
                .iter()
                .map(|name| self.spool.set_consumer_position(name, &position)),
        )
        .await?;
        Ok(())
    }

    async fn drop_old(&mut self, window: &mut Window, now: Timestamp) -> Result<(), SpoolError> {
        let age = i64::try_from(self.max_age.as_millis()).unwrap_or(i64::MAX);
        let limit = now.plus_millis(age.saturating_neg());
        let target = self.spool.seek(limit).await?.offset(0);
        if target > self.committed {
            let hours = self.max_age.as_secs() / 3600;
            self.drop_to(
                window,
                target,
                "spool_age",
                &format!("older than {hours} h"),
            )
            .await?;
        }
        Ok(())
    }

    async fn drop_overflow(&mut self, window: &mut Window) -> Result<(), SpoolError> {
        let mut bounds = self.spool.bounds().await?;
        if bounds.bytes <= self.max_bytes {
            self.gave_up_kept = false;
            return Ok(());
        }
        if !self.gave_up_kept {
            self.gave_up_kept = true;
            info!(
                spool.bytes = bounds.bytes,
                spool.max_bytes = self.max_bytes,
                "the spool is over its bound: shipped events are not kept for as long as they should"
            );
        }
        self.give_up_kept().await?;
        self.spool
            .trim(&Retention {
                before: None,
                max_bytes: Some(self.max_bytes),
            })
            .await?;
        bounds = self.spool.bounds().await?;
        if bounds.bytes <= self.max_bytes || bounds.events == 0 {
            return Ok(());
        }
        let wanted = self.max_bytes - self.max_bytes / RELIEF;
        let part = u128::from(bounds.bytes - wanted) * u128::from(bounds.events)
            / u128::from(bounds.bytes);
        let events = u64::try_from(part).unwrap_or(u64::MAX).max(1);
        let target = self.committed.saturating_add(events);
        let target = target.min(bounds.newest.offset(0));
        let why = format!("more than {} MiB", self.max_bytes / 1024 / 1024);
        self.drop_to(window, target, "spool_full", &why).await
    }

    /// Drops what waits below an offset, after it is declared.
    async fn drop_to(
        &mut self,
        window: &mut Window,
        target: u64,
        reason: &str,
        why: &str,
    ) -> Result<(), SpoolError> {
        let from = self.committed;
        let target = target.min(from.saturating_add(STEP));
        let query = ReadQuery {
            filter: Filter::default(),
            limit: PAGE,
        };
        let mut ranges = Ranges::default();
        let mut next = from;
        'pages: while next < target {
            let batch = self
                .spool
                .read(&Position::from_offsets(vec![next]), &query)
                .await?;
            for item in batch.records.iter().filter_map(Item::of) {
                if item.offset >= target {
                    break 'pages;
                }
                if !window.is_done(item.offset, &item.event) {
                    ranges.add(&item.event);
                }
            }
            next = batch.next.offset(0);
            if batch.at_end {
                break;
            }
        }
        let events = ranges.events();
        declare(&*self.spool, &self.agent, ranges, reason).await?;
        self.commit(target).await?;
        self.give_up_kept().await?;
        window.drop_below(target);
        self.trim(Timestamp::now()).await?;
        self.metrics.dropped.inc_by(events);
        if events > 0 {
            error!(
                events,
                reason,
                "{events} events were dropped from the spool before they were shipped, since it holds {why}: \
                 bring the destination back, or let the spool grow"
            );
        } else {
            warn!(reason, "shipped events were dropped from the spool");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use event_log::{Memory, Urgency};
    use schemas::{
        Draft, Entity, EventType, FieldValue, Fields, SourceName,
        name::{EntityId, EntityType, SourceKind},
    };

    use super::*;

    #[tokio::test]
    async fn a_keeper_that_looks_seldom_leaves_no_mark_behind() {
        let spool: Arc<dyn EventLog> = Arc::new(Memory::new(1));
        let drafts = (0..10).map(draft).collect();
        spool.append(drafts, Urgency::Soon).await.unwrap();
        let options = Options {
            keep: Duration::from_millis(48),
            ..Options::default()
        };
        let agent = AgentName::new("nas").unwrap();
        let metrics = Metrics::default();
        let mut keeper = Keeper::open(Arc::clone(&spool), agent, metrics, &options)
            .await
            .unwrap();
        let start = Timestamp::now();
        // 15 turns at a time: alone they would meet only 5 of the 25 names, for ever
        let pace = keeper.mark_millis * 15;
        for (look, committed) in (0..).zip(1..=4) {
            keeper.committed = committed;
            keeper.mark(start.plus_millis(pace * look)).await.unwrap();
        }
        // what is kept is what was shipped in the time before: the oldest mark is of the look 30 turns ago
        let marks = keeper.marks().await;
        assert_eq!(marks.iter().min(), Some(&2), "{marks:?}");
        assert_eq!(marks.iter().max(), Some(&4), "{marks:?}");
        // after a sleep of days the last look of before holds, not what is shipped only now
        keeper.committed = 9;
        keeper.mark(start.plus_millis(pace * 1000)).await.unwrap();
        let marks = keeper.marks().await;
        assert_eq!(marks.iter().min(), Some(&4), "{marks:?}");
        // a clock that is set back does not let anything go
        keeper.mark(start).await.unwrap();
        assert_eq!(keeper.marks().await.iter().min(), Some(&4));
    }

    fn draft(number: i64) -> Draft {
        let mut fields = Fields::new();
        fields.set("number", FieldValue::I64(number));
        Draft {
            source: SourceName::new("a").unwrap(),
            kind: SourceKind::new("test").unwrap(),
            agent: None,
            event_type: EventType::Sample,
            time: Timestamp::now(),
            entity: Entity::new(
                EntityType::new("thing").unwrap(),
                EntityId::new("one").unwrap(),
            ),
            fields,
            identity: None,
        }
    }

    impl Keeper {
        async fn marks(&self) -> Vec<u64> {
            let mut marks = Vec::new();
            for mark in 0..MARKS {
                let position = self.spool.consumer_position(&mark_name(mark)).await;
                marks.push(position.unwrap().unwrap().offset(0));
            }
            marks
        }
    }
}
