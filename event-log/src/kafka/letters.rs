//! Dead letters in a topic of their own: the original as the value, the rest as headers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use rdkafka::{
    Message,
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
};
use schemas::Timestamp;
use tracing::warn;

use super::{DEAD_LETTERS, Inner, cluster::unsigned, scan::scan};
use crate::{DeadLetter, LetterId, ReadError};

/// Most letters that are listed.
const MAX_LETTERS: usize = 100_000;
/// Longest message of a letter, in bytes.
const MAX_TEXT: usize = 4096;

/// Where each letter stands in its topic. Filled when somebody asks.
#[derive(Default)]
pub(super) struct Letters {
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    /// The offset of the first letter of each place.
    offsets: BTreeMap<LetterId, u64>,
    next: u64,
}

/// Marks a record that takes a letter back.
const RESOLVED: &str = "resolved";

/// A record that takes a letter back.
fn encode_resolved(letter: &LetterId) -> (Vec<u8>, Vec<u8>, OwnedHeaders) {
    let key = format!("{}/{}", letter.partition, letter.offset).into_bytes();
    let mut headers = OwnedHeaders::new();
    for (key, value) in [
        ("partition", Some(letter.partition.to_string())),
        ("offset", Some(letter.offset.to_string())),
        ("field", letter.field.clone()),
        (RESOLVED, Some("true".to_owned())),
    ] {
        if let Some(value) = &value {
            headers = headers.insert(Header {
                key,
                value: Some(value.as_bytes()),
            });
        }
    }
    (key, Vec::new(), headers)
}

fn decode_resolved(message: &BorrowedMessage<'_>) -> Option<LetterId> {
    let headers = message.headers()?;
    let text = |key: &str| {
        let found = headers.iter().find(|header| header.key == key)?;
        Some(String::from_utf8_lossy(found.value?).into_owned())
    };
    text(RESOLVED)?;
    Some(LetterId {
        partition: text("partition")?.parse().ok()?,
        offset: text("offset")?.parse().ok()?,
        field: text("field"),
    })
}

/// A letter as a record of its topic.
pub(super) fn encode(letter: DeadLetter) -> (Vec<u8>, Vec<u8>, OwnedHeaders) {
    let key = format!("{}/{}", letter.partition, letter.offset).into_bytes();
    let text = |headers: OwnedHeaders, key: &str, value: &str| {
        headers.insert(Header {
            key,
            value: Some(value.as_bytes()),
        })
    };
    let mut headers = OwnedHeaders::new();
    headers = text(headers, "partition", &letter.partition.to_string());
    headers = text(headers, "offset", &letter.offset.to_string());
    if let Some(field) = &letter.field {
        headers = text(headers, "field", field);
    }
    headers = text(headers, "time", &letter.time.as_millis().to_string());
    headers = text(headers, "reason", &letter.reason);
    headers = text(headers, "message", &letter.message);
    (key, letter.bytes, headers)
}

fn decode(message: &BorrowedMessage<'_>) -> Option<DeadLetter> {
    let headers = message.headers()?;
    let text = |key: &str| {
        let found = headers.iter().find(|header| header.key == key)?;
        let bytes = found.value?;
        let bytes = bytes.get(..bytes.len().min(MAX_TEXT))?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    Some(DeadLetter {
        partition: text("partition")?.parse().ok()?,
        offset: text("offset")?.parse().ok()?,
        field: text("field"),
        time: Timestamp::from_millis(text("time")?.parse().ok()?),
        reason: text("reason")?,
        message: text("message")?,
        bytes: message.payload().unwrap_or_default().to_vec(),
    })
}

impl Letters {
    /// Takes in what is new in the topic. Blocks.
    fn refresh(&self, inner: &Inner) -> Result<std::sync::MutexGuard<'_, Index>, ReadError> {
        let topic = inner.cluster.options.topic(DEAD_LETTERS);
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let extent = inner
            .cluster
            .extent(&topic, 0)
            .map_err(|e| super::error::read(inner.cluster.brokers(), "dead letters", &e))?;
        if extent.high < index.next {
            *index = Index::default();
        }
        index.offsets.retain(|_, offset| *offset >= extent.low);
        if extent.high > index.next {
            let from = index.next;
            let next = scan(&inner.cluster, &topic, 0, from, |message| {
                if let Some(resolved) = decode_resolved(message) {
                    index.offsets.remove(&resolved);
                } else if let Some(letter) = decode(message) {
                    let at = unsigned(message.offset());
                    index.offsets.entry(letter.id()).or_insert(at);
                }
                true
            })?;
            index.next = next;
        }
        if index.offsets.len() > MAX_LETTERS {
            warn!(
                limit = MAX_LETTERS,
                "too many dead letters, the oldest are not listed"
            );
            while index.offsets.len() > MAX_LETTERS {
                index.offsets.pop_first();
            }
        }
        Ok(index)
    }

    pub(super) fn count(&self, inner: &Inner) -> Result<u64, ReadError> {
        Ok(self.refresh(inner)?.offsets.len() as u64)
    }

    /// Letters in the order of the log. Blocks.
    pub(super) fn list(
        &self,
        inner: &Inner,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        let wanted: Vec<u64> = {
            let index = self.refresh(inner)?;
            index
                .offsets
                .values()
                .skip(skip)
                .take(limit)
                .copied()
                .collect()
        };
        let (Some(first), Some(last)) = (wanted.iter().min(), wanted.iter().max()) else {
            return Ok(Vec::new());
        };
        let mut found: BTreeMap<u64, DeadLetter> = BTreeMap::new();
        let topic = inner.cluster.options.topic(DEAD_LETTERS);
        scan(&inner.cluster, &topic, 0, *first, |message| {
            let at = unsigned(message.offset());
            if wanted.contains(&at)
                && let Some(letter) = decode(message)
            {
                found.insert(at, letter);
            }
            at < *last
        })?;
        Ok(wanted.iter().filter_map(|at| found.remove(at)).collect())
    }
}

/// Takes letters back and waits until that is durable.
pub(super) async fn resolve(
    inner: &Arc<Inner>,
    letters: &[LetterId],
) -> Result<(), crate::AppendError> {
    let topic = inner.cluster.options.topic(DEAD_LETTERS);
    let records = letters.iter().map(encode_resolved).collect();
    inner.writer.put(&topic, records).await
}

/// Writes letters and waits until they are durable.
pub(super) async fn put(
    inner: &Arc<Inner>,
    letters: Vec<DeadLetter>,
) -> Result<(), crate::AppendError> {
    let topic = inner.cluster.options.topic(DEAD_LETTERS);
    let records = letters.into_iter().map(encode).collect();
    inner.writer.put(&topic, records).await
}
