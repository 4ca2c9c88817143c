use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use schemas::{SourceName, Timestamp, name::AgentName};

use super::{Work, parsed, time};
use crate::{SourceOwner, UserError, limits};

fn owner_row(row: &Row<'_>) -> rusqlite::Result<SourceOwner> {
    Ok(SourceOwner {
        source: parsed(row, "source")?,
        agent: parsed(row, "agent")?,
        since: time(row, "since")?,
    })
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<SourceOwner>> {
    connection
        .prepare_cached("SELECT source, agent, since FROM source_owner ORDER BY source")?
        .query_map([], owner_row)?
        .collect()
}

pub(super) fn claim(
    t: &Transaction<'_>,
    agent: &AgentName,
    sources: &[SourceName],
    take_over: bool,
    now: Timestamp,
) -> Work<Vec<SourceOwner>> {
    let mut foreign = Vec::new();
    for source in sources {
        let owner = t
            .prepare_cached("SELECT source, agent, since FROM source_owner WHERE source = ?1")?
            .query_row([source.as_str()], owner_row)
            .optional()?;
        match owner {
            Some(owner) if owner.agent == *agent => {}
            Some(owner) if !take_over => foreign.push(owner),
            _ => {
                t.prepare_cached("INSERT OR REPLACE INTO source_owner VALUES (?1, ?2, ?3)")?
                    .execute(params![source.as_str(), agent.as_str(), now.as_millis()])?;
            }
        }
    }
    let owned: i64 = t.query_row("SELECT count(*) FROM source_owner", [], |row| row.get(0))?;
    if owned > limits::OWNED_SOURCES {
        return Err(
            UserError::too_many("sources that belong to an agent", limits::OWNED_SOURCES).into(),
        );
    }
    Ok(foreign)
}
