//! One piece of work is one transaction, tried again when another instance was in its way.

use std::{fmt, time::Duration};

use deadpool_postgres::{Client, GenericClient, Object};
use tokio::time::error::Elapsed;
use tokio_postgres::{Row, types::ToSql};

use super::{Postgres, explain};
use crate::{SetupError, StoreError, UserError, migrate::RestoreError};

/// Locks that hold until the end of a transaction, for laws about more than one row.
pub(super) mod lock {
    /// Tells them from those of other programs in the same database: `HLct`.
    pub(crate) const HOMELOG: i32 = 0x484c_6374;
    /// The form of the tables.
    pub(crate) const MIGRATIONS: i32 = 1;
    /// Who is there: the number of users, the last admin, the set-up.
    pub(crate) const USERS: i32 = 2;
    /// Which key signs.
    pub(crate) const KEYS: i32 = 3;
    /// Which agent has which source.
    pub(crate) const OWNERS: i32 = 4;
}

/// An error of the server, or what the caller should hear.
pub(super) enum Failure<E> {
    Postgres(tokio_postgres::Error),
    Unreadable(String),
    Refused(E),
}

impl<E> From<tokio_postgres::Error> for Failure<E> {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<StoreError> for Failure<StoreError> {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<UserError> for Failure<UserError> {
    fn from(error: UserError) -> Self {
        Self::Refused(error)
    }
}

impl From<SetupError> for Failure<SetupError> {
    fn from(error: SetupError) -> Self {
        Self::Refused(error)
    }
}

impl From<RestoreError> for Failure<RestoreError> {
    fn from(error: RestoreError) -> Self {
        Self::Refused(error)
    }
}

/// What a piece of work inside a transaction returns.
pub(super) type Work<T, E = UserError> = Result<T, Failure<E>>;

/// A parameter of a statement.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

pub(super) async fn all(
    client: &impl GenericClient,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let statement = client.prepare_cached(sql).await?;
    client.query(&statement, parameters).await
}

pub(super) async fn first(
    client: &impl GenericClient,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Option<Row>, tokio_postgres::Error> {
    let statement = client.prepare_cached(sql).await?;
    client.query_opt(&statement, parameters).await
}

pub(super) async fn one(
    client: &impl GenericClient,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Row, tokio_postgres::Error> {
    let statement = client.prepare_cached(sql).await?;
    client.query_one(&statement, parameters).await
}

/// Runs a change and says how many rows it touched.
pub(super) async fn run(
    client: &impl GenericClient,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<u64, tokio_postgres::Error> {
    let statement = client.prepare_cached(sql).await?;
    client.execute(&statement, parameters).await
}

/// Waits for one of the [`lock`]s; it is held until the transaction ends.
pub(super) async fn hold(
    client: &impl GenericClient,
    which: i32,
) -> Result<(), tokio_postgres::Error> {
    all(
        client,
        "SELECT pg_advisory_xact_lock($1, $2)",
        &[&lock::HOMELOG, &which],
    )
    .await
    .map(drop)
}

/// A column whose text has a meaning where there is one.
pub(super) fn maybe_parsed<T, E>(row: &Row, column: &str) -> Work<Option<T>, E>
where
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    match row.try_get::<_, Option<String>>(column)? {
        Some(_) => parsed(row, column).map(Some),
        None => Ok(None),
    }
}

/// A column whose text has a meaning.
pub(super) fn parsed<T, E>(row: &Row, column: &str) -> Work<T, E>
where
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    row.try_get::<_, &str>(column)?
        .parse()
        .map_err(|e: T::Err| Failure::Unreadable(format!("{column}: {e}")))
}

/// How often a piece of work was tried.
#[derive(Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    const MOST: u32 = 12;

    /// Waits a little, longer each time and never the same for two instances; false when it was enough.
    async fn again(&mut self) -> bool {
        self.0 += 1;
        if self.0 >= Self::MOST {
            return false;
        }
        let mut random = [0_u8];
        // without randomness the wait is the longest
        let part = match getrandom::fill(&mut random) {
            Ok(()) => u64::from(u8::from_be_bytes(random)),
            Err(_) => 255,
        };
        let most = 4_u64 << self.0.min(6);
        tokio::time::sleep(Duration::from_millis(1 + most * part / 255)).await;
        true
    }
}

/// What is known when a piece of work ended.
pub(super) struct Outcome<T, E> {
    pub(super) client: Client,
    /// Whether the server had begun the transaction: before that, nothing can have happened.
    pub(super) begun: bool,
    pub(super) result: Result<Work<T, E>, Elapsed>,
}

impl Postgres {
    /// The answer of a piece of work, or none when it is to be tried again.
    pub(super) async fn settle<T, E: From<StoreError>>(
        &self,
        outcome: Outcome<T, E>,
        attempts: &mut Attempts,
    ) -> Option<Result<T, E>> {
        let Outcome {
            client,
            begun,
            result,
        } = outcome;
        let error = match result {
            Ok(Ok(done)) => return Some(Ok(done)),
            Ok(Err(Failure::Refused(refused))) => return Some(Err(refused)),
            Ok(Err(Failure::Unreadable(what))) => {
                return Some(Err(self
                    .failed(format!("it holds what cannot be read ({what})"))
                    .into()));
            }
            Ok(Err(Failure::Postgres(error))) => error,
            Err(Elapsed { .. }) => {
                // nobody knows what it is still at: it does not go back into the pool
                drop(Object::take(client));
                return Some(Err(self.unavailable("it does not answer in time").into()));
            }
        };
        let lost = explain::is_lost(&error);
        if lost {
            drop(Object::take(client));
        } else {
            drop(client);
        }
        if (explain::is_contention(&error) || (lost && !begun)) && attempts.again().await {
            return None;
        }
        Some(Err(explain::statement(&self.named, &error).into()))
    }
}

/// Runs work in one transaction that is rolled back on any error.
macro_rules! change {
    ($store:expr, $t:ident => $work:expr) => {
        $crate::postgres::transaction::change!($store, $store.patience, $t => $work)
    };
    ($store:expr, $patience:expr, $t:ident => $work:expr) => {{
        let mut attempts = $crate::postgres::transaction::Attempts::default();
        loop {
            let mut client = $store.client().await?;
            let mut begun = false;
            let result = tokio::time::timeout($patience, async {
                let transaction = client
                    .build_transaction()
                    .isolation_level(tokio_postgres::IsolationLevel::ReadCommitted)
                    .start()
                    .await?;
                begun = true;
                let $t = &transaction;
                let done = $work.await?;
                transaction.commit().await?;
                Ok(done)
            })
            .await;
            let outcome = $crate::postgres::transaction::Outcome { client, begun, result };
            if let Some(answer) = $store.settle(outcome, &mut attempts).await {
                break answer;
            }
        }
    }};
}

/// Runs one statement, or several that need not agree with each other; changes nothing.
macro_rules! look {
    ($store:expr, $c:ident => $work:expr) => {{
        let mut attempts = $crate::postgres::transaction::Attempts::default();
        loop {
            let client = $store.client().await?;
            let $c = &client;
            let result = tokio::time::timeout($store.patience, $work).await;
            let outcome = $crate::postgres::transaction::Outcome {
                client,
                begun: false,
                result,
            };
            if let Some(answer) = $store.settle(outcome, &mut attempts).await {
                break answer;
            }
        }
    }};
}

pub(super) use change;
pub(super) use look;
