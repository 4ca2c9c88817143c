//! A new producer takes over what an old one could not deliver.
//!
//! An idempotent producer that fails says that it does not know whether its last records are in the log. So they are looked
//! for there, and what is missing is sent again in its order.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::types::RDKafkaErrorCode as Code;
use schemas::{Epoch, EventId, Identity, SourceName};
use tracing::{error, info, warn};

use super::{
    Inner, follower,
    identity::Id,
    producer::{Producer, Undelivered},
    topics,
    writer::{Gate, OVERHEAD, too_large},
};
use crate::{AppendError, sequence::Place};

/// How long an old producer may take to answer what is still on its way.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// The pause before the first attempt.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(30);
/// A producer that worked for so long was sound.
const SOUND: Duration = Duration::from_mins(1);

/// Runs until it is cut.
pub(super) async fn run(inner: &Arc<Inner>) {
    let mut pause = SHORTEST;
    loop {
        let began = Instant::now();
        inner.writer.leftovers.wake.notified().await;
        if began.elapsed() > SOUND {
            pause = SHORTEST;
        }
        inner.writer.hold();
        recover(inner, &mut pause).await;
        inner.writer.go_on();
    }
}

async fn recover(inner: &Arc<Inner>, pause: &mut Duration) {
    let old = Arc::clone(&inner.writer.intake().producer);
    let cause = old.fatal_cause();
    quiet(&old).await;
    let mut left = inner.writer.leftovers.take();
    left = refuse_too_large(inner, left).await;
    if left.is_empty() && cause.is_none() {
        return;
    }
    let code = left.first().map_or(Code::Fatal, |one| one.code);
    let cause = cause.unwrap_or_else(|| {
        super::error::words(&rdkafka::error::KafkaError::MessageProduction(code))
    });
    warn!(
        undelivered = left.len(),
        cause, "kafka did not take what was appended, a new producer takes over"
    );
    inner.metrics.recoveries.inc();
    loop {
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(LONGEST);
        match prepare(inner).await {
            Ok(()) => break,
            Err(cause) => error!(
                cause,
                retry_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "kafka takes nothing, what was appended waits"
            ),
        }
    }
    // it ends on a thread of its own
    drop(tokio::task::spawn_blocking(move || drop(old)).await);
    send_again(inner, left);
}

/// Waits until a producer has answered everything.
async fn quiet(old: &Producer) {
    let end = Instant::now() + LAST_ANSWERS;
    while old.waiting() {
        if old.is_fatal() || Instant::now() > end {
            old.purge();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Answers what the brokers will never take, and returns the rest.
async fn refuse_too_large(inner: &Arc<Inner>, left: Vec<Undelivered>) -> Vec<Undelivered> {
    let is_large = |one: &Undelivered| one.code == Code::MessageSizeTooLarge;
    if !left.iter().any(is_large) {
        return left;
    }
    // the topic may take less than when it was looked at: then records that are small enough went with one that was not
    let largest = match topics::ensure(&inner.cluster, false).await {
        Ok(reports) => topics::largest(&reports),
        Err(_) => 0,
    };
    if largest > 0 {
        inner.writer.set_largest(largest);
    }
    let mut rest = Vec::with_capacity(left.len());
    for one in left {
        let size = one.payload.len() + one.key.len() + OVERHEAD;
        if !is_large(&one) || size <= largest {
            rest.push(one);
            continue;
        }
        if let Some(id) = id_of(&one) {
            inner.writer.intake().admission.give_back(&id);
        }
        let why = too_large(&one.topic, size, largest);
        one.sent.ticket.refused(one.sent.draft, why);
    }
    rest
}

fn id_of(one: &Undelivered) -> Option<EventId> {
    let id = Id::scan(&one.payload)?;
    Some(EventId {
        source: SourceName::new(id.source).ok()?,
        identity: Identity {
            epoch: Epoch::new(id.epoch).ok()?,
            seq: id.seq,
        },
    })
}

/// Opens a new producer and learns what is in the log.
async fn prepare(inner: &Arc<Inner>) -> Result<(), String> {
    follower::catch_up(inner).await.map_err(|e| e.to_string())?;
    let producer = Producer::open(
        &inner.cluster.options,
        Arc::clone(&inner.writer.leftovers),
        inner.writer.largest(),
    )
    .map_err(|e| e.to_string())?;
    inner.writer.intake().producer = Arc::new(producer);
    Ok(())
}

/// Sends what is not in the log.
fn send_again(inner: &Inner, left: Vec<Undelivered>) {
    let newest = inner.newest.borrow().clone();
    let known = inner.view().known();
    let producer = Arc::clone(&inner.writer.intake().producer);
    let (mut found, mut sent) = (0_u64, 0_u64);
    for one in left {
        let is_there = one.topic == inner.topic
            && id_of(&one).is_some_and(|id| {
                let sequence = known.get(&(id.source, id.identity.epoch));
                sequence.is_some_and(|s| s.place(id.identity.seq) == Place::Taken)
            });
        if is_there {
            found += 1;
            // in which partition it is does not matter: everything before `newest` is durable
            one.sent.ticket.delivered(0, newest.offset(0), None);
        } else {
            sent += 1;
            producer.send(&one.topic, &one.key, &one.payload, one.headers, one.sent);
        }
    }
    info!(found, sent, "a new producer has taken over");
}

/// Answers what is left when the log is closed.
pub(super) fn give_up(inner: &Inner) {
    inner.writer.gate.send_replace(Gate::Closed);
    for one in inner.writer.leftovers.take() {
        one.sent.ticket.failed(AppendError::Closed);
    }
}

/// Answers also what a producer did not get delivered.
pub(super) async fn give_up_all(inner: &Inner) {
    let producer = Arc::clone(&inner.writer.intake().producer);
    producer.purge();
    for _ in 0..50 {
        if !producer.waiting() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    give_up(inner);
}
