//! The producer: idempotent, durable on all replicas in sync, without a time after which it gives up.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use rdkafka::{
    ClientContext, Message, Statistics,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::KafkaError,
    message::{BorrowedHeaders, OwnedHeaders},
    producer::{
        BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
    },
    types::RDKafkaErrorCode as Code,
};
use schemas::Timestamp;
use tokio::sync::Notify;

use super::{
    Metrics,
    client::{self, Context},
    cluster::{index, unsigned},
    error::code,
    options::Options,
    ticket::Ticket,
};

/// Most bytes that wait in the client, in KiB; appends hold back before.
const QUEUE_KIB: usize = 48 * 1024;

/// How often the client says how it fares.
const STATISTICS_MS: &str = "5000";

/// A record on its way: whose it is.
pub(super) struct Sent {
    pub(super) ticket: Arc<Ticket>,
    /// Which draft of its append it is.
    pub(super) draft: usize,
    /// Its place in the order of all that was sent.
    pub(super) number: u64,
}

/// A record that a producer could not deliver.
pub(super) struct Undelivered {
    pub(super) sent: Box<Sent>,
    pub(super) topic: String,
    pub(super) key: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) headers: Option<OwnedHeaders>,
    pub(super) code: Code,
}

/// What producers leave for the one that comes after them.
#[derive(Default)]
pub(super) struct Leftovers {
    undelivered: Mutex<Vec<Undelivered>>,
    pub(super) wake: Notify,
    numbers: AtomicU64,
}

impl Leftovers {
    pub(super) fn add(&self, one: Undelivered) {
        let mut all = self
            .undelivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.push(one);
        drop(all);
        self.wake.notify_one();
    }

    /// All of them, in the order in which they were sent.
    pub(super) fn take(&self) -> Vec<Undelivered> {
        let mut all = self
            .undelivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut all = std::mem::take(&mut *all);
        all.sort_by_key(|one| one.sent.number);
        all
    }

    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

pub(super) struct Deliveries {
    context: Context,
    leftovers: Arc<Leftovers>,
    metrics: Metrics,
    /// Retries that were counted.
    retries: AtomicU64,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if code(&error) == Code::Fatal {
            self.leftovers.wake.notify_one();
        }
        self.context.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let all = statistics.brokers.values().map(|broker| broker.txretries);
        let all = all.sum();
        let before = self.retries.swap(all, Ordering::Relaxed);
        self.metrics.retries.inc_by(all.saturating_sub(before));
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        match result {
            Ok(message) => {
                let next = unsigned(message.offset()) + 1;
                let logged = message.timestamp().to_millis().map(Timestamp::from_millis);
                sent.ticket
                    .delivered(index(message.partition()), next, logged);
            }
            Err((error, message)) => self.leftovers.add(Undelivered {
                sent,
                topic: message.topic().to_owned(),
                key: message.key().unwrap_or_default().to_vec(),
                payload: message.payload().unwrap_or_default().to_vec(),
                headers: message.headers().map(BorrowedHeaders::detach),
                code: code(error),
            }),
        }
    }
}

/// See the module. Its own thread answers.
pub(super) struct Producer(ThreadedProducer<Deliveries>);

impl Producer {
    /// `largest` bounds a batch: it is what the topic takes in one, in bytes.
    pub(super) fn open(
        options: &Options,
        leftovers: Arc<Leftovers>,
        largest: usize,
    ) -> Result<Self, KafkaError> {
        let mut config = client::config(options);
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("statistics.interval.ms", STATISTICS_MS)
            .set("max.in.flight.requests.per.connection", "5")
            // it never gives up by itself: whoever appends waits, and holds back
            .set("message.timeout.ms", "0")
            .set("retry.backoff.ms", "50")
            .set("retry.backoff.max.ms", "1000")
            .set("request.timeout.ms", "15000")
            .set("compression.type", "zstd")
            .set("linger.ms", "5")
            .set("batch.size", largest.saturating_sub(1024).clamp(512, 1_000_000).to_string())
            // snapshots of sequences may be large; events are checked before
            .set("message.max.bytes", (8 * 1024 * 1024).to_string())
            .set("queue.buffering.max.kbytes", QUEUE_KIB.to_string())
            .set("queue.buffering.max.messages", "200000")
            // as Kafka's own clients do it, so that any of them finds a source where we do
            .set("partitioner", "murmur2_random");
        let context = Deliveries {
            context: Context::default(),
            leftovers,
            metrics: options.metrics.clone(),
            retries: AtomicU64::new(0),
        };
        ThreadedProducer::from_config_and_context(&config, context).map(Self)
    }

    /// Hands a record over; what cannot be goes to the leftovers.
    pub(super) fn send(
        &self,
        topic: &str,
        key: &[u8],
        payload: &[u8],
        headers: Option<OwnedHeaders>,
        sent: Box<Sent>,
    ) {
        let mut record = BaseRecord::with_opaque_to(topic, sent)
            .key(key)
            .payload(payload);
        record.headers = headers;
        if let Err((error, record)) = self.0.send(record) {
            self.leftovers().add(Undelivered {
                topic: record.topic.to_owned(),
                key: record.key.unwrap_or_default().to_vec(),
                payload: record.payload.unwrap_or_default().to_vec(),
                headers: record.headers,
                sent: record.delivery_opaque,
                code: code(&error),
            });
        }
    }

    fn leftovers(&self) -> &Leftovers {
        &self.0.client().context().leftovers
    }

    pub(super) fn waiting(&self) -> bool {
        self.0.in_flight_count() > 0
    }

    pub(super) fn is_fatal(&self) -> bool {
        self.0.client().fatal_error().is_some()
    }

    pub(super) fn fatal_cause(&self) -> Option<String> {
        self.0.client().fatal_error().map(|(_, cause)| cause)
    }

    /// Gives up what it has not delivered: it goes to the leftovers.
    pub(super) fn purge(&self) {
        self.0.purge(PurgeConfig::default().queue().inflight());
    }
}
