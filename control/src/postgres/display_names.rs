use std::collections::BTreeMap;

use deadpool_postgres::{GenericClient, Transaction};
use schemas::SourceName;

use super::transaction::{Work, all, hold, lock, one, parsed, run};
use crate::{DisplayName, StoreError, UserError, limits};

pub(super) async fn list(
    client: &impl GenericClient,
) -> Work<BTreeMap<SourceName, DisplayName>, StoreError> {
    all(client, "SELECT source, name FROM display_name", &[])
        .await?
        .iter()
        .map(|row| Ok((parsed(row, "source")?, parsed(row, "name")?)))
        .collect()
}

/// One at a time, so that the bound holds.
pub(super) async fn set(
    t: &Transaction<'_>,
    source: &SourceName,
    name: Option<&DisplayName>,
) -> Work<()> {
    hold(t, lock::OWNERS).await?;
    let Some(name) = name else {
        run(
            t,
            "DELETE FROM display_name WHERE source = $1",
            &[&source.as_str()],
        )
        .await?;
        return Ok(());
    };
    put(t, source, name).await?;
    let named: i64 = one(t, "SELECT count(*) FROM display_name", &[])
        .await?
        .try_get(0)?;
    if named > limits::DISPLAY_NAMES {
        return Err(UserError::too_many("sources with another name", limits::DISPLAY_NAMES).into());
    }
    Ok(())
}

pub(super) async fn put(
    t: &Transaction<'_>,
    source: &SourceName,
    name: &DisplayName,
) -> Result<(), tokio_postgres::Error> {
    run(
        t,
        "INSERT INTO display_name (source, name) VALUES ($1, $2)
         ON CONFLICT (source) DO UPDATE SET name = excluded.name",
        &[&source.as_str(), &name.as_str()],
    )
    .await?;
    Ok(())
}
