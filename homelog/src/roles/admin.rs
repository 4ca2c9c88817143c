//! The first admin: from a password of the environment, or through a one-time link.

use control::{BootstrapError, ControlStore, Passwords, ensure_admin};
use query_api::Auth;
use schemas::Timestamp;
use secrecy::SecretString;
use tracing::info;

use crate::{
    config::read_secret,
    env::{ADMIN_PASSWORD, ADMIN_PASSWORD_FILE, Env},
    outcome::Failure,
};

/// How the first admin is made.
pub(super) enum FirstAdmin {
    /// With this password; and the name of the variable that it came from.
    Password(SecretString, &'static str),
    /// By whoever opens the link.
    Link,
}

impl FirstAdmin {
    /// What the environment says.
    pub(super) fn from_env(env: &Env) -> Result<Self, Failure> {
        let text = |name: &str| {
            env.text(name)
                .map_err(|e| Failure::usage(format!("homelog: {e}")))
        };
        match (text(ADMIN_PASSWORD)?, env.os(ADMIN_PASSWORD_FILE)) {
            (Some(_), Some(_)) => Err(Failure::usage(format!(
                "homelog: {ADMIN_PASSWORD} and {ADMIN_PASSWORD_FILE} are both set: keep one of them"
            ))),
            (Some(password), None) => {
                Ok(Self::Password(SecretString::from(password), ADMIN_PASSWORD))
            }
            (None, Some(path)) => read_secret(path.as_ref())
                .map(|password| Self::Password(SecretString::from(password), ADMIN_PASSWORD_FILE))
                .map_err(|e| Failure::usage(format!("homelog: {ADMIN_PASSWORD_FILE}: {e}"))),
            (None, None) => Ok(Self::Link),
        }
    }

    /// Makes the first admin, or offers the link and returns its token. Does nothing when there is a user already.
    pub(super) async fn make(
        self,
        control: &dyn ControlStore,
        auth: &Auth,
    ) -> Result<Option<SecretString>, Failure> {
        match self {
            Self::Password(password, variable) => {
                match ensure_admin(control, &Passwords::new(), password, Timestamp::now()).await {
                    Ok(made) => {
                        if made {
                            info!("made the user `admin` with the password of {variable}");
                        }
                        Ok(None)
                    }
                    Err(e @ BootstrapError::Weak(_)) => {
                        Err(Failure::usage(format!("homelog: {variable}: {e}")))
                    }
                    Err(e) => Err(e.into()),
                }
            }
            Self::Link => Ok(auth.offer_setup().await?),
        }
    }
}
