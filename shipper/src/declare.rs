use event_log::{AppendError, EventLog, Outcome, Urgency};
use schemas::{Timestamp, name::AgentName};
use tracing::error;

use crate::ranges::Ranges;

/// Most declarations of one append.
const TOGETHER: usize = 500;

/// Appends to the spool that events will never come; they follow in their source's own sequence.
pub(crate) async fn declare(
    spool: &dyn EventLog,
    agent: &AgentName,
    ranges: Ranges,
    reason: &str,
) -> Result<(), AppendError> {
    let now = Timestamp::now();
    let drafts: Vec<_> = ranges
        .declarations(reason)
        .into_iter()
        .filter_map(|(dropped, kind)| dropped.draft(kind, Some(agent.clone()), now).ok())
        .collect();
    for drafts in drafts.chunks(TOGETHER) {
        let appended = spool.append(drafts.to_vec(), Urgency::Soon).await?;
        for receipt in appended.receipts {
            if let Outcome::Refused(why) = receipt.outcome {
                error!(why, "a declaration of dropped events was not kept: {why}");
            }
        }
    }
    Ok(())
}
