//! One partition of one worker.

use std::{
    collections::{BTreeMap, VecDeque},
    task::{Context, Poll, Waker},
};

use event_log::{Body, Record};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, ready},
    stream::FuturesUnordered,
};
use schemas::{FieldValue, SourceName, Timestamp};
use time_series::WriteError;
use tokio::time::{Duration, Instant};

use super::stage::{self, Passes, Sent, Step, Tools};
use crate::{
    batch::{Projected, project_all, refused_letters},
    known::KnownEntities,
    metrics::seconds_since,
    patience::Patience,
    purge::marked,
};

/// Records that are written together.
#[derive(Debug)]
struct Batch {
    number: u64,
    records: Vec<Record>,
    /// Offset after them.
    next: u64,
    bytes: usize,
    /// Whether it was projected and counted before.
    counted: bool,
    /// Whether the letters that it gives are put aside, or about to be: once is enough, however often it is sent.
    letters_put: bool,
    /// Whether the store's types were asked because of it.
    types_asked: bool,
}

enum Item {
    Batch(Batch),
    Loss {
        from: u64,
        to: u64,
    },
    /// A mark of a purge, and the offset after it.
    Purge {
        source: SourceName,
        next: u64,
    },
}

/// A batch that was sent.
struct Flying {
    serial: u64,
    batch: Batch,
    state: Flight,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flight {
    /// For the store's answer, or until what it refused is put aside.
    Waiting,
    Failed(Again),
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    AtOnce,
    Soon,
    Slowly,
}

/// What a worker knows of one of its partitions.
pub(super) struct Lane {
    partition: usize,
    known: KnownEntities,
    /// Offset after what was read.
    read: u64,
    /// Offset before which everything is where it belongs.
    done: u64,
    /// Offset after the last record, as far as is known.
    newest: u64,
    collecting: Option<Batch>,
    queue: VecDeque<Item>,
    /// Points of the batch that is first in the queue.
    prepared: Option<Projected>,
    flying: VecDeque<Flying>,
    steps: FuturesUnordered<BoxFuture<'static, Step>>,
    /// Whether something has to end before anything else is sent.
    busy: bool,
    patience: Patience,
    numbers: u64,
    held: usize,
    /// Writes that are with the store.
    sent: usize,
    /// How long the store asks to be left alone.
    rest: Option<Duration>,
    pub(super) paused: bool,
    /// Since when it holds more than its share.
    pub(super) over_since: Option<Instant>,
    tools: Tools,
}

impl Lane {
    pub(super) fn new(partition: usize, from: u64, newest: u64, tools: &Tools) -> Self {
        Self {
            partition,
            known: KnownEntities::default(),
            read: from,
            done: from,
            newest,
            collecting: None,
            queue: VecDeque::new(),
            prepared: None,
            flying: VecDeque::new(),
            steps: FuturesUnordered::new(),
            busy: false,
            patience: Patience::new(tools.services.options.pace),
            numbers: 0,
            held: 0,
            sent: 0,
            rest: None,
            paused: false,
            over_since: None,
            tools: tools.clone(),
        }
    }

    /// Takes records that were read.
    pub(super) fn take(&mut self, records: Vec<Record>, next: u64, newest: u64) {
        self.newest = newest.max(next);
        let options = &self.tools.services.options;
        let (most_events, most_bytes) = (options.batch_events, options.batch_bytes);
        for record in records {
            if record.offset < self.read {
                continue;
            }
            self.read = record.offset + 1;
            if let Some(source) = marked(&record) {
                let (source, next) = (source.clone(), self.read);
                self.close_batch();
                self.queue.push_back(Item::Purge { source, next });
                continue;
            }
            let bytes = weight(&record);
            self.hold(bytes);
            let read = self.read;
            let batch = self.collect();
            batch.records.push(record);
            batch.bytes += bytes;
            batch.next = read;
            if batch.records.len() >= most_events || batch.bytes >= most_bytes {
                self.close_batch();
            }
        }
        if next > self.read {
            // what was left out, such as duplicates, is passed too
            self.read = next;
            self.collect().next = next;
        }
    }

    /// Records after those that were taken are gone: what follows begins at `to`.
    pub(super) fn lose(&mut self, from: u64, to: u64) {
        self.close_batch();
        self.queue.push_back(Item::Loss { from, to });
        self.read = to;
    }

    /// Nothing more comes for now: what was collected is sent.
    pub(super) fn close_batch(&mut self) {
        if let Some(batch) = self.collecting.take() {
            self.queue.push_back(Item::Batch(batch));
        }
    }

    /// The batch that is being filled.
    fn collect(&mut self) -> &mut Batch {
        if self.collecting.is_none() {
            self.numbers += 1;
            let number = self.numbers;
            let linger = self.tools.services.options.linger;
            self.steps.push(
                async move {
                    tokio::time::sleep(linger).await;
                    Step::Due(number)
                }
                .boxed(),
            );
        }
        let number = self.numbers;
        self.collecting.get_or_insert_with(|| Batch {
            number,
            records: Vec::new(),
            next: 0,
            bytes: 0,
            counted: false,
            letters_put: false,
            types_asked: false,
        })
    }

    /// Sends what can be sent.
    pub(super) fn advance(&mut self) {
        while !self.busy {
            let is = |state: fn(&Flight) -> bool| self.flying.iter().any(|f| state(&f.state));
            if is(|state| matches!(state, Flight::Failed(_))) {
                if is(|state| *state == Flight::Waiting) {
                    return;
                }
                self.send_again();
                continue;
            }
            if self.flying.len() >= self.tools.services.options.in_flight {
                return;
            }
            match self.queue.front_mut() {
                None => return,
                Some(Item::Loss { .. } | Item::Purge { .. }) if !self.flying.is_empty() => return,
                Some(Item::Loss { from, to }) => {
                    let (from, to) = (*from, *to);
                    self.begin(stage::tell_loss(
                        self.tools.clone(),
                        self.partition,
                        from,
                        to,
                    ));
                }
                Some(Item::Purge { source, next }) => {
                    let (source, next) = (source.clone(), *next);
                    self.begin(stage::purge(
                        self.tools.clone(),
                        self.partition,
                        source,
                        next,
                    ));
                }
                Some(Item::Batch(batch)) => {
                    let unknown = unknown_sources(&batch.records, &self.known);
                    if !unknown.is_empty() {
                        self.begin(stage::warm(self.tools.clone(), unknown));
                        return;
                    }
                    self.prepare_and_send();
                }
            }
        }
    }

    /// Starts what has to end before anything else is sent.
    fn begin(&mut self, stage: impl Future<Output = Step> + Send + 'static) {
        self.busy = true;
        self.steps.push(stage.boxed());
    }

    fn prepare_and_send(&mut self) {
        let services = &self.tools.services;
        let Some(Item::Batch(batch)) = self.queue.front_mut() else {
            return;
        };
        if self.prepared.is_none() {
            let mut made = project_all(
                &batch.records,
                &services.catalog,
                &mut self.known,
                &services.limits,
            );
            let letters = std::mem::take(&mut made.letters);
            if !batch.counted {
                batch.counted = true;
                services.metrics.clock_ahead.inc_by(made.ahead);
                services
                    .metrics
                    .put_aside(letters.iter().map(|l| l.reason.as_str()));
            }
            let to_put = !letters.is_empty() && !batch.letters_put;
            batch.letters_put |= to_put;
            self.prepared = Some(made);
            if to_put {
                // letters first: once the position has moved, nothing would write them again
                let put = stage::put_aside(self.tools.clone(), letters);
                self.begin(put.map(|()| Step::Woke));
                return;
            }
        }
        let (Some(made), Some(Item::Batch(batch))) = (self.prepared.take(), self.queue.pop_front())
        else {
            return;
        };
        self.send(batch, made);
    }

    fn send(&mut self, batch: Batch, made: Projected) {
        self.numbers += 1;
        let serial = self.numbers;
        let write = stage::write(self.tools.clone(), made, self.partition, batch.next, serial);
        // the store takes batches in the order of the calls, and a call begins when it is first polled
        let mut write = tokio::task::unconstrained(write).boxed();
        let step = match write.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(step) => ready(step).boxed(),
            Poll::Pending => write,
        };
        self.steps.push(step);
        self.sent += 1;
        self.tools.services.metrics.in_flight.inc();
        self.flying.push_back(Flying {
            serial,
            batch,
            state: Flight::Waiting,
        });
    }

    /// Puts everything that was sent and is not acknowledged back in its order.
    fn send_again(&mut self) {
        let mut wait = Again::AtOnce;
        while let Some(flying) = self.flying.pop_back() {
            match (flying.state, wait) {
                (Flight::Failed(Again::Slowly), _) => wait = Again::Slowly,
                (Flight::Failed(Again::Soon), Again::AtOnce) => wait = Again::Soon,
                _ => {}
            }
            self.queue.push_front(Item::Batch(flying.batch));
        }
        // made for what was first before
        self.prepared = None;
        self.tools.services.metrics.retries.inc();
        if wait != Again::AtOnce {
            let wait = self.patience.next(wait == Again::Soon);
            let wait = wait.max(self.rest.take().unwrap_or_default());
            self.begin(tokio::time::sleep(wait).map(|()| Step::Woke));
        }
    }

    /// Something ended. Returns the offset before which everything is where it belongs now, if it moved.
    pub(super) fn settle(&mut self, step: Step) -> Option<u64> {
        match step {
            Step::Woke => self.busy = false,
            Step::Due(number) => {
                if self.collecting.as_ref().is_some_and(|b| b.number == number) {
                    self.close_batch();
                }
            }
            Step::Warmed(sources) => {
                self.busy = false;
                for (source, entities) in sources {
                    self.known.take_over(entities);
                    self.known.warmed(source);
                }
            }
            Step::LossTold { to } => {
                self.busy = false;
                self.queue.pop_front();
                self.done = to;
                return Some(to);
            }
            Step::Purged { source, next } => {
                self.busy = false;
                self.queue.pop_front();
                self.known.forget(&source);
                self.tools.services.metrics.events.inc();
                self.done = next;
                return Some(next);
            }
            Step::Written(sent) => self.written(sent),
            Step::TypesLearned { sent, changed } => {
                self.busy = false;
                if changed {
                    self.mark(sent.serial, Flight::Failed(Again::AtOnce));
                } else {
                    self.put_refused_aside(sent);
                }
            }
            Step::RefusedPut { serial } => self.mark(serial, Flight::Done),
        }
        self.land()
    }

    fn written(&mut self, sent: Sent) {
        let metrics = &self.tools.services.metrics;
        self.sent = self.sent.saturating_sub(1);
        metrics.in_flight.dec();
        metrics.write_seconds.observe(sent.seconds);
        let teller = &self.tools.teller;
        match &sent.result {
            Ok(written) if written.refused.is_empty() => {
                teller.worked();
                self.patience.reset();
                self.mark(sent.serial, Flight::Done);
            }
            Ok(_) => {
                teller.worked();
                self.patience.reset();
                let Some(flying) = self.flying.iter_mut().find(|f| f.serial == sent.serial) else {
                    return;
                };
                if flying.batch.types_asked {
                    self.put_refused_aside(sent);
                } else if self.busy {
                    // perhaps the types are being asked because of another batch
                    self.mark(sent.serial, Flight::Failed(Again::AtOnce));
                } else {
                    // perhaps another worker registered a field before this one did, as another type
                    flying.batch.types_asked = true;
                    self.begin(stage::learn_types_for(self.tools.clone(), sent));
                }
            }
            Err(error) => {
                let passes = error.passes();
                if !matches!(error, WriteError::Closed) {
                    teller.failed("write to the time-series store", error, passes);
                }
                self.rest = self.rest.max(error.retry_after());
                let again = if passes { Again::Soon } else { Again::Slowly };
                self.mark(sent.serial, Flight::Failed(again));
            }
        }
    }

    fn put_refused_aside(&mut self, sent: Sent) {
        let Some(flying) = self.flying.iter().find(|f| f.serial == sent.serial) else {
            return;
        };
        let refused = sent.result.unwrap_or_default().refused;
        let letters = refused_letters(&flying.batch.records, &sent.origins, &refused);
        let metrics = &self.tools.services.metrics;
        metrics.refused.inc_by(letters.len() as u64);
        metrics.put_aside(letters.iter().map(|l| l.reason.as_str()));
        let serial = sent.serial;
        let put = stage::put_aside(self.tools.clone(), letters);
        self.steps
            .push(put.map(move |()| Step::RefusedPut { serial }).boxed());
    }

    fn mark(&mut self, serial: u64, state: Flight) {
        if let Some(flying) = self.flying.iter_mut().find(|f| f.serial == serial) {
            flying.state = state;
        }
    }

    /// Takes out what is done, without a gap.
    fn land(&mut self) -> Option<u64> {
        let mut moved = None;
        while self.flying.front().is_some_and(|f| f.state == Flight::Done)
            && let Some(Flying { batch, .. }) = self.flying.pop_front()
        {
            let metrics = &self.tools.services.metrics;
            let entries = batch.records.len() as u64;
            metrics.events.inc_by(entries);
            if let Some(first) = batch.records.first() {
                metrics.commit_seconds.observe(seconds_since(first.logged));
            }
            self.release(batch.bytes);
            self.done = batch.next;
            moved = Some(batch.next);
        }
        moved
    }

    fn hold(&mut self, bytes: usize) {
        self.held += bytes;
        self.tools
            .services
            .metrics
            .held_bytes
            .inc_by(i64::try_from(bytes).unwrap_or(0));
    }

    fn release(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
        self.tools
            .services
            .metrics
            .held_bytes
            .dec_by(i64::try_from(bytes).unwrap_or(0));
    }

    /// Whether something is with the store that may still come back.
    pub(super) fn is_flying(&self) -> bool {
        self.flying.iter().any(|f| f.state == Flight::Waiting)
    }

    /// Offset before which everything is where it belongs.
    pub(super) const fn done(&self) -> u64 {
        self.done
    }

    /// Bytes of events that are read and not yet in the store.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Records that are not yet in the store.
    pub(super) const fn lag_events(&self) -> u64 {
        self.newest.saturating_sub(self.done)
    }

    /// When the oldest record was logged that was read and is not yet in the store.
    pub(super) fn oldest_held(&self) -> Option<Timestamp> {
        let first = |batch: &Batch| batch.records.first().map(|record| record.logged);
        self.flying
            .iter()
            .find_map(|f| first(&f.batch))
            .or_else(|| {
                self.queue.iter().find_map(|item| match item {
                    Item::Batch(batch) => first(batch),
                    Item::Loss { .. } | Item::Purge { .. } => None,
                })
            })
            .or_else(|| self.collecting.as_ref().and_then(first))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.release(self.held);
        self.tools
            .services
            .metrics
            .in_flight
            .dec_by(i64::try_from(self.sent).unwrap_or(0));
    }
}

/// Waits for what ends next in any of the partitions. Dropping the future loses nothing.
pub(super) async fn next_step(lanes: &mut BTreeMap<usize, Lane>) -> (usize, Step) {
    std::future::poll_fn(|context| {
        for (partition, lane) in lanes.iter_mut() {
            if let Poll::Ready(Some(step)) = lane.steps.poll_next_unpin(context) {
                return Poll::Ready((*partition, step));
            }
        }
        Poll::Pending
    })
    .await
}

fn unknown_sources(records: &[Record], known: &KnownEntities) -> Vec<SourceName> {
    let mut unknown: Vec<SourceName> = Vec::new();
    let mut last: Option<&SourceName> = None;
    for event in records.iter().filter_map(Record::event) {
        if last == Some(&event.source) {
            continue;
        }
        last = Some(&event.source);
        if known.lacks(&event.source) && !unknown.contains(&event.source) {
            unknown.push(event.source.clone());
        }
    }
    unknown
}

/// About how much memory a record takes.
fn weight(record: &Record) -> usize {
    match &record.body {
        Body::Event(event) => {
            let texts: usize = event
                .fields
                .iter()
                .map(|(_, value)| match value {
                    FieldValue::Text(text) => text.len() + 16,
                    _ => 0,
                })
                .sum();
            let labels: usize = event.entity.labels.values().map(|l| l.len() + 48).sum();
            640 + 48 * event.fields.len() + texts + labels
        }
        Body::Unreadable { bytes, reason } => 128 + bytes.len() + reason.len(),
    }
}

/// A duration in seconds, measured from an instant.
pub(super) fn seconds(since: Instant) -> f64 {
    let elapsed: Duration = since.elapsed();
    elapsed.as_secs_f64()
}
