//! Moving house: all that a control store keeps for good goes into another one.

use std::{collections::BTreeMap, fmt};

use schemas::SourceName;

use crate::{
    ApiToken, AuditEntry, ControlStore, DisplayName, PasswordHash, SecretHash, SigningKey,
    SourceOwner, StoreError, User,
};

/// All that a store keeps for good, as of one instant. Sessions, tickets and a set-up token are not: they pass.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By name.
    pub users: Vec<StoredUser>,
    /// By id.
    pub tokens: Vec<StoredToken>,
    /// By source.
    pub owners: Vec<SourceOwner>,
    /// By what name sources are shown.
    pub display_names: BTreeMap<SourceName, DisplayName>,
    /// The oldest first.
    pub keys: Vec<SigningKey>,
    /// The oldest first.
    pub audit: Vec<AuditEntry>,
}

/// A user with all that is the user's own.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredUser {
    /// The user.
    pub user: User,
    /// Hash of the password.
    pub password: PasswordHash,
    /// What the user set.
    pub preferences: BTreeMap<String, String>,
}

impl fmt::Debug for StoredUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredUser")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// An API token as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredToken {
    /// The token, with its own role: its user's may be less.
    pub token: ApiToken,
    /// Hash of its secret.
    pub hash: SecretHash,
}

impl Snapshot {
    /// Whether there is nothing in it that a person made. A signing key alone is made by the first start.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
            && self.tokens.is_empty()
            && self.owners.is_empty()
            && self.display_names.is_empty()
            && self.audit.is_empty()
    }

    /// What two snapshots first differ in; none when they are the same.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let key = |key: &SigningKey| (key.id.clone(), key.created, key.retires);
        let same_keys = self.keys.len() == other.keys.len()
            && self
                .keys
                .iter()
                .zip(&other.keys)
                .all(|(a, b)| key(a) == key(b) && a.secret() == b.secret());
        [
            (self.users == other.users, "users"),
            (self.tokens == other.tokens, "API tokens"),
            (self.owners == other.owners, "owners of sources"),
            (
                self.display_names == other.display_names,
                "names of sources",
            ),
            (same_keys, "signing keys"),
            (self.audit == other.audit, "audit entries"),
        ]
        .into_iter()
        .find_map(|(same, what)| (!same).then_some(what))
    }
}

/// Why a snapshot was not put into a store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RestoreError {
    /// Somebody uses it already.
    #[error("control store `{store}` is in use and {what} differ there: name an empty one")]
    Occupied {
        /// Which store.
        store: String,
        /// What differs.
        what: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a copy failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CopyError {
    /// The source cannot be read.
    #[error("cannot read what is to be copied: {0}")]
    Read(#[source] StoreError),
    /// The target does not take it.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// What was written is not what is read back.
    #[error(
        "the copy differs from its source in {what}: stop everything that uses either, and copy again"
    )]
    Differs {
        /// What differs.
        what: &'static str,
    },
}

/// What was copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied {
    /// Number of users, with their password hashes and roles.
    pub users: usize,
    /// Number of preferences of all users.
    pub preferences: usize,
    /// Number of API tokens.
    pub tokens: usize,
    /// Number of signing keys.
    pub keys: usize,
    /// Number of audit entries.
    pub audit: usize,
    /// Whether all of it was there already.
    pub already: bool,
}

/// Copies everything but sessions, which end: users log in again. It is written at once or not at all, so that a copy that
/// was cut is simply made again, and one that was made changes nothing. What was written is read back and compared.
///
/// # Errors
/// A store fails, or the target has other content.
pub async fn copy(from: &dyn ControlStore, to: &dyn ControlStore) -> Result<Copied, CopyError> {
    let snapshot = from.snapshot().await.map_err(CopyError::Read)?;
    let written = to.restore(&snapshot).await?;
    let there = to.snapshot().await.map_err(RestoreError::from)?;
    if let Some(what) = snapshot.difference(&there) {
        return Err(CopyError::Differs { what });
    }
    let preferences = snapshot.users.iter().map(|user| user.preferences.len());
    Ok(Copied {
        users: snapshot.users.len(),
        preferences: preferences.sum(),
        tokens: snapshot.tokens.len(),
        keys: snapshot.keys.len(),
        audit: snapshot.audit.len(),
        already: !written,
    })
}
