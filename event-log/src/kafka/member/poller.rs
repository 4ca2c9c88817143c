//! The thread that polls for a worker.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, KafkaResult},
    types::RDKafkaErrorCode as Code,
};
use tracing::{debug, error, warn};

use super::{
    super::{
        Inner, SEQUENCES, client,
        cluster::{index, number, signed, unsigned},
        error::{code, read, read_failed, words},
        record::logged,
        sequences, snapshot,
    },
    assign::Pending,
    context::MemberContext,
    doubt::Doubt,
    part::Part,
    shared::Shared,
};
use crate::{Delivery, Record};

/// How much is fetched ahead, in KiB.
const MEMORY: usize = 4096;
/// Most records of one delivery.
const DELIVERY: usize = 1000;
/// … and most bytes of their JSON.
const DELIVERY_BYTES: usize = 1024 * 1024;
/// Deliveries that may wait for the worker.
const WAITING: usize = 4;
/// How often the group is told how far it is.
const TELL: Duration = Duration::from_secs(1);
/// How often the ends of the partitions are looked up.
const LOOK: Duration = Duration::from_secs(1);
/// How long one of them is waited for.
const LOOK_PATIENCE: Duration = Duration::from_secs(1);
/// After how many records a ledger is saved, if that is not too often. A worker that does not live for long must come so far:
/// the next one reads on from there before it begins.
const MANY: u64 = 200_000;
const OFTEN: Duration = Duration::from_secs(2);
/// How often a ledger that changed is saved in any case.
const SELDOM: Duration = Duration::from_mins(5);

pub(super) struct Poller {
    pub(super) inner: Arc<Inner>,
    pub(super) shared: Arc<Shared>,
    pub(super) consumer: BaseConsumer<MemberContext>,
    pub(super) parts: BTreeMap<usize, Part>,
    pub(super) pending: Option<Pending>,
    pub(super) doubt: Doubt,
    paused: BTreeSet<usize>,
    told: Instant,
    looked: Instant,
}

impl Poller {
    pub(super) fn join(
        inner: &Arc<Inner>,
        shared: &Arc<Shared>,
        group: &str,
    ) -> Result<Self, KafkaError> {
        let options = &inner.cluster.options;
        let millis = |duration: Duration| duration.as_millis().to_string();
        let mut config = client::consumer(options, MEMORY);
        config
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", millis(options.session))
            .set("heartbeat.interval.ms", millis(options.session / 12))
            .set(
                "max.poll.interval.ms",
                millis((options.patience + options.patience / 2).max(options.session)),
            )
            .set("fetch.wait.max.ms", "500");
        let consumer = BaseConsumer::from_config_and_context(&config, MemberContext::default())?;
        consumer.subscribe(&[&inner.topic])?;
        let now = Instant::now();
        Ok(Self {
            inner: Arc::clone(inner),
            shared: Arc::clone(shared),
            consumer,
            parts: BTreeMap::new(),
            pending: None,
            doubt: Doubt::default(),
            paused: BTreeSet::new(),
            told: now,
            looked: now,
        })
    }

    /// Polls until the worker leaves or the log is closed.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let brokers = self.inner.cluster.brokers().to_owned();
        let worked = catch_unwind(AssertUnwindSafe(|| {
            while !self.ends() {
                self.turn();
            }
        }));
        let panicked = || {
            error!("what reads the log for a worker panicked");
            read_failed(&brokers, "what reads for this member panicked")
        };
        if worked.is_err() {
            // the worker joins again
            shared.fail(panicked());
        }
        let left = catch_unwind(AssertUnwindSafe(move || {
            if worked.is_err() {
                self.let_go();
                return Ok(());
            }
            self.leave()
        }));
        shared.leave(match left {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(read(&brokers, "leaving the group", &e)),
            Err(_) => Err(panicked()),
        });
    }

    fn ends(&self) -> bool {
        self.shared.state().leaves || self.inner.stop.is_cancelled()
    }

    fn turn(&mut self) {
        self.work_on_changes();
        self.look_for_doubt();
        self.settle_doubt();
        self.pause_and_resume();
        if self.told.elapsed() >= TELL {
            self.tell(CommitMode::Async);
        }
        self.save(false);
        let (waiting, silence) = {
            let mut state = self.shared.state();
            (state.waiting(), state.silence())
        };
        if waiting >= WAITING || silence > self.inner.cluster.options.patience {
            // whoever asks for nothing for too long is taken for gone by the group
            std::thread::sleep(Duration::from_millis(5));
            return;
        }
        let wait = if self.pending.is_some() { 10 } else { 50 };
        self.poll(Duration::from_millis(wait));
    }

    fn poll(&mut self, wait: Duration) {
        let mut batches: BTreeMap<usize, Vec<Record>> = BTreeMap::new();
        let (mut count, mut bytes, mut wait) = (0, 0, wait);
        let mut trouble = None;
        while count < DELIVERY && bytes < DELIVERY_BYTES {
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let partition = index(message.partition());
                    let payload = message.payload().unwrap_or_default();
                    count += 1;
                    bytes += payload.len();
                    if self.doubt.is_about(partition) {
                        continue;
                    }
                    let Some(part) = self.parts.get_mut(&partition) else {
                        continue;
                    };
                    let batch = batches.entry(partition).or_default();
                    let offset = unsigned(message.offset());
                    let record = part.take(partition, offset, logged(&message), payload);
                    if record.is_none() && offset >= part.ledger.next.saturating_sub(1) {
                        self.inner
                            .metrics
                            .echoes
                            .inc_by(u64::from(part.has_begun()));
                    }
                    batch.extend(record);
                }
                Some(Err(e)) => {
                    trouble = Some(e);
                    break;
                }
                None => break,
            }
            wait = Duration::ZERO;
        }
        if self.looked.elapsed() >= LOOK && !batches.is_empty() {
            self.look();
        }
        for (partition, records) in batches {
            let Some(part) = self.parts.get(&partition).filter(|part| part.has_begun()) else {
                continue;
            };
            self.shared.put(Delivery::Records {
                partition,
                records,
                next: part.next,
                newest: part.newest.max(part.next),
            });
        }
        if let Some(e) = trouble {
            self.trouble(&e);
        }
    }

    fn trouble(&mut self, e: &KafkaError) {
        match code(e) {
            Code::AutoOffsetReset
            | Code::OffsetOutOfRange
            | Code::LogTruncation
            // they may come back with less
            | Code::AllBrokersDown => self.begin_to_doubt(),
            Code::GroupAuthorizationFailed
            | Code::TopicAuthorizationFailed
            | Code::Authentication
            | Code::SaslAuthenticationFailed => {
                let cause = words(e);
                self.shared
                    .fail(read_failed(self.inner.cluster.brokers(), cause));
            }
            _ if matches!(e, KafkaError::MessageConsumptionFatal(_)) => {
                self.shared
                    .fail(read(self.inner.cluster.brokers(), "reading for a group", e));
            }
            _ => debug!(error = %e, "reading for a group"),
        }
    }

    /// Looks up how far the partitions reach.
    fn look(&mut self) {
        let partitions: Vec<usize> = self.parts.keys().copied().collect();
        let extents = self.inner.extents_of(&partitions, LOOK_PATIENCE);
        for (part, extent) in self.parts.values_mut().zip(extents) {
            match extent {
                Ok(extent) => part.newest = part.newest.max(extent.high),
                Err(e) => debug!(error = %e, "how far a partition reaches is not known"),
            }
        }
        // after what it took: a partition that does not answer must not take all the time
        self.looked = Instant::now();
    }

    fn pause_and_resume(&mut self) {
        let wanted: BTreeSet<usize> = {
            let state = self.shared.state();
            let own = state.paused.iter().filter(|p| self.parts.contains_key(p));
            own.copied().collect()
        };
        if wanted == self.paused {
            return;
        }
        let list = |partitions: &mut dyn Iterator<Item = &usize>| {
            let mut list = TopicPartitionList::new();
            for partition in partitions {
                list.add_partition(&self.inner.topic, number(*partition));
            }
            list
        };
        let pauses = list(&mut wanted.difference(&self.paused));
        let gone = self.paused.difference(&wanted);
        let resumes = list(&mut gone.filter(|p| self.parts.contains_key(p)));
        for (list, done) in [
            (&pauses, self.consumer.pause(&pauses)),
            (&resumes, self.consumer.resume(&resumes)),
        ] {
            if let Err(e) = done
                && list.count() > 0
            {
                debug!(error = %e, "pausing or resuming");
            }
        }
        self.paused = wanted;
    }

    /// Ends the pauses of partitions that go: the client would remember them until they come back.
    pub(super) fn resume_all(&mut self, list: &TopicPartitionList) {
        if list.count() == 0 {
            return;
        }
        if let Err(e) = self.consumer.resume(list) {
            debug!(error = %e, "resuming what goes");
        }
        for element in list.elements() {
            self.paused.remove(&index(element.partition()));
        }
    }

    /// Tells the group how far it is.
    pub(super) fn tell(&mut self, mode: CommitMode) {
        self.told = Instant::now();
        if self.consumer.context().untold.swap(false, Ordering::AcqRel) {
            for part in self.parts.values_mut() {
                part.told = None;
            }
        }
        let mut list = TopicPartitionList::new();
        {
            let state = self.shared.state();
            for (partition, part) in &mut self.parts {
                let Some(&done) = state.done.get(partition) else {
                    continue;
                };
                if part.told != Some(done) {
                    part.told = Some(done);
                    let place = Offset::Offset(signed(done));
                    drop(list.add_partition_offset(&self.inner.topic, number(*partition), place));
                }
            }
        }
        if list.count() == 0 {
            return;
        }
        if let Err(e) = self.consumer.commit(&list, mode) {
            warn!(error = %e, "the group was not told how far it is, it is told again");
            self.consumer
                .context()
                .untold
                .store(true, Ordering::Release);
        }
    }

    /// Saves the ledgers, if it is time; with `all`, those that changed.
    pub(super) fn save(&mut self, all: bool) {
        let options = &self.inner.cluster.options;
        for (partition, part) in &mut self.parts {
            let came = part.ledger.next.saturating_sub(part.saved);
            let age = part.saved_at.elapsed();
            let is_due = all || age >= SELDOM || (came >= MANY && age >= OFTEN);
            if came == 0 || !is_due {
                continue;
            }
            part.saved_at = Instant::now();
            part.ledger.tidy(self.inner.low(*partition));
            match snapshot::encode(&part.ledger) {
                Ok(bytes) => {
                    let key = sequences::key(*partition, part.slot);
                    drop(
                        self.inner
                            .writer
                            .put_soon(&options.topic(SEQUENCES), &key, &bytes),
                    );
                    part.slot = 1 - part.slot;
                    part.saved = part.ledger.next;
                    self.inner.metrics.snapshots.inc();
                }
                Err(e) => warn!(partition, error = %e, "a snapshot of sequences cannot be made"),
            }
        }
    }

    fn leave(mut self) -> KafkaResult<()> {
        self.tell(CommitMode::Sync);
        self.save(true);
        self.let_go();
        let untold = self.consumer.context().untold.load(Ordering::Acquire);
        drop(self);
        if untold {
            return Err(KafkaError::ConsumerCommit(Code::BrokerTransportFailure));
        }
        Ok(())
    }

    /// Makes it possible to close the consumer.
    fn let_go(&mut self) {
        self.consumer
            .context()
            .closes
            .store(true, Ordering::Release);
        // a change that waits would hold the closing back
        if let Some(pending) = self.pending.take() {
            pending.drop_at_once(&self.consumer);
        }
        while let Some(change) = self.consumer.context().change() {
            Pending::of(change).drop_at_once(&self.consumer);
        }
    }
}
