use std::path::PathBuf;

use crate::{limits, user::Username};

/// Why a control store could not be opened, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another program's database, or none at all.
    #[error(
        "`{}` is not a control store of Homelog: move it away or choose another data directory",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later release.
    #[error(
        "`{}` was written by a newer Homelog (form {found}, this one knows {known}): use that release or restore a backup",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: i64,
        /// The newest form that this program knows.
        known: i64,
    },
    /// Damaged.
    #[error(
        "control store `{}` is damaged ({detail}): restore a backup, or move it away to begin with new users",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// Cannot be created or written.
    #[error(
        "cannot write control store `{}` ({cause}): check the owner and mode of the file and its directory, and the free space",
        path.display()
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Held by another process for too long.
    #[error(
        "control store `{}` is locked by another process: stop it or try again",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
}

/// The store did not do what was asked because of itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk or the quota is full; nothing of the change is stored.
    #[error("control store `{store}` is full: free space on its disk")]
    Full {
        /// Which store.
        store: String,
    },
    /// Another process held the lock for too long; nothing of the change is stored.
    #[error("control store `{store}` is locked by another process")]
    Locked {
        /// Which store.
        store: String,
    },
    /// The server of the store cannot be reached or answers too late: trying again makes sense. When the line was cut just
    /// as a change was committed, the change may be stored.
    #[error("control store `{store}` is not available: {cause}")]
    Unavailable {
        /// Which store.
        store: String,
        /// Why.
        cause: String,
    },
    /// Anything else; nothing of the change is stored.
    #[error("control store `{store}` failed: {cause}")]
    Failed {
        /// Which store.
        store: String,
        /// What it said.
        cause: String,
    },
}

/// Why a change about a user was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UserError {
    /// The name is taken.
    #[error("there is a user `{0}` already")]
    Exists(Username),
    /// Nobody of that name.
    #[error("there is no user `{0}`")]
    Unknown(Username),
    /// The user may not log in.
    #[error("user `{0}` is disabled")]
    Disabled(Username),
    /// The user was changed between two steps.
    #[error("user `{0}` was changed meanwhile: log in again")]
    Changed(Username),
    /// Nobody would be left to administer.
    #[error("`{0}` is the last admin: make another one first")]
    LastAdmin(Username),
    /// A token may do at most what its user may.
    #[error("a token of `{user}` can at most be a token for {role}")]
    RoleTooHigh {
        /// The user.
        user: Username,
        /// What the user may do.
        role: &'static str,
    },
    /// There are enough.
    #[error("there are too many {what}: at most {limit}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: i64,
    },
    /// Longer than its bound, or empty.
    #[error("{what} must be 1 to {limit} bytes long")]
    Length {
        /// What is too long.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// A text has a character that not every store can hold.
    #[error("{what} must not have a zero character")]
    ZeroCharacter {
        /// What has it.
        what: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UserError {
    pub(crate) const fn too_many(what: &'static str, limit: i64) -> Self {
        Self::TooMany { what, limit }
    }
}

/// Why the first user was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetupError {
    /// There is a user already.
    #[error("set-up is done: log in")]
    Done,
    /// Not the token that was offered last.
    #[error("this set-up link is not valid (any more): use the one that the last start printed")]
    WrongToken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Bounds a text that comes from outside.
pub(crate) fn bounded(what: &'static str, text: &str, limit: usize) -> Result<(), UserError> {
    if text.is_empty() || text.len() > limit {
        return Err(UserError::Length { what, limit });
    }
    without_zero(what, text)
}

fn without_zero(what: &'static str, text: &str) -> Result<(), UserError> {
    if text.contains('\0') {
        return Err(UserError::ZeroCharacter { what });
    }
    Ok(())
}

/// Limits of the preferences, the same for each adapter.
pub(crate) fn check_preferences(
    preferences: &std::collections::BTreeMap<String, String>,
) -> Result<(), UserError> {
    if preferences.len() > limits::PREFERENCES {
        #[expect(clippy::cast_possible_wrap, reason = "a small constant")]
        return Err(UserError::too_many(
            "preferences",
            limits::PREFERENCES as i64,
        ));
    }
    for (key, value) in preferences {
        bounded("the key of a preference", key, limits::PREFERENCE_KEY)?;
        if value.len() > limits::PREFERENCE_VALUE {
            return Err(UserError::Length {
                what: "the value of a preference",
                limit: limits::PREFERENCE_VALUE,
            });
        }
        without_zero("the value of a preference", value)?;
    }
    Ok(())
}
