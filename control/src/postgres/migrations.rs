//! The tables and how they came to be: each change is a numbered file that is never edited.

use tokio_postgres::{Client, Transaction};

use super::transaction::lock;

/// The schema of a database that holds the tables.
pub(super) const SCHEMA: &str = "homelog";

/// All changes, the first makes the tables; the number is the place in the list, from 1.
const ALL: &[&str] = &[
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
];

/// The newest form of the tables that this program knows.
#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "a short list"
)]
pub(super) const KNOWN: i32 = ALL.len() as i32;

/// Why the tables are not as they should be.
pub(super) enum NotMigrated {
    Newer(i32),
    Failed(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for NotMigrated {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error)
    }
}

/// The form of the tables; 0 when there are none.
async fn found(client: &Transaction<'_>) -> Result<i32, tokio_postgres::Error> {
    let row = client
        .query_one(
            "SELECT to_regclass('homelog.schema_version') IS NOT NULL",
            &[],
        )
        .await?;
    if !row.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    client
        .query_one(
            "SELECT coalesce(max(version), 0) FROM homelog.schema_version",
            &[],
        )
        .await?
        .try_get(0)
}

/// Brings the tables to the newest form. All of it is one transaction: a failure leaves what was there.
///
/// The connection is for this alone: it keeps a lock until it ends.
pub(super) async fn apply(client: &mut Client) -> Result<(), NotMigrated> {
    // a database that needs nothing is not locked, and its role needs no right to change tables
    let transaction = client.transaction().await?;
    let version = found(&transaction).await?;
    transaction.rollback().await?;
    if version > KNOWN {
        return Err(NotMigrated::Newer(version));
    }
    if version == KNOWN {
        return Ok(());
    }
    // others may be at it, and a change of large tables takes its time
    client
        .batch_execute("SET statement_timeout = '60s'")
        .await?;
    // taken before the transaction, which then sees all that others did; it ends with the connection
    client
        .query(
            "SELECT pg_advisory_lock($1, $2)",
            &[&lock::HOMELOG, &lock::MIGRATIONS],
        )
        .await?;
    let transaction = client.transaction().await?;
    let version = found(&transaction).await?;
    if version > KNOWN {
        return Err(NotMigrated::Newer(version));
    }
    if version == 0 {
        prepare(&transaction).await?;
    }
    for (number, sql) in (1_i32..).zip(ALL) {
        if number > version {
            transaction.batch_execute(sql).await?;
            transaction
                .execute(
                    "INSERT INTO schema_version (version, applied) VALUES ($1, now())",
                    &[&number],
                )
                .await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// Makes the schema, unless somebody with more rights did.
async fn prepare(transaction: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    let row = transaction
        .query_one("SELECT to_regnamespace('homelog') IS NULL", &[])
        .await?;
    if row.try_get(0)? {
        transaction.batch_execute("CREATE SCHEMA homelog").await?;
    }
    transaction
        .batch_execute(
            "CREATE TABLE schema_version (version integer PRIMARY KEY, applied timestamptz NOT NULL)",
        )
        .await
}
