use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
};
use control::{ApiToken, Principal, Session, SessionId, TokenId, Username};
use schemas::{Timestamp, api::Role, name::AgentName};

use super::refusal;
use crate::ApiError;

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Name of the user.
    pub username: String,
    /// What the caller may do.
    pub role: Role,
    /// The session, of a person.
    pub session: Option<SessionId>,
    /// The API token, of a program.
    pub token: Option<TokenId>,
    /// What the API token is for, in words.
    pub token_name: Option<String>,
    /// The agent whose events the token ships; it may do nothing else.
    pub agent: Option<AgentName>,
    /// When the credential ends.
    pub expires: Option<Timestamp>,
    epoch: i64,
}

impl Caller {
    pub(super) fn of_session(session: Session) -> Self {
        Self {
            username: session.user.as_str().to_owned(),
            role: session.role,
            session: Some(session.id),
            token: None,
            token_name: None,
            agent: None,
            expires: Some(session.expires),
            epoch: session.epoch,
        }
    }

    pub(super) fn of_token(token: ApiToken) -> Self {
        Self {
            username: token.user.as_str().to_owned(),
            role: token.role,
            session: None,
            token: Some(token.id),
            token_name: Some(token.name),
            agent: token.agent,
            expires: token.expires,
            epoch: 0,
        }
    }

    /// Whether nothing changed that a stream was opened with; its end is checked apart.
    pub(super) fn is_same_as(&self, earlier: &Self) -> bool {
        self.username == earlier.username
            && self.role == earlier.role
            && self.agent == earlier.agent
            && self.epoch == earlier.epoch
    }

    /// Refuses who may do less.
    ///
    /// # Errors
    /// 403 that names the role that is needed; always for the token of an agent.
    pub fn require(&self, least: Role) -> Result<(), ApiError> {
        if let Some(agent) = &self.agent {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                format!("the token of agent `{agent}` ships its events and does nothing else"),
            ));
        }
        if self.role >= least {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!(
                "this needs the role {}, and `{}` is {} here",
                least.as_str(),
                self.username,
                self.role.as_str()
            ),
        ))
    }

    /// Refuses whoever is no agent.
    pub(super) fn require_agent(&self) -> Result<(), ApiError> {
        if self.agent.is_some() {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "this needs the token of an agent: make one with `homelog token create --agent NAME`",
        ))
    }

    /// The session, for what only people may do.
    pub(super) fn require_session(&self) -> Result<&SessionId, ApiError> {
        self.session.as_ref().ok_or_else(|| {
            ApiError::new(
                StatusCode::FORBIDDEN,
                "session_required",
                "an API token cannot do this: log in with a password",
            )
        })
    }

    pub(super) fn name(&self) -> Result<Username, ApiError> {
        Username::new(&self.username).map_err(|e| ApiError::internal(&e))
    }

    pub(super) fn principal(&self) -> Option<Principal> {
        match (&self.session, &self.token) {
            (Some(id), _) => Some(Principal::Session(id.clone())),
            (None, Some(id)) => Some(Principal::Token(id.clone())),
            (None, None) => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| refusal::unauthorized("log in first"))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
