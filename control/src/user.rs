use std::{fmt, sync::Arc};

use schemas::{Timestamp, api::Role, name::excerpt};

use crate::{limits, password::PasswordHash, session::SessionId};

/// Name of a user: lower case, so that `Admin` and `admin` are one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(Arc<str>);

/// A text that is no user name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be a user name: use 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or a digit"
)]
pub struct InvalidUsername(pub String);

impl Username {
    /// Checks and takes a name; capitals become small letters.
    pub fn new(text: &str) -> Result<Self, InvalidUsername> {
        let valid = !text.is_empty()
            && text.len() <= limits::USERNAME
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._@-".contains(c));
        if valid {
            Ok(Self(Arc::from(text.to_ascii_lowercase())))
        } else {
            Err(InvalidUsername(excerpt(text)))
        }
    }

    /// The name of the admin that the environment's password makes.
    pub(crate) fn admin() -> Self {
        Self(Arc::from("admin"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::str::FromStr for Username {
    type Err = InvalidUsername;
    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        Self::new(text)
    }
}

/// A user without secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Name.
    pub name: Username,
    /// What the user may do.
    pub role: Role,
    /// Whether the user may log in.
    pub enabled: bool,
    /// Grows with every change that ends sessions; an access token of an earlier epoch is no longer good.
    pub epoch: i64,
    /// When the user was made.
    pub created: Timestamp,
    /// When the user last logged in.
    pub last_login: Option<Timestamp>,
}

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Name.
    pub name: Username,
    /// Hash of the password.
    pub password: PasswordHash,
    /// What the user may do.
    pub role: Role,
}

/// What changes of a user; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Hash of a new password.
    pub password: Option<PasswordHash>,
    /// A new role.
    pub role: Option<Role>,
    /// Whether the user may log in.
    pub enabled: Option<bool>,
    /// The session that goes on: the one in which users change their own password. Its access tokens end all the same.
    pub keep: Option<SessionId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_rules() {
        for good in ["a", "admin", "first.last@home", "7of9", &"x".repeat(64)] {
            assert_eq!(Username::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Username::new("Admin").unwrap().as_str(), "admin");
        for bad in ["", ".", "-a", "ü", "a b", "a/b", "a\n", &"x".repeat(65)] {
            assert!(Username::new(bad).is_err(), "{bad} must be refused");
        }
    }
}
