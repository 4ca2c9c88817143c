//! The one shape of every error answer.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use event_log::{AppendError, ReadError};
use schemas::{
    Position,
    api::{ErrorAnswer, ErrorBody},
};
use time_series::QueryError;
use tracing::error;

tokio::task_local! {
    /// The id of the request that the current task answers.
    pub(crate) static REQUEST_ID: String;
}

/// The id of the request that the current task answers, empty outside of one.
pub(crate) fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// The message of a refusal, beside the answer, for doors that word it in another shape.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(pub(crate) String);

/// Why a request is refused: a status, a stable code for programs and a message for people.
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    bounds: Option<(String, String)>,
}

impl ApiError {
    /// An error answer.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            message: message.into(),
            headers: Vec::new(),
            bounds: None,
        }))
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 503 with `Retry-After`: the same request may succeed later.
    pub fn unavailable(code: &'static str, message: impl Into<String>, retry_after: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).with_retry_after(retry_after)
    }

    /// 500 that tells the client nothing but the request's id; the cause goes to the log.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        let request_id = request_id();
        error!(request.id = %request_id, "request failed: {cause}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong inside Homelog; its log says what, under this request_id",
        )
    }

    /// 410: a position that the log does not have, with those that it has.
    pub fn position_gone(oldest: &Position, newest: &Position) -> Self {
        let mut gone = Self::new(
            StatusCode::GONE,
            "position_gone",
            "the position is not in the log any more, or never was: start again from `oldest` or `newest`",
        );
        gone.0.bounds = Some((oldest.to_string(), newest.to_string()));
        gone
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Adds `Retry-After` in seconds.
    #[must_use]
    pub fn with_retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable name of the error.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What happened and what to do.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Of a position that is gone: the oldest and the newest that can be read.
    pub(crate) fn bounds(&self) -> Option<(&str, &str)> {
        self.0
            .bounds
            .as_ref()
            .map(|(oldest, newest)| (oldest.as_str(), newest.as_str()))
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (oldest, newest) = self.0.bounds.unzip();
        let refusal = Refusal(self.0.message.clone());
        let body = ErrorAnswer {
            error: ErrorBody {
                code: self.0.code.to_owned(),
                message: self.0.message,
                request_id: request_id(),
                oldest,
                newest,
            },
        };
        let mut response = (self.0.status, Json(body)).into_response();
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.0.headers {
            response.headers_mut().append(name, value);
        }
        response.extensions_mut().insert(refusal);
        response
    }
}

impl From<ReadError> for ApiError {
    fn from(cause: ReadError) -> Self {
        match cause {
            ReadError::PositionGone { oldest, newest } => Self::position_gone(&oldest, &newest),
            ReadError::Closed => stopping(),
            ReadError::Failed { .. } => Self::internal(&cause),
        }
    }
}

impl From<AppendError> for ApiError {
    fn from(cause: AppendError) -> Self {
        match &cause {
            // the path stays in our log: a pusher needs to know only that there is no room
            AppendError::DiskFull { .. } => {
                error!("pushed events were not taken: {cause}");
                Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "disk_full",
                    "the disk of the event log is full: free some space and push again; nothing of this push was taken",
                )
                .with_retry_after(60)
            }
            AppendError::Busy => Self::unavailable("busy", cause.to_string(), 1),
            AppendError::Closed => stopping(),
            AppendError::Broken { .. } => {
                error!("pushed events were not taken: {cause}");
                Self::unavailable(
                    "event_log_failed",
                    "the event log failed and takes no more events until a restart; nothing of this push was acknowledged",
                    60,
                )
            }
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(cause: QueryError) -> Self {
        match cause {
            QueryError::TooLarge { .. } => Self::bad_request("range_too_large", cause.to_string()),
            QueryError::Closed => stopping(),
            QueryError::Failed { .. } => Self::internal(&cause),
        }
    }
}

fn stopping() -> ApiError {
    ApiError::unavailable("stopping", "homelog is stopping: try again in a moment", 5)
}
