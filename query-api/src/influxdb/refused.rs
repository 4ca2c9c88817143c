use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Which version of the API is spoken: the shapes of its refusals differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Face {
    V1,
    V2,
}

impl Face {
    /// Of a path below the door.
    pub(super) fn of(path: &str) -> Self {
        if path.starts_with("/influxdb/api/v2/") || path == "/influxdb/health" {
            Self::V2
        } else {
            Self::V1
        }
    }

    /// A refusal as InfluxDB words it.
    pub(super) fn refuse(self, status: StatusCode, message: &str) -> Response {
        match self {
            Self::V2 => {
                let code = code_of(status);
                let mut response =
                    (status, Json(json!({"code": code, "message": message}))).into_response();
                response
                    .headers_mut()
                    .insert("x-platform-error-code", HeaderValue::from_static(code));
                response
            }
            Self::V1 => {
                let mut response = (status, Json(json!({"error": message}))).into_response();
                let headers = response.headers_mut();
                if let Ok(value) = HeaderValue::from_str(&one_line(message)) {
                    headers.insert("x-influxdb-error", value);
                }
                if status == StatusCode::UNAUTHORIZED {
                    headers.insert(
                        header::WWW_AUTHENTICATE,
                        HeaderValue::from_static("Basic realm=\"InfluxDB\""),
                    );
                }
                response
            }
        }
    }
}

fn one_line(message: &str) -> String {
    message
        .chars()
        .map(|c| if (' '..='~').contains(&c) { c } else { '?' })
        .take(512)
        .collect()
}

/// The words of version 2 for a status.
fn code_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not found",
        StatusCode::METHOD_NOT_ALLOWED => "method not allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::UNPROCESSABLE_ENTITY => "unprocessable entity",
        StatusCode::TOO_MANY_REQUESTS => "too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        status if status.is_server_error() => "internal error",
        _ => "invalid",
    }
}
