//! Points go to their lanes, in the order of the calls.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use schemas::EntityKey;
use supervision::Supervisor;
use tokio::sync::{Mutex as Queue, Semaphore, mpsc, oneshot, watch};

use super::{
    Options,
    batch::Piece,
    lane::{Gate, Lane, Sender},
    server::Server,
};
use crate::{Point, Refused, WriteError};

/// Pieces that may wait in one lane; the points that may wait are bounded apart from it.
const LANE_QUEUE: usize = 64;

/// What one piece became.
type Reply = oneshot::Receiver<Result<Vec<Refused>, WriteError>>;

/// All lanes.
#[derive(Debug)]
pub(super) struct Writer {
    lanes: Mutex<Option<Vec<mpsc::Sender<Piece>>>>,
    /// Whoever holds it gives points to lanes.
    order: Queue<()>,
    room: Arc<Semaphore>,
    size: u32,
    /// Whether a lane ended because the process stops.
    ended: Arc<AtomicBool>,
    closing: watch::Sender<bool>,
    sender: Sender,
}

impl Writer {
    /// Starts the lanes.
    pub(super) fn start(options: &Options, server: Arc<Server>, supervisor: &Supervisor) -> Self {
        let (closing, closing_rx) = watch::channel(false);
        let sender = Sender {
            server,
            gate: Arc::new(Gate::default()),
            patience: options.patience,
            metrics: options.metrics.clone(),
            closing: closing_rx,
        };
        let ended = Arc::new(AtomicBool::new(false));
        let lanes = (0..options.lanes)
            .map(|number| {
                let (lane, queue) = mpsc::channel(LANE_QUEUE);
                let task = Lane::new(options, queue, sender.clone());
                let token = supervisor.token();
                let ended = Arc::clone(&ended);
                supervisor.spawn_transient(format!("influxdb/write-{number}"), async move {
                    task.run(token.cancelled()).await;
                    ended.store(true, Ordering::Release);
                });
                lane
            })
            .collect();
        let size = u32::try_from(options.pending_points).unwrap_or(u32::MAX);
        Self {
            lanes: Mutex::new(Some(lanes)),
            order: Queue::new(()),
            room: Arc::new(Semaphore::new(options.pending_points)),
            size,
            ended,
            closing,
            sender,
        }
    }

    /// Refuses once the store is closed.
    pub(super) fn check(&self) -> Result<(), WriteError> {
        if *self.closing.borrow() {
            Err(WriteError::Closed)
        } else {
            Ok(())
        }
    }

    /// For what does not go through a lane.
    pub(super) fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Stores points. What was refused comes in the order of the points.
    pub(super) async fn put(
        &self,
        points: Vec<Point>,
        urgent: bool,
    ) -> Result<Vec<Refused>, WriteError> {
        let pending = self.sender.metrics.pending_points.clone();
        let count = i64::try_from(points.len()).unwrap_or(i64::MAX);
        let _pending = Pending::new(pending, count);
        let replies = self.give(points, urgent).await?;
        let mut refused = Vec::new();
        let mut failed = None;
        for reply in replies {
            match reply.await {
                Ok(Ok(some)) => refused.extend(some),
                Ok(Err(error)) => drop(failed.get_or_insert(error)),
                Err(_) => drop(failed.get_or_insert_with(|| self.lost())),
            }
        }
        if let Some(error) = failed {
            self.check()?;
            return Err(error);
        }
        refused.sort_by_key(|refused| refused.index);
        self.sender
            .metrics
            .refused_points
            .inc_by(refused.len() as u64);
        Ok(refused)
    }

    /// Why a lane gives no answer.
    fn lost(&self) -> WriteError {
        let server = self.sender.server.name().to_owned();
        match self.check() {
            Err(closed) => closed,
            Ok(()) if self.ended.load(Ordering::Acquire) => WriteError::Unavailable {
                server,
                cause: "the process stops".to_owned(),
                retry_after: None,
            },
            Ok(()) => WriteError::Failed {
                path: server,
                cause: "a writer died; the log says of what".to_owned(),
            },
        }
    }

    async fn give(&self, points: Vec<Point>, urgent: bool) -> Result<Vec<Reply>, WriteError> {
        let _turn = self.order.lock().await;
        self.check()?;
        let lanes = {
            let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.clone().ok_or(WriteError::Closed)?
        };
        let mut parts: Vec<Vec<(usize, Point)>> = Vec::new();
        parts.resize_with(lanes.len(), Vec::new);
        for (index, point) in points.into_iter().enumerate() {
            if let Some(part) = parts.get_mut(lane_of(&point.key, lanes.len())) {
                part.push((index, point));
            }
        }
        let mut replies = Vec::new();
        for (lane, points) in lanes.iter().zip(parts) {
            if points.is_empty() {
                continue;
            }
            let size = u32::try_from(points.len()).unwrap_or(u32::MAX);
            let room = Arc::clone(&self.room)
                .acquire_many_owned(size.min(self.size))
                .await
                .map_err(|_| WriteError::Closed)?;
            let (done, reply) = oneshot::channel();
            let piece = Piece {
                points,
                urgent,
                room,
                done,
            };
            lane.send(piece).await.map_err(|_| self.lost())?;
            replies.push(reply);
        }
        Ok(replies)
    }

    /// Takes no more, and waits until everybody has an answer.
    pub(super) async fn close(&self, patience: Duration) {
        self.closing.send_replace(true);
        drop(
            self.lanes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        // all room is there when nothing is pending
        let idle = self.room.acquire_many(self.size);
        drop(tokio::time::timeout(patience, idle).await);
    }
}

/// Always the same for one entity.
fn lane_of(key: &EntityKey, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let lanes = lanes.max(1) as u64;
    usize::try_from(hasher.finish() % lanes).unwrap_or_default()
}

/// Counts points while they are pending.
struct Pending(prometheus_client::metrics::gauge::Gauge, i64);

impl Pending {
    fn new(gauge: prometheus_client::metrics::gauge::Gauge, count: i64) -> Self {
        gauge.inc_by(count);
        Self(gauge, count)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.dec_by(self.1);
    }
}
