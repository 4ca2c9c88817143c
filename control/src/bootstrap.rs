use schemas::{Timestamp, api::Role};
use secrecy::SecretString;

use crate::{
    ControlStore, NewUser, Passwords, StoreError, UserError, Username,
    password::{HashError, WeakPassword},
};

/// Why the first admin could not be made from a given password.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The password is too weak.
    #[error("password of the first admin: {0}")]
    Weak(#[from] WeakPassword),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The user could not be stored.
    #[error(transparent)]
    User(#[from] UserError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the user `admin` with a password that the environment gave, unless there is a user already; true when it did.
///
/// # Errors
/// The password is too weak or the store failed.
pub async fn ensure_admin(
    store: &dyn ControlStore,
    passwords: &Passwords,
    password: SecretString,
    now: Timestamp,
) -> Result<bool, BootstrapError> {
    if !store.setup_needed().await? {
        return Ok(false);
    }
    let name = Username::admin();
    crate::password::check(&name, &password)?;
    let new = NewUser {
        name,
        password: passwords.hash(password).await?,
        role: Role::Admin,
    };
    match store.create_user(new, now).await {
        Ok(_) => Ok(true),
        // another process was first
        Err(UserError::Exists(_)) => Ok(false),
        Err(e) => Err(e.into()),
    }
}
