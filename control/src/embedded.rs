//! The embedded adapter: one SQLite file, `control.db`, that other processes may open at the same time.

mod audit;
mod display_names;
mod keys;
mod open;
mod owners;
mod preferences;
mod sessions;
mod setup;
mod snapshot;
mod tickets;
mod tokens;
mod users;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use schemas::{SourceName, Timestamp, name::AgentName};
use tokio::sync::Mutex;

use crate::{
    ApiToken, AuditEntry, ControlStore, DisplayName, NewApiToken, NewSession, NewTicket, NewUser,
    OpenError, PasswordHash, Principal, Rotation, RotationRule, SecretHash, Session, SessionId,
    SetupError, SigningKey, SourceOwner, StoreError, TicketUse, TokenId, User, UserChange,
    UserError, Username, error,
    migrate::{RestoreError, Snapshot},
};

/// The control store in one SQLite file.
///
/// A change is durable when its call returns. Each call sees what any process has committed before it.
#[derive(Clone)]
pub struct Embedded {
    // one thread at a time works with a connection; the async lock lets the others wait without one
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
    path: Arc<Path>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Embedded").field(&self.path).finish()
    }
}

/// An error of SQLite, or what the caller should hear.
enum Failure<E> {
    Sqlite(rusqlite::Error),
    Refused(E),
}

impl<E> From<rusqlite::Error> for Failure<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<UserError> for Failure<UserError> {
    fn from(error: UserError) -> Self {
        Self::Refused(error)
    }
}

/// What a piece of work inside a transaction returns.
type Work<T, E = UserError> = Result<T, Failure<E>>;

impl Embedded {
    /// Opens or makes `control.db`; its directory must exist.
    ///
    /// # Errors
    /// The file belongs to something else, is damaged, of a newer release, or cannot be written; the message says what to do.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let path: PathBuf = path.into();
        let shown = path.clone();
        let (writer, reader) = tokio::task::spawn_blocking(move || open::open(&path))
            .await
            .map_err(|e| OpenError::Unwritable {
                path: shown.clone(),
                cause: e.to_string(),
            })??;
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            reader: Arc::new(Mutex::new(reader)),
            path: Arc::from(shown),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.reader).lock_owned().await;
        tokio::task::spawn_blocking(move || work(&connection))
            .await
            .map_err(|e| self.failed(e.to_string()))?
            .map_err(|e| self.explain(&e))
    }

    /// Runs work in one transaction that is rolled back on any error.
    async fn write<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Work<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let mut connection = Arc::clone(&self.writer).lock_owned().await;
        let outcome = tokio::task::spawn_blocking(move || -> Work<T, E> {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
        .await
        .map_err(|e| self.failed(e.to_string()))?;
        outcome.map_err(|failure| match failure {
            Failure::Sqlite(e) => self.explain(&e).into(),
            Failure::Refused(refused) => refused,
        })
    }

    fn failed(&self, cause: String) -> StoreError {
        StoreError::Failed {
            store: self.path.display().to_string(),
            cause,
        }
    }

    fn explain(&self, error: &rusqlite::Error) -> StoreError {
        let store = self.path.display().to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { store },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Locked { store }
            }
            _ => self.failed(error.to_string()),
        }
    }
}

/// A column that holds an instant.
fn time(row: &rusqlite::Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

/// A column that may hold an instant.
fn maybe_time(row: &rusqlite::Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .map(Timestamp::from_millis))
}

/// A column whose text, if there is one, has a meaning.
fn maybe_parsed<T: std::str::FromStr>(
    row: &rusqlite::Row<'_>,
    column: &str,
) -> rusqlite::Result<Option<T>>
where
    T::Err: fmt::Display,
{
    match row.get::<_, Option<String>>(column)? {
        None => Ok(None),
        Some(_) => parsed(row, column).map(Some),
    }
}

/// A column whose text has a meaning.
fn parsed<T: std::str::FromStr>(row: &rusqlite::Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T::Err: fmt::Display,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|e: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(
            0,
            rusqlite::types::Type::Text,
            e.to_string().into(),
        )
    })
}

#[async_trait]
impl ControlStore for Embedded {
    async fn check(&self) -> Result<(), StoreError> {
        self.read(|c| c.query_row("SELECT count(*) FROM setup", [], |_| Ok(())))
            .await
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.read(users::all).await
    }

    async fn user(&self, name: &Username) -> Result<Option<User>, StoreError> {
        let name = name.clone();
        self.read(move |c| Ok(users::find(c, &name)?.map(|row| row.user)))
            .await
    }

    async fn credentials(
        &self,
        name: &Username,
    ) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let name = name.clone();
        self.read(move |c| Ok(users::find(c, &name)?.map(|row| (row.user, row.password))))
            .await
    }

    async fn create_user(&self, new: NewUser, now: Timestamp) -> Result<User, UserError> {
        self.write(move |t| users::create(t, &new, now)).await
    }

    async fn change_user(&self, name: &Username, change: UserChange) -> Result<User, UserError> {
        let name = name.clone();
        self.write(move |t| users::change(t, &name, &change)).await
    }

    async fn delete_user(&self, name: &Username) -> Result<(), UserError> {
        let name = name.clone();
        self.write(move |t| users::delete(t, &name)).await
    }

    async fn end_sessions(&self, name: &Username) -> Result<(), UserError> {
        let name = name.clone();
        self.write(move |t| users::end_sessions(t, &name)).await
    }

    async fn offer_setup(&self, token: &SecretHash) -> Result<bool, StoreError> {
        let token = *token;
        self.write(move |t| setup::offer(t, &token)).await
    }

    async fn setup_needed(&self) -> Result<bool, StoreError> {
        self.read(setup::needed).await
    }

    async fn complete_setup(
        &self,
        token: &SecretHash,
        new: NewUser,
        now: Timestamp,
    ) -> Result<User, SetupError> {
        let token = *token;
        self.write(move |t| setup::complete(t, &token, &new, now))
            .await
    }

    async fn open_session(&self, new: NewSession, now: Timestamp) -> Result<Session, UserError> {
        self.write(move |t| sessions::open(t, &new, now)).await
    }

    async fn session(&self, id: &SessionId, now: Timestamp) -> Result<Option<Session>, StoreError> {
        let id = id.clone();
        self.read(move |c| sessions::find(c, &id, now)).await
    }

    async fn rotate_session(
        &self,
        presented: &SecretHash,
        next: &SecretHash,
        rule: RotationRule,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        let (presented, next) = (*presented, *next);
        self.write(move |t| sessions::rotate(t, &presented, &next, rule, now))
            .await
    }

    async fn end_session(&self, id: &SessionId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |t| sessions::end(t, &id)).await
    }

    async fn end_session_of(&self, refresh: &SecretHash) -> Result<Option<Username>, StoreError> {
        let refresh = *refresh;
        self.write(move |t| sessions::end_of(t, &refresh)).await
    }

    async fn issue_ticket(&self, new: NewTicket, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |t| tickets::issue(t, &new, now)).await
    }

    async fn redeem_ticket(
        &self,
        ticket: &SecretHash,
        usage: TicketUse,
        now: Timestamp,
    ) -> Result<Option<Principal>, StoreError> {
        let ticket = *ticket;
        self.write(move |t| tickets::redeem(t, &ticket, usage, now))
            .await
    }

    async fn api_tokens(&self, user: Option<&Username>) -> Result<Vec<ApiToken>, StoreError> {
        let user = user.cloned();
        self.read(move |c| tokens::list(c, user.as_ref())).await
    }

    async fn create_api_token(
        &self,
        new: NewApiToken,
        now: Timestamp,
    ) -> Result<ApiToken, UserError> {
        self.write(move |t| tokens::create(t, &new, now)).await
    }

    async fn api_token(
        &self,
        id: &TokenId,
        secret: Option<&SecretHash>,
        now: Timestamp,
    ) -> Result<Option<ApiToken>, StoreError> {
        let (id, secret) = (id.clone(), secret.copied());
        self.read(move |c| tokens::find(c, &id, secret.as_ref(), now))
            .await
    }

    async fn touch_api_token(&self, id: &TokenId, now: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |t| tokens::touch(t, &id, now)).await
    }

    async fn revoke_api_token(
        &self,
        id: &TokenId,
        user: Option<&Username>,
    ) -> Result<Option<Username>, StoreError> {
        let (id, user) = (id.clone(), user.cloned());
        self.write(move |t| tokens::revoke(t, &id, user.as_ref()))
            .await
    }

    async fn source_owners(&self) -> Result<Vec<SourceOwner>, StoreError> {
        self.read(owners::all).await
    }

    async fn claim_sources(
        &self,
        agent: &AgentName,
        sources: &[SourceName],
        take_over: bool,
        now: Timestamp,
    ) -> Result<Vec<SourceOwner>, UserError> {
        let (agent, sources) = (agent.clone(), sources.to_vec());
        self.write(move |t| owners::claim(t, &agent, &sources, take_over, now))
            .await
    }

    async fn display_names(&self) -> Result<BTreeMap<SourceName, DisplayName>, StoreError> {
        self.read(display_names::all).await
    }

    async fn set_display_name(
        &self,
        source: &SourceName,
        name: Option<&DisplayName>,
    ) -> Result<(), UserError> {
        let (source, name) = (source.clone(), name.cloned());
        self.write(move |t| display_names::set(t, &source, name.as_ref()))
            .await
    }

    async fn signing_keys(&self, now: Timestamp) -> Result<Vec<SigningKey>, StoreError> {
        let keys = self.read(move |c| keys::good(c, now)).await?;
        if keys.iter().any(|key| key.retires.is_none()) {
            return Ok(keys);
        }
        self.write(move |t| keys::ensure(t, now)).await
    }

    async fn rotate_signing_key(
        &self,
        now: Timestamp,
        retire: Timestamp,
    ) -> Result<SigningKey, StoreError> {
        self.write(move |t| keys::rotate(t, now, retire)).await
    }

    async fn preferences(&self, user: &Username) -> Result<BTreeMap<String, String>, StoreError> {
        let user = user.clone();
        self.read(move |c| preferences::get(c, &user)).await
    }

    async fn set_preferences(
        &self,
        user: &Username,
        preferences: BTreeMap<String, String>,
    ) -> Result<(), UserError> {
        error::check_preferences(&preferences)?;
        let user = user.clone();
        self.write(move |t| preferences::set(t, &user, &preferences))
            .await
    }

    async fn record(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let entry = entry.bounded();
        self.write(move |t| audit::record(t, &entry)).await
    }

    async fn audit(&self, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |c| audit::newest(c, limit)).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.read(snapshot::take).await
    }

    async fn restore(&self, snapshot: &Snapshot) -> Result<bool, RestoreError> {
        let (store, snapshot) = (self.path.display().to_string(), snapshot.clone());
        self.write(move |t| snapshot::put(t, &store, &snapshot))
            .await
    }
}

#[cfg(test)]
mod tests;
