//! What every answer of the door has in common.

use axum::{
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};

use super::{PREFIX, VERSION, refused::Face};
use crate::error::Refusal;

/// Puts what was refused before the door, or in it, into InfluxDB's shape, and says as which InfluxDB it behaves.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_ours = path
        .strip_prefix(PREFIX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !is_ours {
        return next.run(request).await;
    }
    let face = Face::of(path);
    let mut response = next.run(request).await;
    if let Some(Refusal(message)) = response.extensions_mut().remove::<Refusal>() {
        let mut shaped = face.refuse(response.status(), &message);
        for (name, value) in response.headers() {
            let is_of_body = *name == header::CONTENT_TYPE || *name == header::CONTENT_LENGTH;
            if !is_of_body && !shaped.headers().contains_key(name) {
                shaped.headers_mut().append(name, value.clone());
            }
        }
        response = shaped;
    }
    let headers = response.headers_mut();
    headers.insert("x-influxdb-version", HeaderValue::from_static(VERSION));
    headers.insert("x-influxdb-build", HeaderValue::from_static("Homelog"));
    response
}
