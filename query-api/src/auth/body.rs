use axum::{
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use serde::de::DeserializeOwned;

use crate::ApiError;

/// A JSON body of at most `LIMIT` bytes. It must be declared as JSON, which a form of a foreign page cannot do.
pub(crate) struct Body<T, const LIMIT: usize = 16_384>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync, const LIMIT: usize> FromRequest<S> for Body<T, LIMIT> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "send JSON with `Content-Type: application/json`",
            ));
        }
        let bytes = axum::body::to_bytes(request.into_body(), LIMIT)
            .await
            .map_err(|_| {
                ApiError::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too_large",
                    format!("the body is larger than {LIMIT} bytes, or it broke off"),
                )
            })?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
            ApiError::bad_request("bad_request", format!("the body is not as expected: {e}"))
        })?;
        json.end().map_err(|e| {
            ApiError::bad_request(
                "bad_request",
                format!("the body goes on after its end: {e}"),
            )
        })?;
        Ok(Self(value))
    }
}
