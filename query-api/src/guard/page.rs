use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};

use crate::{ApiError, error::request_id};

/// The refusal as a page, for people.
pub(super) fn of(refused: &ApiError) -> Response {
    let status = refused.status();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Homelog: {code}</title></head>\n\
         <body>\n<h1>{status}</h1>\n{message}\n<p><small>{code} {id}</small></p>\n</body>\n</html>\n",
        code = escaped(refused.code()),
        status = escaped(&status.to_string()),
        message = marked(&escaped(refused.message())),
        id = escaped(&request_id()),
    );
    let mut response = (status, Html(html)).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The line to copy, set apart.
fn marked(message: &str) -> String {
    match message.split_once(": hosts = ") {
        Some((before, line)) => format!("<p>{before}:</p>\n<pre>hosts = {line}</pre>"),
        None => format!("<p>{message}</p>"),
    }
}
