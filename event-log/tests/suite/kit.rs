//! What several tests use.

use std::path::Path;

use event_log::{
    Body, Embedded, EventLog, Filter, Outcome, ReadQuery, Receipt, Record, Urgency,
    embedded::Options,
};
use schemas::{
    Draft, Entity, EventType, FieldValue, Fields, SourceName, Timestamp,
    name::{EntityId, EntityType, SourceKind},
};

pub(crate) fn open(directory: &Path) -> Embedded {
    Embedded::open(directory, Options::default()).unwrap()
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

pub(crate) fn drafts(source: &str, values: std::ops::Range<i64>) -> Vec<Draft> {
    values.map(|value| draft(source, value)).collect()
}

/// Appends events with the values of a range; all must be new.
pub(crate) async fn append(log: &Embedded, values: std::ops::Range<i64>) {
    let appended = log
        .append(drafts("nas1", values), Urgency::Soon)
        .await
        .unwrap();
    assert!(all_new(&appended.receipts));
}

pub(crate) fn all_new(receipts: &[Receipt]) -> bool {
    receipts.iter().all(|r| r.outcome == Outcome::Appended)
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

pub(crate) fn everything(limit: usize) -> ReadQuery {
    ReadQuery {
        filter: Filter::default(),
        limit,
    }
}

/// Reads to the end, or to the first error.
pub(crate) async fn try_read_all(log: &Embedded) -> Result<Vec<Record>, event_log::ReadError> {
    let mut next = log.bounds().await?.oldest;
    let mut records = Vec::new();
    loop {
        let batch = log.read(&next, &everything(1000)).await?;
        records.extend(batch.records);
        assert!(batch.at_end || batch.next != next, "a read goes on");
        next = batch.next;
        if batch.at_end {
            return Ok(records);
        }
    }
}

pub(crate) async fn read_all(log: &Embedded) -> Vec<Record> {
    try_read_all(log).await.unwrap()
}

pub(crate) fn sqlite(directory: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(directory.join("log.db")).unwrap()
}
