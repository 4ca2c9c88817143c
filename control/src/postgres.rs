//! The adapter for several instances of the API: one PostgreSQL database that all of them share.
//!
//! Each change is a transaction that locks the row that it is about before it looks at it, so that of two instances at the
//! same instant the second sees what the first did.

mod audit;
mod display_names;
mod error;
mod explain;
mod keys;
mod migrations;
mod open;
mod options;
mod owners;
mod preferences;
mod sessions;
mod setup;
mod snapshot;
mod tickets;
mod tls;
mod tokens;
mod transaction;
mod users;

pub use error::OpenError;
pub use options::Options;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use deadpool_postgres::{Client, Pool};
use schemas::{SourceName, Timestamp, name::AgentName};
use tokio_postgres::Row;

use self::{
    options::Named,
    transaction::{change, look},
};
use crate::{
    ApiToken, AuditEntry, ControlStore, DisplayName, NewApiToken, NewSession, NewTicket, NewUser,
    PasswordHash, Principal, Rotation, RotationRule, SecretHash, Session, SessionId, SetupError,
    SigningKey, SourceOwner, StoreError, TicketUse, TokenId, User, UserChange, UserError, Username,
    error as limits_of,
    migrate::{RestoreError, Snapshot},
};

/// How long a move of everything may take.
const MOVE: Duration = Duration::from_mins(5);

/// The control store in a PostgreSQL database.
///
/// A change is durable when its call returns, as far as the server's `synchronous_commit` is on. Each call sees what any
/// instance has committed before it. A connection that was lost is made again by the next call.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    named: Arc<Named>,
    /// How long one transaction may take.
    patience: Duration,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Postgres")
            .field(&self.named.store())
            .finish()
    }
}

impl Postgres {
    /// Connects, brings the tables to the newest form and checks that the role may use them.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do; [`OpenError::is_transient`] says whether to try again.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        Self::open_from(options, open::OLDEST).await
    }

    async fn open_from(mut options: Options, oldest: i32) -> Result<Self, OpenError> {
        // a time-out of nothing would be none at the server
        for timeout in [&mut options.connect_timeout, &mut options.statement_timeout] {
            *timeout = (*timeout).max(Duration::from_millis(100));
        }
        let (pool, named) = open::open(&options, oldest).await?;
        Ok(Self {
            pool,
            named: Arc::new(named),
            patience: 2 * options.statement_timeout,
        })
    }

    async fn client(&self) -> Result<Client, StoreError> {
        let client = self.pool.get().await;
        client.map_err(|e| explain::pool(&self.named, &e))
    }

    fn failed(&self, cause: String) -> StoreError {
        StoreError::Failed {
            store: self.named.store(),
            cause,
        }
    }

    fn unavailable(&self, cause: &str) -> StoreError {
        StoreError::Unavailable {
            store: self.named.store(),
            cause: cause.to_owned(),
        }
    }
}

/// A column that holds an instant.
fn time(row: &Row, column: &str) -> Result<Timestamp, tokio_postgres::Error> {
    row.try_get(column).map(Timestamp::from_millis)
}

/// A column that may hold an instant.
fn maybe_time(row: &Row, column: &str) -> Result<Option<Timestamp>, tokio_postgres::Error> {
    Ok(row
        .try_get::<_, Option<i64>>(column)?
        .map(Timestamp::from_millis))
}

#[async_trait]
impl ControlStore for Postgres {
    async fn check(&self) -> Result<(), StoreError> {
        look!(self, c => async {
            transaction::one(c, "SELECT count(*) FROM setup", &[]).await?;
            Ok(())
        })
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        look!(self, c => async {
            let rows = users::list::<StoreError>(c).await?;
            Ok(rows.into_iter().map(|row| row.user).collect())
        })
    }

    async fn user(&self, name: &Username) -> Result<Option<User>, StoreError> {
        look!(self, c => async {
            Ok(users::find::<StoreError>(c, name).await?.map(|row| row.user))
        })
    }

    async fn credentials(
        &self,
        name: &Username,
    ) -> Result<Option<(User, PasswordHash)>, StoreError> {
        look!(self, c => async {
            let row = users::find::<StoreError>(c, name).await?;
            Ok(row.map(|row| (row.user, row.password)))
        })
    }

    async fn create_user(&self, new: NewUser, now: Timestamp) -> Result<User, UserError> {
        change!(self, t => users::create(t, &new, now))
    }

    async fn change_user(&self, name: &Username, change: UserChange) -> Result<User, UserError> {
        change!(self, t => users::change(t, name, &change))
    }

    async fn delete_user(&self, name: &Username) -> Result<(), UserError> {
        change!(self, t => users::delete(t, name))
    }

    async fn end_sessions(&self, name: &Username) -> Result<(), UserError> {
        change!(self, t => users::end_sessions(t, name))
    }

    async fn offer_setup(&self, token: &SecretHash) -> Result<bool, StoreError> {
        change!(self, t => setup::offer(t, token))
    }

    async fn setup_needed(&self) -> Result<bool, StoreError> {
        look!(self, c => setup::needed(c))
    }

    async fn complete_setup(
        &self,
        token: &SecretHash,
        new: NewUser,
        now: Timestamp,
    ) -> Result<User, SetupError> {
        change!(self, t => setup::complete(t, token, &new, now))
    }

    async fn open_session(&self, new: NewSession, now: Timestamp) -> Result<Session, UserError> {
        change!(self, t => sessions::open(t, &new, now))
    }

    async fn session(&self, id: &SessionId, now: Timestamp) -> Result<Option<Session>, StoreError> {
        look!(self, c => sessions::find(c, id, now))
    }

    async fn rotate_session(
        &self,
        presented: &SecretHash,
        next: &SecretHash,
        rule: RotationRule,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        change!(self, t => sessions::rotate(t, presented, next, rule, now))
    }

    async fn end_session(&self, id: &SessionId) -> Result<bool, StoreError> {
        change!(self, t => sessions::end(t, id))
    }

    async fn end_session_of(&self, refresh: &SecretHash) -> Result<Option<Username>, StoreError> {
        change!(self, t => sessions::end_of(t, refresh))
    }

    async fn issue_ticket(&self, new: NewTicket, now: Timestamp) -> Result<(), StoreError> {
        change!(self, t => tickets::issue(t, &new, now))
    }

    async fn redeem_ticket(
        &self,
        ticket: &SecretHash,
        usage: TicketUse,
        now: Timestamp,
    ) -> Result<Option<Principal>, StoreError> {
        change!(self, t => tickets::redeem(t, ticket, usage, now))
    }

    async fn api_tokens(&self, user: Option<&Username>) -> Result<Vec<ApiToken>, StoreError> {
        look!(self, c => tokens::list(c, user))
    }

    async fn create_api_token(
        &self,
        new: NewApiToken,
        now: Timestamp,
    ) -> Result<ApiToken, UserError> {
        change!(self, t => tokens::create(t, &new, now))
    }

    async fn api_token(
        &self,
        id: &TokenId,
        secret: Option<&SecretHash>,
        now: Timestamp,
    ) -> Result<Option<ApiToken>, StoreError> {
        look!(self, c => tokens::find(c, id, secret, now))
    }

    async fn touch_api_token(&self, id: &TokenId, now: Timestamp) -> Result<(), StoreError> {
        change!(self, t => tokens::touch(t, id, now))
    }

    async fn revoke_api_token(
        &self,
        id: &TokenId,
        user: Option<&Username>,
    ) -> Result<Option<Username>, StoreError> {
        change!(self, t => tokens::revoke(t, id, user))
    }

    async fn source_owners(&self) -> Result<Vec<SourceOwner>, StoreError> {
        look!(self, c => owners::list(c))
    }

    async fn claim_sources(
        &self,
        agent: &AgentName,
        sources: &[SourceName],
        take_over: bool,
        now: Timestamp,
    ) -> Result<Vec<SourceOwner>, UserError> {
        change!(self, t => owners::claim(t, agent, sources, take_over, now))
    }

    async fn display_names(&self) -> Result<BTreeMap<SourceName, DisplayName>, StoreError> {
        look!(self, c => display_names::list(c))
    }

    async fn set_display_name(
        &self,
        source: &SourceName,
        name: Option<&DisplayName>,
    ) -> Result<(), UserError> {
        change!(self, t => display_names::set(t, source, name))
    }

    async fn signing_keys(&self, now: Timestamp) -> Result<Vec<SigningKey>, StoreError> {
        let keys: Vec<SigningKey> = look!(self, c => keys::good(c, now))?;
        if keys.iter().any(|key| key.retires.is_none()) {
            return Ok(keys);
        }
        change!(self, t => keys::ensure(t, now))
    }

    async fn rotate_signing_key(
        &self,
        now: Timestamp,
        retire: Timestamp,
    ) -> Result<SigningKey, StoreError> {
        change!(self, t => keys::rotate(t, now, retire))
    }

    async fn preferences(&self, user: &Username) -> Result<BTreeMap<String, String>, StoreError> {
        look!(self, c => preferences::get(c, user))
    }

    async fn set_preferences(
        &self,
        user: &Username,
        preferences: BTreeMap<String, String>,
    ) -> Result<(), UserError> {
        limits_of::check_preferences(&preferences)?;
        change!(self, t => preferences::set(t, user, &preferences))
    }

    async fn record(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let entry = entry.bounded();
        change!(self, t => audit::record(t, &entry))
    }

    async fn audit(&self, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        look!(self, c => audit::newest(c, limit))
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        change!(self, MOVE, t => snapshot::take(t))
    }

    async fn restore(&self, snapshot: &Snapshot) -> Result<bool, RestoreError> {
        change!(self, MOVE, t => snapshot::put(t, &self.named, snapshot))
    }
}

#[cfg(test)]
mod tests;
