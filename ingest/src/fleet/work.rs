//! The loop of one worker.

use std::{collections::BTreeMap, sync::Arc};

use event_log::{Member, ReadError};
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    FleetServices,
    lag::Lags,
    lane::{Lane, next_step},
    open,
    stage::{Step, Tools},
};
use crate::{health::Teller, patience::Patience};

/// How often lags are shown.
const SHOW_EVERY: Duration = Duration::from_secs(1);
/// How long a partition that is ahead of the store may keep the others waiting. To pause one costs what was fetched of it.
const HOLD: Duration = Duration::from_millis(500);

/// One worker.
pub(super) struct Worker {
    pub(super) tools: Tools,
    pub(super) lanes: BTreeMap<usize, Lane>,
    pub(super) lags: Lags,
    shown: Option<Instant>,
}

/// Why a worker is no member any more.
pub(super) enum Parted {
    /// It was told to stop and has left.
    Stopped,
    /// It has to join again.
    Again(String),
}

impl Worker {
    pub(super) fn new(services: FleetServices, teller: Arc<Teller>) -> Self {
        Self {
            tools: Tools {
                services: Arc::new(services),
                teller,
            },
            lanes: BTreeMap::new(),
            lags: Lags::default(),
            shown: None,
        }
    }

    /// Works until it is told to stop.
    pub(super) async fn run(mut self, token: CancellationToken) {
        let tools = self.tools.clone();
        let mut patience = Patience::new(tools.services.options.pace);
        loop {
            let begun = Instant::now();
            let joined = tokio::select! {
                () = token.cancelled() => return,
                joined = join(&tools) => joined,
            };
            let why = match joined {
                Ok(member) => match self.serve(member, &token).await {
                    Parted::Stopped => return,
                    Parted::Again(why) => why,
                },
                Err(e) => e.to_string(),
            };
            for partition in std::mem::take(&mut self.lanes).into_keys() {
                self.lags.forget(partition, &tools);
            }
            if begun.elapsed() > Duration::from_mins(1) {
                patience.reset();
            }
            tokio::select! {
                () = token.cancelled() => return,
                () = open::pause(&tools, &mut patience, &why) => {}
            }
        }
    }

    async fn serve(&mut self, mut member: Box<dyn Member>, token: &CancellationToken) -> Parted {
        loop {
            for lane in self.lanes.values_mut() {
                lane.advance();
            }
            let hold_until = self.balance(member.as_mut());
            if self.shown.is_none_or(|at| at.elapsed() >= SHOW_EVERY) {
                self.shown = Some(Instant::now());
                self.lags.show(&self.lanes, &self.tools);
            }
            tokio::select! {
                biased;
                () = token.cancelled() => {
                    let all = self.lanes.keys().copied().collect();
                    self.drain(member.as_mut(), all).await;
                    if let Err(e) = member.leave().await {
                        warn!("the group could not be told what is done, another worker repeats it: {e}");
                    }
                    return Parted::Stopped;
                }
                (partition, step) = next_step(&mut self.lanes) => {
                    self.settle(member.as_mut(), partition, step);
                }
                () = sleep_until(hold_until.unwrap_or_else(Instant::now)), if hold_until.is_some() => {}
                delivery = member.next(), if hold_until.is_none() => {
                    let handled = match delivery {
                        Ok(delivery) => tokio::select! {
                            biased;
                            () = token.cancelled() => continue,
                            handled = self.handle(member.as_mut(), delivery) => handled,
                        },
                        Err(ReadError::Closed) => {
                            // the process stops
                            token.cancelled().await;
                            return Parted::Stopped;
                        }
                        Err(e) => return Parted::Again(e.to_string()),
                    };
                    if let Err(why) = handled {
                        let all = self.lanes.keys().copied().collect();
                        self.drain(member.as_mut(), all).await;
                        drop(member.leave().await);
                        return Parted::Again(why);
                    }
                }
            }
        }
    }

    pub(super) fn settle(&mut self, member: &mut dyn Member, partition: usize, step: Step) {
        if let Some(lane) = self.lanes.get_mut(&partition)
            && let Some(next) = lane.settle(step)
        {
            member.done(partition, next);
        }
    }

    /// Where a partition is ahead of the store nothing more is read for a moment; one that stays ahead is paused, so that the
    /// others go on. Returns until when nothing is to be read.
    fn balance(&mut self, member: &mut dyn Member) -> Option<Instant> {
        let share = self.tools.services.options.backlog_bytes / self.lanes.len().max(1);
        let mut hold_until: Option<Instant> = None;
        for (partition, lane) in &mut self.lanes {
            if lane.paused {
                if lane.held() <= share / 2 {
                    lane.paused = false;
                    member.resume(*partition);
                }
                continue;
            }
            if lane.held() <= share {
                lane.over_since = None;
                continue;
            }
            let end = *lane.over_since.get_or_insert_with(Instant::now) + HOLD;
            if end <= Instant::now() {
                lane.over_since = None;
                lane.paused = true;
                self.tools.services.metrics.pauses.inc();
                member.pause(*partition);
            } else {
                hold_until = Some(hold_until.map_or(end, |known| known.min(end)));
            }
        }
        hold_until
    }

    /// Waits a bounded time for what is with the store, tells the group how far it is, and lets the partitions go.
    pub(super) async fn drain(&mut self, member: &mut dyn Member, partitions: Vec<usize>) {
        let end = Instant::now() + self.tools.services.options.drain;
        while partitions
            .iter()
            .any(|p| self.lanes.get(p).is_some_and(Lane::is_flying))
        {
            let ended = tokio::time::timeout_at(end, next_step(&mut self.lanes)).await;
            let Ok((partition, step)) = ended else {
                info!("the store does not answer in time, another worker repeats what is with it");
                break;
            };
            self.settle(member, partition, step);
            for (partition, lane) in &mut self.lanes {
                if !partitions.contains(partition) {
                    lane.advance();
                }
            }
        }
        for partition in partitions {
            if let Some(lane) = self.lanes.remove(&partition) {
                member.done(partition, lane.done());
                self.lags.forget(partition, &self.tools);
            }
        }
    }
}

async fn join(tools: &Tools) -> Result<Box<dyn Member>, ReadError> {
    open::store_answers(tools).await;
    tools
        .services
        .fleet
        .join(&tools.services.options.group)
        .await
}
