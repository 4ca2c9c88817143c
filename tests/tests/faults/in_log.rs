//! What comes out of the log's reader, against what was sent.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use event_log::{EventLog, Filter, ReadQuery, kafka};
use homelog_tests::probe;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use schemas::{Event, FieldValue};
use supervision::Supervisor;

use crate::lab::{Lab, Sent};

const TOPIC: &str = "homelog.events";
const PATIENCE: Duration = Duration::from_secs(30);
const LIMIT: usize = 5_000;

/// What the log holds.
pub(crate) struct Logged {
    /// Events that its reader gives.
    pub(crate) events: u64,
    /// Records that stand in the topic.
    pub(crate) records: u64,
}

impl Logged {
    pub(crate) const fn duplicates(&self) -> u64 {
        self.records.saturating_sub(self.events)
    }
}

/// Every event that was sent comes once, as it was sent, in the order of its source, and no other.
pub(crate) fn compare(lab: &Lab, sent: &Sent) -> Result<Logged> {
    let runtime = tokio::runtime::Runtime::new()?;
    let events = runtime.block_on(read_all(lab, sent))?;
    Ok(Logged {
        events,
        records: records(lab)?,
    })
}

async fn read_all(lab: &Lab, sent: &Sent) -> Result<u64> {
    let supervisor = Supervisor::new();
    let options = kafka::Options {
        brokers: lab.kafka.brokers(),
        partitions: lab.setting.partitions,
        replication: lab.setting.brokers,
        ..kafka::Options::default()
    };
    let log = kafka::Kafka::open(options, &supervisor).await?;
    let query = ReadQuery {
        filter: Filter::default(),
        limit: LIMIT,
    };
    let mut next: BTreeMap<&str, u64> = sent
        .sources
        .iter()
        .map(|(source, _)| (source.as_str(), 1))
        .collect();
    let mut epochs: BTreeMap<String, String> = BTreeMap::new();
    let mut position = log.bounds().await?.oldest;
    let mut events = 0;
    loop {
        let batch = log.read(&position, &query).await?;
        for record in &batch.records {
            let event = record
                .event()
                .with_context(|| format!("cannot be read: {record:?}"))?;
            let source = event.source.as_str();
            let wanted = next
                .get_mut(source)
                .with_context(|| format!("`{source}` was never sent: {event:?}"))?;
            ensure!(
                event.seq == *wanted,
                "seq {} of `{source}` comes where {wanted} should, at {}/{}",
                event.seq,
                record.partition,
                record.offset
            );
            *wanted += 1;
            let epoch = epochs
                .entry(source.to_owned())
                .or_insert_with(|| event.epoch.to_string());
            ensure!(
                *epoch == event.epoch.to_string(),
                "another epoch: {event:?}"
            );
            is_as_sent(lab, event)?;
            events += 1;
        }
        position = batch.next;
        if batch.at_end {
            break;
        }
    }
    for (source, last) in &sent.sources {
        let came = next.get(source.as_str()).map_or(0, |wanted| wanted - 1);
        ensure!(
            came == *last,
            "{came} events of `{source}` are in the log, its spool acknowledged {last}"
        );
    }
    drop(log);
    supervisor.drain(PATIENCE).await;
    Ok(events)
}

fn is_as_sent(lab: &Lab, event: &Event) -> Result<()> {
    let (source, seq) = (event.source.as_str(), event.seq);
    let value = event.fields.get(probe::VALUE).and_then(FieldValue::as_f64);
    let same = event.time.as_millis() == lab.time(seq)
        && event.entity.entity_type.as_str() == probe::TYPE
        && event.entity.id.as_str() == probe::id(seq)
        && event.fields.len() == 2
        && value.is_some_and(|value| value.to_bits() == probe::value(source, seq).to_bits())
        && event
            .fields
            .get(probe::COUNT)
            .is_some_and(|count| count.same_as(&FieldValue::from(probe::count(source, seq))));
    ensure!(same, "not as it was sent: {event:?}");
    Ok(())
}

/// Records in the topic, counted by another client than ours.
fn records(lab: &Lab) -> Result<u64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", lab.kafka.brokers())
        .create()?;
    let mut records = 0;
    for partition in 0..i32::try_from(lab.setting.partitions)? {
        let (low, high) = consumer.fetch_watermarks(TOPIC, partition, PATIENCE)?;
        ensure!(low == 0, "partition {partition} has lost its beginning");
        records += high.cast_unsigned();
    }
    Ok(records)
}
