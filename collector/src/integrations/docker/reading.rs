//! The containers as a poll reads them: the list of all, and of each that runs what it uses.

use bollard::{errors::Error, query_parameters::StatsOptions};
use futures::StreamExt;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    Docker,
    containers::MOST,
    listed::Listed,
    wire::{Inspected, Row},
};
use crate::{Batch, FailureClass, PollError};

/// Most requests at a time.
const IN_FLIGHT: usize = 8;
/// Most containers that do not run which are looked at in one poll.
const INSPECTED_TOGETHER: usize = 64;

impl Docker {
    pub(super) async fn list(&mut self) -> Result<Vec<Listed>, PollError> {
        let rows: Vec<Row> = self
            .polls
            .list("/containers/json?all=true")
            .await
            .map_err(|e| self.explain(&e))?;
        let any = !rows.is_empty();
        let mut listed: Vec<_> = rows.into_iter().filter_map(Listed::of).collect();
        if any && listed.is_empty() {
            return Err(PollError::new(
                FailureClass::BadAnswer,
                format!(
                    "{} lists containers without ids and names: is it a Docker Engine?",
                    self.address
                ),
            ));
        }
        if listed.len() > MOST {
            if !std::mem::replace(&mut self.too_many, true) {
                warn!(
                    source = %self.address,
                    containers = listed.len(),
                    "{} has {} containers, the first {MOST} are told: running ones, then the oldest", self.address, listed.len()
                );
            }
            listed.sort_by(|a, b| {
                (!a.is_alive(), a.created, &a.engine_id).cmp(&(
                    !b.is_alive(),
                    b.created,
                    &b.engine_id,
                ))
            });
            listed.truncate(MOST);
        }
        Ok(listed)
    }

    /// Reads what each running container uses, and tells them all.
    pub(super) async fn tell_containers(
        &mut self,
        listed: &[Listed],
        batch: &mut Batch,
    ) -> Result<(), PollError> {
        let polls = &self.polls;
        let mut reads = Vec::new();
        let mut at_rest = 0;
        for entry in listed {
            let alive = entry.is_alive();
            let Some(known) = self.containers.get_mut(&entry.engine_id) else {
                continue;
            };
            let inspect = known.is_inspection_due(alive) && {
                at_rest += usize::from(!alive);
                alive || at_rest <= INSPECTED_TOGETHER
            };
            if !alive && !inspect {
                continue;
            }
            let id = entry.engine_id.as_str();
            reads.push(async move {
                let inspected = if inspect && is_plain(id) {
                    let path = format!("/containers/{id}/json");
                    polls.get::<Inspected>(&path).await.ok()
                } else {
                    None
                };
                let read = if alive {
                    let once = StatsOptions {
                        stream: false,
                        one_shot: true,
                    };
                    polls.client.stats(id, Some(once)).next().await
                } else {
                    None
                };
                (id, alive, inspect, inspected, read)
            });
        }
        let mut asked = 0_usize;
        let mut failed = 0_usize;
        let mut first = None;
        let mut reads = futures::stream::iter(reads).buffer_unordered(IN_FLIGHT);
        while let Some((id, alive, inspect, inspected, read)) = reads.next().await {
            asked += usize::from(alive);
            let Some(known) = self.containers.get_mut(id) else {
                continue;
            };
            if inspect {
                known.inspected = Some(Instant::now());
            }
            if let Some(inspected) = inspected {
                known.learn(inspected);
                known.compare_image(&self.images);
            }
            match read {
                Some(Ok(read)) => self.poll_again |= known.tell(&read, batch),
                // it ended since it was listed
                Some(Err(Error::DockerResponseServerError {
                    status_code: 404 | 409,
                    ..
                }))
                | None => {}
                Some(Err(e)) => {
                    failed += 1;
                    debug!(source = %self.address, container = known.name(), "no reading of `{}`: {e}", known.name());
                    first.get_or_insert(e);
                }
            }
        }
        drop(reads);
        for (_, known) in self.containers.iter_mut() {
            known.tell_state_if_due(batch);
        }
        match first {
            Some(e) if failed == asked => Err(self.explain(&e)),
            _ => Ok(()),
        }
    }
}

/// Whether an id can stand in a path.
fn is_plain(id: &str) -> bool {
    id.len() <= 128 && id.bytes().all(|b| b.is_ascii_alphanumeric())
}
