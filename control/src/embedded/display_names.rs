use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use schemas::SourceName;

use super::{Work, parsed};
use crate::{DisplayName, UserError, limits};

pub(super) fn all(connection: &Connection) -> rusqlite::Result<BTreeMap<SourceName, DisplayName>> {
    connection
        .prepare_cached("SELECT source, name FROM display_name")?
        .query_map([], |row| Ok((parsed(row, "source")?, parsed(row, "name")?)))?
        .collect()
}

pub(super) fn set(
    t: &Transaction<'_>,
    source: &SourceName,
    name: Option<&DisplayName>,
) -> Work<()> {
    let Some(name) = name else {
        t.execute(
            "DELETE FROM display_name WHERE source = ?1",
            [source.as_str()],
        )?;
        return Ok(());
    };
    t.execute(
        "INSERT OR REPLACE INTO display_name VALUES (?1, ?2)",
        params![source.as_str(), name.as_str()],
    )?;
    let named: i64 = t.query_row("SELECT count(*) FROM display_name", [], |row| row.get(0))?;
    if named > limits::DISPLAY_NAMES {
        return Err(UserError::too_many("sources with another name", limits::DISPLAY_NAMES).into());
    }
    Ok(())
}
