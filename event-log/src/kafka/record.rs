//! From Kafka's messages to records.

use rdkafka::{Message, message::BorrowedMessage};
use schemas::{Timestamp, codec::Decoder};

use super::cluster::{index, unsigned};
use crate::{Body, Record};

/// When the log took a message.
pub(super) fn logged(message: &BorrowedMessage<'_>) -> Timestamp {
    Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0))
}

/// What a message holds.
pub(super) fn body(decoder: &mut Decoder, bytes: &[u8]) -> Body {
    Body::of(decoder.decode(bytes), bytes)
}

pub(super) fn record(decoder: &mut Decoder, message: &BorrowedMessage<'_>) -> Record {
    Record {
        partition: index(message.partition()),
        offset: unsigned(message.offset()),
        logged: logged(message),
        body: body(decoder, message.payload().unwrap_or_default()),
    }
}
