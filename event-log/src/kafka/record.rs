//! From Kafka's messages to records.

use rdkafka::{Message, message::BorrowedMessage};
use schemas::{Event, Timestamp, codec};

use super::cluster::{index, unsigned};
use crate::{Body, Record};

/// When the log took a message.
pub(super) fn logged(message: &BorrowedMessage<'_>) -> Timestamp {
    Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0))
}

/// What a message holds.
pub(super) fn body(bytes: &[u8]) -> Body {
    read(codec::decode(bytes), bytes)
}

/// What a message holds, where many follow each other.
pub(super) fn next_body(decoder: &mut codec::Decoder, bytes: &[u8]) -> Body {
    read(decoder.decode(bytes), bytes)
}

fn read(decoded: Result<Event, codec::DecodeError>, bytes: &[u8]) -> Body {
    match decoded {
        Ok(event) => Body::Event(event.into()),
        Err(e) => Body::Unreadable {
            bytes: bytes.into(),
            reason: e.to_string(),
        },
    }
}

pub(super) fn record(message: &BorrowedMessage<'_>) -> Record {
    Record {
        partition: index(message.partition()),
        offset: unsigned(message.offset()),
        logged: logged(message),
        body: body(message.payload().unwrap_or_default()),
    }
}
