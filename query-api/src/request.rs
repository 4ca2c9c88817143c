//! Around every request: its id, its trace, its metrics, and a bound on its time.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use schemas::name::excerpt;
use tracing::{Instrument, debug, debug_span, warn};

use crate::{
    ApiError, App,
    error::REQUEST_ID,
    metrics::{RequestLabels, RouteLabels},
};

const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id, and its answer a line in the trace and a place in the metrics. Paths appear as templates and
/// queries not at all, since they may hold tickets.
pub(crate) async fn track(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = new_id();
    let method = method_name(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let started = Instant::now();
    let span = debug_span!("request", request.id = %id, http.method = method, http.route = %route);
    let answer = async {
        match tokio::time::timeout(app.options.request_timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => ApiError::unavailable(
                "timeout",
                format!(
                    "the request took longer than {} s: ask for less, or send faster",
                    app.options.request_timeout.as_secs()
                ),
                5,
            )
            .into_response(),
        }
    };
    let mut response = REQUEST_ID
        .scope(id.clone(), answer)
        .instrument(span.clone())
        .await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| {
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if response.status().is_server_error()
            && response.status() != StatusCode::SERVICE_UNAVAILABLE
        {
            warn!(
                request.id = %id, http.route = %route, http.status = status, elapsed_ms,
                "{method} {route} answered {status}"
            );
        } else {
            debug!(
                http.status = status,
                elapsed_ms, "{method} {route} answered {status}"
            );
        }
    });
    app.metrics
        .duration
        .get_or_create(&RouteLabels {
            route: route.clone(),
            method,
        })
        .observe(elapsed.as_secs_f64());
    app.metrics
        .requests
        .get_or_create(&RequestLabels {
            route,
            method,
            status,
        })
        .inc();
    response
}

/// Answers a panic like any other failure.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that the layer asks for"
)]
pub(crate) fn caught(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned());
    ApiError::internal(&format_args!("a handler panicked: {}", excerpt(&text))).into_response()
}

/// 16 hexadecimal characters; without randomness from the system the id says so instead of stopping the request.
fn new_id() -> String {
    let mut bytes = [0_u8; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => format!("{:016x}", u64::from_be_bytes(bytes)),
        Err(_) => "no-randomness".to_owned(),
    }
}

/// Methods as labels: bounded, whatever a client sends.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_answer_that_tells_nothing_of_it() {
        let response = caught(Box::new("index out of bounds"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/json");
    }

    #[test]
    fn ids_differ_and_methods_are_bounded() {
        assert_ne!(new_id(), new_id());
        assert_eq!(method_name(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
