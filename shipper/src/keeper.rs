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
    mark: Option<i64>,
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
            mark: None,
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
        let mark = (now.as_millis() / self.mark_millis).rem_euclid(MARKS);
        if self.mark != Some(mark) {
            self.spool
                .set_consumer_position(&mark_name(mark), &self.position())
                .await?;
            self.mark = Some(mark);
        }
        self.trim(now).await?;
        self.drop_old(window, now).await?;
        self.drop_overflow(window).await
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
