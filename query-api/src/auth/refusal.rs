use axum::http::{HeaderValue, StatusCode, header};
use control::{
    SetupError, StoreError, UserError,
    password::{HashError, WeakPassword},
};
use tracing::error;

use crate::ApiError;

/// 401 for who has no credential that is good.
pub(super) fn unauthorized(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).with_header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"homelog\""),
    )
}

/// 401 that does not tell which of the two was wrong.
pub(super) fn bad_credentials() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "bad_credentials",
        "the user name or the password is wrong",
    )
}

/// 429 after too many failures.
pub(super) fn throttled(seconds: u64) -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_attempts",
        format!("too many failed attempts: try again in {seconds} s"),
    )
    .with_retry_after(seconds)
}

impl From<StoreError> for ApiError {
    fn from(cause: StoreError) -> Self {
        error!("the control store failed: {cause}");
        Self::unavailable(
            "control_store_failed",
            "users and sessions cannot be read or written right now; the server's log says why",
            5,
        )
    }
}

impl From<UserError> for ApiError {
    fn from(cause: UserError) -> Self {
        let (status, code) = match cause {
            UserError::Store(store) => return store.into(),
            UserError::Exists(_) => (StatusCode::CONFLICT, "user_exists"),
            UserError::Unknown(_) => (StatusCode::NOT_FOUND, "not_found"),
            UserError::Disabled(_) => (StatusCode::CONFLICT, "user_disabled"),
            UserError::Changed(_) => (StatusCode::CONFLICT, "user_changed"),
            UserError::LastAdmin(_) => (StatusCode::CONFLICT, "last_admin"),
            UserError::RoleTooHigh { .. } => (StatusCode::FORBIDDEN, "forbidden"),
            UserError::TooMany { .. } => (StatusCode::CONFLICT, "too_many"),
            UserError::Length { .. } => (StatusCode::BAD_REQUEST, "bad_length"),
            UserError::ZeroCharacter { .. } => (StatusCode::BAD_REQUEST, "bad_character"),
        };
        Self::new(status, code, cause.to_string())
    }
}

impl From<SetupError> for ApiError {
    fn from(cause: SetupError) -> Self {
        match cause {
            SetupError::Store(store) => store.into(),
            SetupError::Done => Self::new(StatusCode::CONFLICT, "setup_done", cause.to_string()),
            SetupError::WrongToken => {
                Self::new(StatusCode::FORBIDDEN, "bad_setup_token", cause.to_string())
            }
        }
    }
}

impl From<WeakPassword> for ApiError {
    fn from(cause: WeakPassword) -> Self {
        Self::bad_request("weak_password", cause.to_string())
    }
}

impl From<HashError> for ApiError {
    fn from(cause: HashError) -> Self {
        Self::internal(&cause)
    }
}
