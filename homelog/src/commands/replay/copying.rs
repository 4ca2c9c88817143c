//! Puts events of one log into another, with the identity that they have.

use std::time::Duration;

use event_log::{EventLog, Outcome, Urgency};
use schemas::Draft;

/// Appends and counts what was taken (a repeated event counts, since it is there) and refused.
pub(in crate::commands) async fn append(
    into: &dyn EventLog,
    drafts: Vec<Draft>,
) -> anyhow::Result<(u64, u64)> {
    let mut wait = Duration::from_millis(100);
    let appended = loop {
        match into.append(drafts.clone(), Urgency::Soon).await {
            Ok(appended) => break appended,
            Err(e) if e.is_transient() && wait.as_secs() < 30 => {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            Err(e) => return Err(e.into()),
        }
    };
    let mut counts = (0, 0);
    for receipt in appended.receipts {
        match receipt.outcome {
            Outcome::Appended | Outcome::Duplicate => counts.0 += 1,
            Outcome::Refused(why) => {
                counts.1 += 1;
                tracing::warn!(why, "the target refuses an event: {why}");
            }
        }
    }
    Ok(counts)
}
