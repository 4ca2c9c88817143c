use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::AgentName;

/// What a user may do; each role may do all of the roles before it.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Serialize,
    Deserialize,
    ts_rs::TS,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything but users, tokens and audit.
    Viewer,
    /// Also pushes events, replays, and manages sources.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// The name on the wire and on disk.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "operator" => Ok(Self::Operator),
            "admin" => Ok(Self::Admin),
            other => Err(format!(
                "`{}` is no role: viewer, operator or admin",
                crate::name::excerpt(other)
            )),
        }
    }
}

/// Whether the first admin has yet to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct SetupState {
    /// True until the first user exists.
    pub needed: bool,
}

/// Makes the first admin, once.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupRequest {
    /// The token of the one-time link that `homelog up` prints.
    pub token: String,
    /// Name of the admin.
    pub username: String,
    /// Password of the admin.
    pub password: String,
}

/// Name and password.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: String,
}

/// A fresh access token; the refresh token comes as a cookie.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct LoginResponse {
    /// JWT for the `Authorization: Bearer` header.
    pub access_token: String,
    /// Seconds until it expires.
    #[ts(type = "number")]
    pub expires_in: u64,
    /// What its user may do.
    pub role: Role,
    /// Who it is.
    pub username: String,
}

/// A ticket that opens one WebSocket or one event stream.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Ticket {
    /// The `ticket` parameter.
    pub ticket: String,
    /// Seconds until it expires.
    #[ts(type = "number")]
    pub expires_in: u64,
}

/// A user without secrets.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct UserInfo {
    /// Name.
    pub username: String,
    /// What the user may do.
    pub role: Role,
    /// Whether the user may log in.
    pub enabled: bool,
    /// When the user was made, RFC 3339.
    pub created: String,
    /// When the user last logged in, RFC 3339.
    pub last_login: Option<String>,
}

/// All users.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct UserList {
    /// By name.
    pub users: Vec<UserInfo>,
}

/// A new user.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// Name.
    pub username: String,
    /// Password.
    pub password: String,
    /// What the user may do.
    pub role: Role,
}

/// What changes of a user; what is absent stays.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    /// A new password; ends the user's other sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub password: Option<String>,
    /// The password until now; needed to change one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub current_password: Option<String>,
    /// A new role; ends the user's sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub role: Option<Role>,
    /// Whether the user may log in; `false` ends the user's sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub enabled: Option<bool>,
}

/// An API token without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TokenInfo {
    /// Names the token in lists and in the log.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whose token it is.
    pub username: String,
    /// What it may do: at most what its user may.
    pub role: Role,
    /// The agent whose events it ships: then it does nothing else.
    pub agent: Option<String>,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it ends, RFC 3339; `null` for never.
    pub expires: Option<String>,
    /// When it was last used, RFC 3339, to the minute or so.
    pub last_used: Option<String>,
}

/// The tokens that the asker may see.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TokenList {
    /// Newest first.
    pub tokens: Vec<TokenInfo>,
}

/// A new API token.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// How long it lives: `90d`; without it for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub expires_in: Option<String>,
    /// The agent that it is for: it then ships that agent's events and does nothing else, whatever its role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    #[schema(value_type = Option<String>)]
    pub agent: Option<AgentName>,
}

/// A new API token with its secret, shown once.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct CreatedToken {
    /// The secret for the `Authorization: Bearer` header; it is not stored and not shown again.
    pub token: String,
    /// Of an agent: the command that enrols it, with the token in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub enrol: Option<String>,
    /// What it is.
    pub info: TokenInfo,
}

/// What a user set for the dashboard; free keys, at most 64 of 4 KiB.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Preferences {
    /// Value by key.
    pub preferences: BTreeMap<String, String>,
}
