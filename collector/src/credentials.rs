//! How integrations show who they are to services of any kind: not at all, by a bearer token, or by a user and a password.

use http_client::Request;

use crate::{OpenError, service::Secret};

/// What goes into the header `Authorization`.
#[derive(Clone, Debug, Default)]
pub(crate) enum Credentials {
    #[default]
    None,
    Bearer(Secret),
    Basic(String, Secret),
}

impl Credentials {
    /// Of the options `token`, `username` and `password`.
    ///
    /// # Errors
    /// Both ways at once, or a name that basic authentication cannot carry.
    pub(crate) fn choose(
        token: Secret,
        username: String,
        password: Secret,
    ) -> Result<Self, OpenError> {
        match (token.is_empty(), username.is_empty() && password.is_empty()) {
            (true, true) => Ok(Self::None),
            (false, true) => Ok(Self::Bearer(token)),
            // some services take a key as the password of nobody
            (true, false) if !username.contains(':') => Ok(Self::Basic(username, password)),
            (true, false) => Err(OpenError::at(
                "username",
                "a user's name has no colon in it",
            )),
            (false, false) => Err(OpenError::at("token", "choose a token or a user, not both")),
        }
    }

    /// Whether there are none.
    pub(crate) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Adds them to a request.
    pub(crate) fn show(&self, request: Request) -> Request {
        match self {
            Self::None => request,
            Self::Bearer(token) => request.bearer(token.get()),
            Self::Basic(user, password) => request.basic(user, password.get()),
        }
    }
}
