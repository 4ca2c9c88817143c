//! What a worker does with what its group gives it.

use event_log::{Delivery, Member};
use tracing::{info, warn};

use super::{lane::Lane, open, work::Worker};

impl Worker {
    /// Takes a delivery.
    ///
    /// # Errors
    /// It has to leave the group and join again, and why.
    pub(super) async fn handle(
        &mut self,
        member: &mut dyn Member,
        delivery: Delivery,
    ) -> Result<(), String> {
        match delivery {
            Delivery::Assigned {
                partition,
                committed,
                oldest,
                newest,
            } => {
                self.tools.services.metrics.moved("assigned", 1);
                self.open(member, partition, committed, oldest, newest)
                    .await?;
            }
            Delivery::Records {
                partition,
                records,
                next,
                newest,
            } => {
                if let Some(lane) = self.lanes.get_mut(&partition) {
                    lane.take(records, next, newest);
                }
            }
            Delivery::Revoked { partitions } => {
                self.tools
                    .services
                    .metrics
                    .moved("revoked", partitions.len());
                info!(
                    ?partitions,
                    "partitions {partitions:?} go to another worker"
                );
                self.drain(member, partitions).await;
            }
            Delivery::Taken { partitions } => {
                self.tools.services.metrics.moved("taken", partitions.len());
                warn!(
                    ?partitions,
                    "partitions {partitions:?} were given to another worker: this one was away too long"
                );
                for partition in partitions {
                    self.lanes.remove(&partition);
                    self.lags.forget(partition, &self.tools);
                }
            }
            Delivery::Lost {
                partition,
                from,
                to,
            } => {
                if let Some(lane) = self.lanes.get_mut(&partition) {
                    lane.lose(from, to);
                }
            }
            Delivery::Idle => {
                for lane in self.lanes.values_mut() {
                    lane.close_batch();
                }
            }
        }
        Ok(())
    }

    async fn open(
        &mut self,
        member: &mut dyn Member,
        partition: usize,
        committed: Option<u64>,
        oldest: u64,
        newest: u64,
    ) -> Result<(), String> {
        let tools = self.tools.clone();
        let remembered = open::remembered(&tools, partition)
            .await
            .ok_or("the store does not answer")?;
        let start = open::start(remembered, committed, oldest, newest);
        if start.refill {
            warn!(
                partition,
                oldest,
                "the store has nothing of partition {partition}, which the group had read: it is filled from the oldest event"
            );
        }
        info!(
            partition,
            from = start.from,
            newest,
            "partition {partition} is this worker's"
        );
        member.begin(partition, start.from);
        // also back, where the store was put back
        member.done(partition, start.from);
        let mut lane = Lane::new(partition, start.from, newest, &tools);
        if let Some((from, to)) = start.lost {
            // told beside the other partitions, before anything of this one is written
            lane.lose(from, to);
        }
        self.lanes.insert(partition, lane);
        Ok(())
    }
}
