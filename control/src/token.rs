use std::{fmt, sync::Arc};

use schemas::{Timestamp, api::Role, name::AgentName};
use secrecy::{ExposeSecret, SecretString};

use crate::{SecretHash, random_id, random_secret, user::Username};

/// Names one API token in lists and in the log; not a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenId(Arc<str>);

impl TokenId {
    /// From its text; a text that names no token finds none.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// An API token as its user holds it: `hlt_<id>_<secret>`.
#[derive(Clone)]
pub struct TokenSecret {
    /// Names it.
    pub id: TokenId,
    secret: SecretString,
}

impl TokenSecret {
    const PREFIX: &str = "hlt_";

    /// A new random token.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        Ok(Self {
            id: TokenId::new(&random_id()?),
            secret: random_secret()?,
        })
    }

    /// Whether a text means to be an API token.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(Self::PREFIX)
    }

    /// Reads `hlt_<id>_<secret>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(Self::PREFIX)?.split_once('_')?;
        (id.len() == 16 && secret.len() == 43).then(|| Self {
            id: TokenId::new(id),
            secret: SecretString::from(secret),
        })
    }

    /// The text that is shown once.
    pub fn reveal(&self) -> String {
        format!(
            "{}{}_{}",
            Self::PREFIX,
            self.id.as_str(),
            self.secret.expose_secret()
        )
    }

    /// What is stored of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of_secret(&self.secret)
    }
}

/// An API token without its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user: Username,
    /// What it may do: the lesser of its own role and its user's. Means nothing where there is an agent.
    pub role: Role,
    /// The agent that it is for: then it ships that agent's events and does nothing else.
    pub agent: Option<AgentName>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute or so.
    pub last_used: Option<Timestamp>,
}

/// An API token to be made.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// Its id.
    pub id: TokenId,
    /// Hash of its secret.
    pub hash: SecretHash,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user: Username,
    /// What it may do.
    pub role: Role,
    /// The agent that it is for.
    pub agent: Option<AgentName>,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_shown() {
        let token = TokenSecret::random().unwrap();
        let read = TokenSecret::parse(&token.reveal()).unwrap();
        assert_eq!(
            (read.id.clone(), read.hash()),
            (token.id.clone(), token.hash())
        );
        for bad in ["", "hlt_", "hlt_a_b", "hlt__", &token.reveal()[1..]] {
            assert!(TokenSecret::parse(bad).is_none(), "{bad} must be refused");
        }
    }
}
