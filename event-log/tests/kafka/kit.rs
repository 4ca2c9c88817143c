//! One broker for the whole process, and topics of their own for each test.

use std::{sync::OnceLock, time::Duration};

use event_log::{
    Body, EventLog, Filter, Kafka, Outcome, ReadQuery, Record, Urgency, kafka::Options,
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    producer::{BaseProducer, BaseRecord, Producer},
};
use schemas::{
    Draft, Entity, Epoch, EventType, FieldValue, Fields, Identity, SourceName, Timestamp,
    name::{EntityId, EntityType, SourceKind},
};
use supervision::Supervisor;

/// Where the broker of this process listens.
pub(crate) fn brokers() -> String {
    static BROKER: OnceLock<test_servers::Kafka> = OnceLock::new();
    BROKER
        .get_or_init(|| test_servers::Kafka::start(&test_servers::KafkaOptions::default()).unwrap())
        .brokers()
}

pub(crate) fn options(brokers: String, partitions: usize) -> Options {
    Options {
        brokers,
        prefix: test_servers::unique("t"),
        partitions,
        epoch: Some(Epoch::new("own").unwrap()),
        session: Duration::from_secs(6),
        ..Options::default()
    }
}

pub(crate) async fn open(options: &Options) -> Kafka {
    Kafka::open(options.clone(), &Supervisor::new())
        .await
        .unwrap()
}

pub(crate) fn topic(options: &Options) -> String {
    format!("{}.events", options.prefix)
}

/// Writes records as any producer might.
pub(crate) fn produce(options: &Options, records: &[(&str, &[u8])]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &options.brokers)
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "0")
        .create()
        .unwrap();
    let topic = topic(options);
    for (key, payload) in records {
        producer
            .send(BaseRecord::to(&topic).key(*key).payload(*payload))
            .map_err(|(e, _)| e)
            .unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
}

pub(crate) fn admin(options: &Options) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", &options.brokers)
        .create()
        .unwrap()
}

/// Deletes the records of a partition before an offset.
pub(crate) async fn delete(options: &Options, partition: usize, before: u64) {
    let mut list = TopicPartitionList::new();
    let offset = Offset::Offset(i64::try_from(before).unwrap());
    list.add_partition_offset(&topic(options), i32::try_from(partition).unwrap(), offset)
        .unwrap();
    let done = admin(options)
        .delete_records(&list, &AdminOptions::new())
        .await
        .unwrap();
    for element in done.elements() {
        element.error().unwrap();
    }
}

/// Makes the topic of events before homelog does.
pub(crate) async fn make_topic(options: &Options, settings: &[(&str, &str)]) {
    let name = topic(options);
    let partitions = i32::try_from(options.partitions).unwrap();
    let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    for (setting, value) in settings {
        topic = topic.set(setting, value);
    }
    let made = admin(options)
        .create_topics([&topic], &AdminOptions::new())
        .await
        .unwrap();
    made[0].as_ref().unwrap();
}

pub(crate) async fn delete_topic(options: &Options) {
    let gone = admin(options)
        .delete_topics(&[&topic(options)], &AdminOptions::new())
        .await
        .unwrap();
    gone[0].as_ref().unwrap();
}

pub(crate) fn draft(source: &str, value: i64) -> Draft {
    let mut fields = Fields::new();
    fields.set("value", value);
    Draft {
        source: SourceName::new(source).unwrap(),
        kind: SourceKind::new("push").unwrap(),
        agent: None,
        event_type: EventType::Sample,
        time: Timestamp::from_millis(1_700_000_000_000 + value),
        entity: Entity::new(
            EntityType::new("thing").unwrap(),
            EntityId::new("one").unwrap(),
        ),
        fields,
        identity: None,
    }
}

pub(crate) fn identified(source: &str, epoch: &str, seq: u64) -> Draft {
    Draft {
        identity: Some(Identity {
            epoch: Epoch::new(epoch).unwrap(),
            seq,
        }),
        ..draft(source, i64::try_from(seq).unwrap())
    }
}

/// An event as it stands in the log.
pub(crate) fn encoded(source: &str, epoch: &str, seq: u64) -> Vec<u8> {
    let draft = identified(source, epoch, seq);
    let identity = draft.identity.clone().unwrap();
    let mut json = Vec::new();
    schemas::codec::encode(&draft.into_event(identity), &mut json).unwrap();
    json
}

pub(crate) async fn append(log: &Kafka, drafts: Vec<Draft>) -> Vec<Outcome> {
    let appended = log.append(drafts, Urgency::Soon).await.unwrap();
    appended.receipts.into_iter().map(|r| r.outcome).collect()
}

pub(crate) fn everything(limit: usize) -> ReadQuery {
    ReadQuery {
        filter: Filter::default(),
        limit,
    }
}

pub(crate) async fn read_all(log: &Kafka) -> Vec<Record> {
    let mut next = log.bounds().await.unwrap().oldest;
    let mut records = Vec::new();
    loop {
        let batch = log.read(&next, &everything(1000)).await.unwrap();
        records.extend(batch.records);
        assert!(batch.at_end || batch.next != next, "a read goes on");
        next = batch.next;
        if batch.at_end {
            return records;
        }
    }
}

pub(crate) fn value(record: &Record) -> i64 {
    match &record.body {
        Body::Event(event) => match event.fields.get("value") {
            Some(FieldValue::I64(value)) => *value,
            other => panic!("no value but {other:?}"),
        },
        Body::Unreadable { reason, .. } => panic!("unreadable: {reason}"),
    }
}

pub(crate) fn values(records: &[Record]) -> Vec<i64> {
    records.iter().map(value).collect()
}
