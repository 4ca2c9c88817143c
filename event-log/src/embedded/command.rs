use std::{collections::BTreeMap, sync::Arc};

use schemas::Draft;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::purge::{Step, Target};
use crate::{AppendError, Appended, DeadLetter, LetterId, Retention, Urgency};

pub(super) type Reply<T> = oneshot::Sender<Result<T, AppendError>>;

/// What the writer is asked to do. Each holds its share of the queue until it is done.
pub(super) struct Command {
    pub(super) work: Work,
    /// Its size in KiB.
    pub(super) weight: usize,
    pub(super) share: OwnedSemaphorePermit,
}

pub(super) enum Work {
    Append {
        drafts: Vec<Draft>,
        urgency: Urgency,
        reply: Reply<Appended>,
    },
    SetConsumer {
        name: String,
        next: u64,
        reply: Reply<()>,
    },
    PutDeadLetters {
        letters: Vec<DeadLetter>,
        reply: Reply<()>,
    },
    ResolveDeadLetters {
        letters: Vec<LetterId>,
        reply: Reply<()>,
    },
    Trim {
        retention: Retention,
        reply: Reply<Trimmed>,
    },
    Purge {
        target: Arc<Target>,
        from: u64,
        reply: Reply<Step>,
    },
    Close {
        reply: Reply<()>,
    },
}

/// What one step of trimming did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trimmed {
    pub(super) events: u64,
    /// Whether another step would find nothing.
    pub(super) done: bool,
}

/// Positions of consumers by name.
pub(super) type Consumers = BTreeMap<String, u64>;

/// How much of the queue an append takes, in KiB.
pub(crate) fn weight(drafts: &[Draft]) -> usize {
    let bytes: usize = drafts
        .iter()
        .map(|draft| {
            let labels: usize = draft
                .entity
                .labels
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len() + 48)
                .sum();
            let fields: usize = draft
                .fields
                .iter()
                .map(|(name, value)| {
                    let text = match value {
                        schemas::FieldValue::Text(text) => text.len(),
                        _ => 0,
                    };
                    name.as_str().len() + text + 48
                })
                .sum();
            256 + labels + fields
        })
        .sum();
    bytes / 1024
}
