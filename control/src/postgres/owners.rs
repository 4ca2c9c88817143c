use deadpool_postgres::{GenericClient, Transaction};
use schemas::{SourceName, Timestamp, name::AgentName};
use tokio_postgres::Row;

use super::{
    time,
    transaction::{Work, all, first, hold, lock, one, parsed, run},
};
use crate::{SourceOwner, StoreError, UserError, limits};

pub(super) fn owner_row<E>(row: &Row) -> Work<SourceOwner, E> {
    Ok(SourceOwner {
        source: parsed(row, "source")?,
        agent: parsed(row, "agent")?,
        since: time(row, "since")?,
    })
}

pub(super) async fn list(client: &impl GenericClient) -> Work<Vec<SourceOwner>, StoreError> {
    all(
        client,
        "SELECT source, agent, since FROM source_owner ORDER BY source COLLATE \"C\"",
        &[],
    )
    .await?
    .iter()
    .map(owner_row)
    .collect()
}

/// Claims are few: one at a time, so that of two agents exactly one gets a source and the bound holds.
pub(super) async fn claim(
    t: &Transaction<'_>,
    agent: &AgentName,
    sources: &[SourceName],
    take_over: bool,
    now: Timestamp,
) -> Work<Vec<SourceOwner>> {
    hold(t, lock::OWNERS).await?;
    let mut foreign = Vec::new();
    for source in sources {
        let owner = first(
            t,
            "SELECT source, agent, since FROM source_owner WHERE source = $1",
            &[&source.as_str()],
        )
        .await?
        .map(|row| owner_row::<UserError>(&row))
        .transpose()?;
        match owner {
            Some(owner) if owner.agent == *agent => {}
            Some(owner) if !take_over => foreign.push(owner),
            _ => {
                run(
                    t,
                    "INSERT INTO source_owner (source, agent, since) VALUES ($1, $2, $3)
                     ON CONFLICT (source) DO UPDATE SET agent = excluded.agent, since = excluded.since",
                    &[&source.as_str(), &agent.as_str(), &now.as_millis()],
                )
                .await?;
            }
        }
    }
    let owned: i64 = one(t, "SELECT count(*) FROM source_owner", &[])
        .await?
        .try_get(0)?;
    if owned > limits::OWNED_SOURCES {
        return Err(
            UserError::too_many("sources that belong to an agent", limits::OWNED_SOURCES).into(),
        );
    }
    Ok(foreign)
}
