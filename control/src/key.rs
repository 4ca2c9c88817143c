use std::fmt;

use schemas::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};

use crate::{StoreError, random_id};

/// A key that signs access tokens: 512 random bits.
#[derive(Clone)]
pub struct SigningKey {
    /// Names it in the head of a token.
    pub id: String,
    secret: SecretSlice<u8>,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it verifies; none for the one that signs.
    pub retires: Option<Timestamp>,
}

impl SigningKey {
    /// Length of a key, in bytes.
    pub const BYTES: usize = 64;

    /// From what is stored; a key that is too short is refused.
    pub fn new(
        id: String,
        secret: Vec<u8>,
        created: Timestamp,
        retires: Option<Timestamp>,
    ) -> Option<Self> {
        (secret.len() >= Self::BYTES).then(|| Self {
            id,
            secret: SecretSlice::from(secret),
            created,
            retires,
        })
    }

    /// A new random key, which signs from `created` on.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub(crate) fn random(created: Timestamp) -> Result<Self, StoreError> {
        let no_randomness = |e: getrandom::Error| StoreError::Failed {
            store: "signing keys".to_owned(),
            cause: e.to_string(),
        };
        let mut secret = vec![0; Self::BYTES];
        getrandom::fill(&mut secret).map_err(no_randomness)?;
        Ok(Self {
            id: random_id().map_err(no_randomness)?,
            secret: SecretSlice::from(secret),
            created,
            retires: None,
        })
    }

    /// The key itself.
    pub fn secret(&self) -> &[u8] {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("created", &self.created)
            .field("retires", &self.retires)
            .finish_non_exhaustive()
    }
}
