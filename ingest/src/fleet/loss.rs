//! A loss in the log becomes an event of its own, so that charts and lists show where the gap comes from.

use event_log::{Outcome, Urgency};
use schemas::{
    Draft, Entity, Epoch, EventType, Fields, Identity, SourceName, Timestamp,
    name::{EntityId, EntityType, InvalidName, SourceKind},
};
use tracing::error;

use super::stage::{Tools, until_done};

/// The source of what Homelog says of itself.
const SOURCE: &str = "homelog";
/// Type of the entity that stands for a partition of the log.
const ENTITY: &str = "log_partition";

/// Tells a loss, then moves the store behind it: a crash in between tells it again, under the same identity.
pub(super) async fn tell(tools: &Tools, partition: usize, from: u64, to: u64) {
    let metrics = &tools.services.metrics;
    metrics.losses.inc();
    if let Some(lost) = to.checked_sub(from) {
        metrics.lost_events.inc_by(lost);
        error!(
            partition,
            from,
            to,
            "the event log has lost {lost} events of partition {partition} before they were stored: keep events longer ([retention] events), or add workers"
        );
    } else {
        error!(
            partition,
            from,
            to,
            "partition {partition} of the event log was made anew: what was in it before and not yet stored is lost"
        );
    }
    match draft(partition, from, to) {
        Err(e) => error!("a loss cannot be told: {e}"),
        Ok(draft) => {
            let appended = until_done(tools, "tell a loss to the event log", || {
                let draft = draft.clone();
                async move {
                    match tools.services.log.append(vec![draft], Urgency::Soon).await {
                        Err(e) if !e.is_transient() => Ok(Err(e)),
                        other => other.map(Ok),
                    }
                }
            })
            .await;
            match appended {
                Err(e) => error!("a loss cannot be told to the event log: {e}"),
                Ok(appended) => {
                    for receipt in appended.receipts {
                        if let Outcome::Refused(why) = receipt.outcome {
                            error!("the event log refuses to be told a loss: {why}");
                        }
                    }
                }
            }
        }
    }
    until_done(tools, "move the store behind a loss", || {
        tools.services.store.reset_partition(partition, to)
    })
    .await;
}

fn draft(partition: usize, from: u64, to: u64) -> Result<Draft, InvalidName> {
    let mut fields = Fields::new();
    fields.set("first_lost_offset_count", from);
    fields.set("next_offset_count", to);
    fields.set("log_made_anew", to < from);
    if let Some(lost) = to.checked_sub(from) {
        fields.set("lost_events_count", lost);
    }
    Ok(Draft {
        source: SourceName::new(SOURCE)?,
        kind: SourceKind::new(SOURCE)?,
        agent: None,
        event_type: EventType::Change,
        time: Timestamp::now(),
        entity: Entity::new(
            EntityType::new(ENTITY)?,
            EntityId::new(format!("partition-{partition}"))?,
        ),
        fields,
        // told twice, it is the same event
        identity: Some(Identity {
            epoch: Epoch::new(format!("loss-{partition}-{from}-{to}"))?,
            seq: 1,
        }),
    })
}
