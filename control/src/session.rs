use std::{fmt, sync::Arc};

use schemas::{Timestamp, api::Role};

use crate::{SecretHash, user::Username};

/// Names one session; not a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// From its text; a text that names no session finds none.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A session that lives, with what its user is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: Username,
    /// What the user may do now.
    pub role: Role,
    /// The user's epoch now.
    pub epoch: i64,
    /// When it ends in any case.
    pub expires: Timestamp,
}

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: Username,
    /// The user's epoch when the password was checked.
    pub epoch: i64,
    /// Hash of its first refresh token.
    pub refresh: SecretHash,
    /// When it ends if it is not refreshed.
    pub idle_until: Timestamp,
    /// When it ends in any case.
    pub expires: Timestamp,
}

/// How refresh tokens are exchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RotationRule {
    /// How long a session lives without a refresh, in milliseconds.
    pub idle_ms: i64,
    /// How long the repeated use of a token is taken for a race of two tabs or a lost answer, in milliseconds.
    pub grace_ms: i64,
}

/// What became of a refresh token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rotation {
    /// Its successor is the session's refresh token now.
    Rotated(Session),
    /// It was exchanged just before; the session goes on.
    Repeated {
        /// The session.
        session: Session,
        /// Whether the successor that was given is still the session's refresh token.
        next_is_current: bool,
    },
    /// It was exchanged long ago: somebody else has it. The session is ended.
    Reused(Username),
    /// There is no such token, or its session is over.
    Unknown,
}
