//! The control store: who may do what, and what they set.
//!
//! [`ControlStore`] is the port. Adapters are sibling modules; one conformance suite runs on all of them.
//!
//! Laws that every adapter keeps:
//! - a secret (password, refresh token, ticket, API token, set-up token) is stored only as a hash;
//! - a refresh token turns into its successor once: of two uses at the same instant exactly one rotates, and a use long
//!   after that ends the session;
//! - a ticket for a WebSocket opens one;
//! - a user who was removed, disabled, given another role or another password has no session left a moment later;
//! - there is always an enabled admin once there was one.
//!
//! Instants are arguments, so that a test can choose them; adapters do not read the clock.

mod audit;
mod bootstrap;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod display_name;
mod embedded;
mod error;
mod key;
pub mod limits;
pub mod migrate;
mod owner;
pub mod password;
pub mod postgres;
mod secret;
mod session;
mod ticket;
mod token;
mod user;

pub use audit::AuditEntry;
pub use bootstrap::{BootstrapError, ensure_admin};
pub use display_name::{DisplayName, InvalidDisplayName};
pub use embedded::Embedded;
pub use error::{OpenError, SetupError, StoreError, UserError};
pub use key::SigningKey;
pub use owner::SourceOwner;
pub use password::{PasswordHash, Passwords};
pub use secret::{SecretHash, random_id, random_secret};
pub use session::{NewSession, Rotation, RotationRule, Session, SessionId};
pub use ticket::{NewTicket, Principal, TicketUse};
pub use token::{ApiToken, NewApiToken, TokenId, TokenSecret};
pub use user::{InvalidUsername, NewUser, User, UserChange, Username};

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::{SourceName, Timestamp, name::AgentName};

use migrate::{RestoreError, Snapshot};

/// The port.
#[async_trait]
pub trait ControlStore: Send + Sync + 'static {
    /// Whether the store answers.
    async fn check(&self) -> Result<(), StoreError>;

    /// All users by name.
    async fn users(&self) -> Result<Vec<User>, StoreError>;

    /// One user.
    async fn user(&self, name: &Username) -> Result<Option<User>, StoreError>;

    /// One user with the hash of the password.
    async fn credentials(
        &self,
        name: &Username,
    ) -> Result<Option<(User, PasswordHash)>, StoreError>;

    /// Makes a user.
    ///
    /// # Errors
    /// The name is taken or there are too many users.
    async fn create_user(&self, new: NewUser, now: Timestamp) -> Result<User, UserError>;

    /// Changes a user and ends the user's sessions, but for [`UserChange::keep`].
    ///
    /// # Errors
    /// There is no such user, or it is the last enabled admin and would no longer be one.
    async fn change_user(&self, name: &Username, change: UserChange) -> Result<User, UserError>;

    /// Removes a user with all sessions, tokens and preferences.
    ///
    /// # Errors
    /// There is no such user, or it is the last enabled admin.
    async fn delete_user(&self, name: &Username) -> Result<(), UserError>;

    /// Ends all sessions of a user, also access tokens that are still within their time.
    ///
    /// # Errors
    /// There is no such user.
    async fn end_sessions(&self, name: &Username) -> Result<(), UserError>;

    /// Stores the one-time set-up token in the place of an earlier one; false when there is a user already.
    async fn offer_setup(&self, token: &SecretHash) -> Result<bool, StoreError>;

    /// Whether there is no user yet.
    async fn setup_needed(&self) -> Result<bool, StoreError>;

    /// Makes the first user and uses the set-up token up.
    ///
    /// # Errors
    /// The token is not the one that was offered last, or there is a user already.
    async fn complete_setup(
        &self,
        token: &SecretHash,
        new: NewUser,
        now: Timestamp,
    ) -> Result<User, SetupError>;

    /// Opens a session and notes the login.
    ///
    /// # Errors
    /// There is no such user, it is disabled, or it changed since [`NewSession::epoch`] was read.
    async fn open_session(&self, new: NewSession, now: Timestamp) -> Result<Session, UserError>;

    /// A session that lives, with the role that its user has now.
    async fn session(&self, id: &SessionId, now: Timestamp) -> Result<Option<Session>, StoreError>;

    /// Exchanges a refresh token for its successor.
    async fn rotate_session(
        &self,
        presented: &SecretHash,
        next: &SecretHash,
        rule: RotationRule,
        now: Timestamp,
    ) -> Result<Rotation, StoreError>;

    /// Ends a session; false when there was none.
    async fn end_session(&self, id: &SessionId) -> Result<bool, StoreError>;

    /// Ends the session that a refresh token is or was of, and says whose it was.
    async fn end_session_of(&self, refresh: &SecretHash) -> Result<Option<Username>, StoreError>;

    /// Stores a ticket; the oldest go when its owner has too many.
    async fn issue_ticket(&self, new: NewTicket, now: Timestamp) -> Result<(), StoreError>;

    /// Uses a ticket: [`TicketUse::Once`] uses it up, [`TicketUse::Stream`] binds it to one stream for good.
    async fn redeem_ticket(
        &self,
        ticket: &SecretHash,
        usage: TicketUse,
        now: Timestamp,
    ) -> Result<Option<Principal>, StoreError>;

    /// API tokens of a user, or of all users, newest first.
    async fn api_tokens(&self, user: Option<&Username>) -> Result<Vec<ApiToken>, StoreError>;

    /// Makes an API token.
    ///
    /// # Errors
    /// There is no such user, the user may not do what the token should, or has too many tokens.
    async fn create_api_token(
        &self,
        new: NewApiToken,
        now: Timestamp,
    ) -> Result<ApiToken, UserError>;

    /// A token that is good now, with what it may do now; with `secret`, only when that is its secret.
    async fn api_token(
        &self,
        id: &TokenId,
        secret: Option<&SecretHash>,
        now: Timestamp,
    ) -> Result<Option<ApiToken>, StoreError>;

    /// Notes that a token was used.
    async fn touch_api_token(&self, id: &TokenId, now: Timestamp) -> Result<(), StoreError>;

    /// Revokes a token, if it is of `user` where that is given, and says whose it was.
    async fn revoke_api_token(
        &self,
        id: &TokenId,
        user: Option<&Username>,
    ) -> Result<Option<Username>, StoreError>;

    /// Which agent has which source, by source.
    async fn source_owners(&self) -> Result<Vec<SourceOwner>, StoreError>;

    /// Makes an agent the owner of sources that nobody has, and with `take_over` of all of them. Returns those that other
    /// agents have and keep.
    ///
    /// # Errors
    /// More sources would be owned than [`limits::OWNED_SOURCES`].
    async fn claim_sources(
        &self,
        agent: &AgentName,
        sources: &[SourceName],
        take_over: bool,
        now: Timestamp,
    ) -> Result<Vec<SourceOwner>, UserError>;

    /// The sources that are shown by another name than their own, with that name.
    async fn display_names(&self) -> Result<BTreeMap<SourceName, DisplayName>, StoreError>;

    /// Shows a source by a name, or by its own again.
    ///
    /// # Errors
    /// More sources would have one than [`limits::DISPLAY_NAMES`].
    async fn set_display_name(
        &self,
        source: &SourceName,
        name: Option<&DisplayName>,
    ) -> Result<(), UserError>;

    /// Keys that sign and verify access tokens, the one that signs first. The first call makes one.
    async fn signing_keys(&self, now: Timestamp) -> Result<Vec<SigningKey>, StoreError>;

    /// Makes a new signing key; the older ones verify until `retire`.
    async fn rotate_signing_key(
        &self,
        now: Timestamp,
        retire: Timestamp,
    ) -> Result<SigningKey, StoreError>;

    /// What a user set.
    async fn preferences(&self, user: &Username) -> Result<BTreeMap<String, String>, StoreError>;

    /// Replaces what a user set.
    ///
    /// # Errors
    /// There is no such user, or it is more than [`limits`] allow.
    async fn set_preferences(
        &self,
        user: &Username,
        preferences: BTreeMap<String, String>,
    ) -> Result<(), UserError>;

    /// Adds to the audit trail; the oldest entries go when there are too many.
    async fn record(&self, entry: AuditEntry) -> Result<(), StoreError>;

    /// The newest audit entries, newest first.
    async fn audit(&self, limit: usize) -> Result<Vec<AuditEntry>, StoreError>;

    /// All that is kept for good, as of one instant: for [`migrate::copy`].
    async fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Puts a snapshot into an empty store, all of it or nothing; false when exactly that is there already.
    ///
    /// # Errors
    /// The store has other content.
    async fn restore(&self, snapshot: &Snapshot) -> Result<bool, RestoreError>;
}
