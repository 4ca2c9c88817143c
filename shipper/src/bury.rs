//! What the destination refuses for good: kept with its words, and declared, so that the hole it leaves is known.

use event_log::{AppendError, DeadLetter, EventLog, Refusal};
use schemas::{Dropped, Timestamp, codec, name::AgentName};

use crate::{declare::declare, queue::Item, ranges::Ranges};

/// Makes refused events dead letters of the spool. Doing it again changes nothing but for another declaration.
pub(crate) async fn bury(
    spool: &dyn EventLog,
    agent: &AgentName,
    destination: &str,
    refused: &[(Item, Refusal)],
) -> Result<(), AppendError> {
    let now = Timestamp::now();
    let mut ranges = Ranges::default();
    let mut letters = Vec::with_capacity(refused.len());
    for (item, refusal) in refused {
        let mut bytes = Vec::new();
        // what was read from the spool can be written as it was
        codec::encode(&item.event, &mut bytes).unwrap_or_default();
        letters.push(DeadLetter {
            partition: 0,
            offset: item.offset,
            field: None,
            time: now,
            reason: refusal.code.clone(),
            message: format!("{destination} refused it: {}", refusal.message),
            bytes,
        });
        // a refused declaration declares nothing: it would be refused without end
        if Dropped::of(&item.event).is_none() {
            ranges.add(&item.event);
        }
    }
    // a crash in between repeats both, the other way round it would lose the declaration
    declare(spool, agent, ranges, "refused").await?;
    spool.put_dead_letters(letters).await
}
