//! What is appended on its way into the log: admitted in order, handed to the producer, answered when it is durable.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use rdkafka::message::OwnedHeaders;
use schemas::{Draft, Epoch};
use tokio::sync::{Semaphore, watch};

use super::{
    Inner, Metrics, look,
    producer::{Leftovers, Producer, Sent},
    ticket::{Ticket, Told},
};
use crate::{
    AppendError, Appended, Outcome, Receipt,
    admission::{Admission, appended},
    embedded::weight,
};

/// How much may be on its way, in KiB.
const ROOM_KIB: usize = 16 * 1024;
/// How long an append waits for room.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
/// How long after a close answers of the brokers are still waited for.
const LAST_ANSWERS: std::time::Duration = std::time::Duration::from_secs(3);
/// How many drafts are admitted before others have their turn.
const SLICE: usize = 256;
/// What Kafka adds to a record at most, in bytes.
pub(super) const OVERHEAD: usize = 128;

/// Whether appends are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gate {
    Open,
    /// A new producer takes over: appends wait.
    Recovering,
    Closed,
}

pub(super) struct Intake {
    pub(super) admission: Admission,
    pub(super) producer: Arc<Producer>,
    flying: Vec<Arc<Ticket>>,
    json: Vec<u8>,
}

pub(super) struct Writer {
    topic: String,
    largest: AtomicUsize,
    intake: Mutex<Intake>,
    pub(super) gate: watch::Sender<Gate>,
    pub(super) leftovers: Arc<Leftovers>,
    room: Arc<Semaphore>,
    told: Told,
    metrics: Metrics,
}

impl Writer {
    pub(super) fn new(
        topic: String,
        largest: usize,
        epoch: Epoch,
        producer: Producer,
        leftovers: Arc<Leftovers>,
        told: Told,
        metrics: Metrics,
    ) -> Self {
        Self {
            topic,
            largest: AtomicUsize::new(largest),
            intake: Mutex::new(Intake {
                admission: Admission::new(epoch),
                producer: Arc::new(producer),
                flying: Vec::new(),
                json: Vec::new(),
            }),
            gate: watch::Sender::new(Gate::Open),
            leftovers,
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            told,
            metrics,
        }
    }

    /// The largest record that the topic takes, in bytes.
    pub(super) fn largest(&self) -> usize {
        self.largest.load(Ordering::Relaxed)
    }

    pub(super) fn set_largest(&self, largest: usize) {
        self.largest.store(largest, Ordering::Relaxed);
    }

    pub(super) fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until appends are taken.
    async fn open(&self) -> Result<(), AppendError> {
        let mut gate = self.gate.subscribe();
        let gate = gate.wait_for(|gate| *gate != Gate::Recovering).await;
        match gate.as_deref() {
            Ok(Gate::Open) => Ok(()),
            _ => Err(AppendError::Closed),
        }
    }

    /// Waits until a ticket is answered, but not for ever once the log was closed: then nobody may be left who answers.
    async fn answered(&self, ticket: &Ticket) -> Result<(), AppendError> {
        let mut gate = self.gate.subscribe();
        let closed = async {
            drop(gate.wait_for(|gate| *gate == Gate::Closed).await);
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            () = ticket.done() => Ok(()),
            () = closed => Err(AppendError::Closed),
        }
    }

    fn flying(&self) -> Vec<Arc<Ticket>> {
        let mut intake = self.intake();
        intake.flying.retain(|ticket| !ticket.is_done());
        intake.flying.clone()
    }

    /// Admits some drafts and sends them, unless the gate has closed meanwhile. Stops at one that seems to be there already
    /// if that is not to be trusted, and returns whether it did.
    fn admit(
        &self,
        drafts: &mut std::vec::IntoIter<Draft>,
        ticket: &Arc<Ticket>,
        receipts: &mut Vec<Receipt>,
        is_trusted: bool,
    ) -> bool {
        let largest = self.largest();
        let mut intake = self.intake();
        if *self.gate.borrow() != Gate::Open {
            return false;
        }
        let Intake {
            admission,
            producer,
            flying,
            json,
        } = &mut *intake;
        if !flying.iter().any(|other| Arc::ptr_eq(other, ticket)) {
            flying.retain(|ticket| !ticket.is_done());
            flying.push(Arc::clone(ticket));
        }
        for _ in 0..SLICE {
            let seems_there = |draft: &Draft| !is_trusted && admission.is_taken(draft);
            if drafts.as_slice().first().is_some_and(seems_there) {
                return true;
            }
            let Some(draft) = drafts.next() else {
                break;
            };
            json.clear();
            let event = match admission.admit(draft, json) {
                Ok(event) => event,
                Err(receipt) => {
                    match receipt.outcome {
                        Outcome::Duplicate => self.metrics.duplicates.inc(),
                        _ => self.metrics.refused.inc(),
                    };
                    receipts.push(receipt);
                    continue;
                }
            };
            let mut receipt = appended(&event);
            let size = json.len() + event.source.as_str().len() + OVERHEAD;
            if size > largest {
                admission.undo();
                self.metrics.refused.inc();
                receipt.outcome = Outcome::Refused(too_large(&self.topic, size, largest));
                receipts.push(receipt);
                continue;
            }
            admission.keep();
            producer.send(
                &self.topic,
                event.source.as_str().as_bytes(),
                json,
                None,
                Box::new(self.sent(ticket, receipts.len())),
            );
            receipts.push(receipt);
        }
        false
    }

    /// Counts one more record of a ticket as on its way, and gives it its place in the order of all.
    fn sent(&self, ticket: &Arc<Ticket>, draft: usize) -> Sent {
        ticket.sent();
        Sent {
            ticket: Arc::clone(ticket),
            draft,
            number: self.leftovers.number(),
        }
    }

    /// Holds appends back, so that what follows comes after all that was sent.
    pub(super) fn hold(&self) {
        // whoever admits holds the intake too: nothing is sent to the old producer afterwards
        let _intake = self.intake();
        self.gate.send_if_modified(|gate| {
            let opens = *gate == Gate::Open;
            if opens {
                *gate = Gate::Recovering;
            }
            opens
        });
    }

    /// Lets appends go on.
    pub(super) fn go_on(&self) {
        self.gate.send_if_modified(|gate| {
            let recovers = *gate == Gate::Recovering;
            if recovers {
                *gate = Gate::Open;
            }
            recovers
        });
    }

    /// Sends a record beside the events, and waits until it is durable.
    pub(super) async fn put(
        &self,
        topic: &str,
        records: Vec<(Vec<u8>, Vec<u8>, OwnedHeaders)>,
    ) -> Result<(), AppendError> {
        let ticket = Ticket::new(None, self.metrics.clone(), None);
        let seal = ticket.seal();
        for (key, payload, headers) in records {
            self.open().await?;
            let sent = Box::new(self.sent(&ticket, 0));
            let producer = Arc::clone(&self.intake().producer);
            producer.send(topic, &key, &payload, Some(headers), sent);
        }
        drop(seal);
        ticket.done().await;
        let outcomes = ticket.take();
        match (outcomes.failed, outcomes.refused.into_iter().next()) {
            (Some(failed), _) => Err(failed),
            (None, Some((_, cause))) => Err(AppendError::Broken {
                path: topic.to_owned(),
                cause,
            }),
            (None, None) => Ok(()),
        }
    }

    /// Sends a record beside the events and does not wait.
    pub(super) fn put_soon(&self, topic: &str, key: &str, payload: &[u8]) -> Arc<Ticket> {
        // while a new producer takes over it comes to the leftovers and waits there
        let ticket = Ticket::new(None, self.metrics.clone(), None);
        let _seal = ticket.seal();
        let sent = Box::new(self.sent(&ticket, 0));
        let producer = Arc::clone(&self.intake().producer);
        producer.send(topic, key.as_bytes(), payload, None, sent);
        ticket
    }

    /// Refuses more and waits for what is on its way. Returns whether all of it is durable.
    pub(super) async fn close(&self, patience: std::time::Duration) -> bool {
        let all = async {
            for ticket in self.flying() {
                ticket.done().await;
            }
        };
        let done = tokio::time::timeout(patience, all).await.is_ok();
        self.gate.send_replace(Gate::Closed);
        done && self.flying().is_empty()
    }
}

/// See [`crate::EventLog::append`].
pub(super) async fn append(
    inner: &Arc<Inner>,
    drafts: Vec<Draft>,
) -> Result<Appended, AppendError> {
    let writer = &inner.writer;
    if *writer.gate.borrow() == Gate::Closed {
        return Err(AppendError::Closed);
    }
    // what a client keeps of each record while it is on its way
    let kib = weight(&drafts) + drafts.len() / 4;
    let kib = u32::try_from(kib.clamp(1, ROOM_KIB)).unwrap_or(u32::MAX);
    let room = Arc::clone(&writer.room).acquire_many_owned(kib);
    let room = tokio::time::timeout(PATIENCE, room)
        .await
        .map_err(|_| AppendError::Busy)?
        .map_err(|_| AppendError::Closed)?;
    let told = Some(writer.told.clone());
    let ticket = Ticket::new(told, writer.metrics.clone(), Some(room));
    let seal = ticket.seal();
    let mut receipts = Vec::with_capacity(drafts.len());
    let mut drafts = drafts.into_iter();
    // an append without drafts waits for the others too
    let mut waits_for = writer.flying();
    let mut closed = None;
    let mut has_looked = false;
    while drafts.len() > 0 {
        if let Err(e) = writer.open().await {
            closed = Some(e);
            break;
        }
        let is_trusted = has_looked || inner.looks.is_fresh();
        if writer.admit(&mut drafts, &ticket, &mut receipts, is_trusted) {
            if let Err(e) = look::look_until_seen(inner).await {
                closed = Some(e);
                break;
            }
            has_looked = true;
        } else {
            has_looked = false;
        }
        tokio::task::yield_now().await;
    }
    drop(seal);
    writer.answered(&ticket).await?;
    let outcomes = ticket.take();
    if let Some(failed) = outcomes.failed.or(closed) {
        return Err(failed);
    }
    for (draft, why) in outcomes.refused {
        if let Some(receipt) = receipts.get_mut(draft) {
            receipt.outcome = Outcome::Refused(why);
        }
    }
    // whoever is told of a duplicate can read it, and the position is after all that came before
    let has_duplicates = receipts.iter().any(|r| r.outcome == Outcome::Duplicate);
    if has_duplicates || receipts.is_empty() {
        waits_for.extend(writer.flying());
        for other in waits_for {
            writer.answered(&other).await?;
            if has_duplicates && let Some(failed) = other.failure() {
                return Err(failed);
            }
        }
    }
    Ok(Appended {
        receipts,
        position: inner.newest.borrow().clone(),
    })
}

pub(super) fn too_large(topic: &str, size: usize, largest: usize) -> String {
    format!(
        "it is {size} bytes long and topic `{topic}` takes {largest}: raise the topic's `max.message.bytes`, or send smaller events"
    )
}
