use std::borrow::Cow;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use rust_embed::RustEmbed;
use schemas::name::excerpt;

use crate::{ApiError, accept::accepts, routes::docs};

/// The dashboard as it was built before this program was; empty if it was not.
#[derive(RustEmbed)]
#[folder = "../dashboard/dist"]
#[allow_missing = true]
struct Dashboard;

const INDEX: &str = "index.html";
/// Below these a path is never a page of the dashboard.
const PROGRAMS: [&str; 7] = [
    "/api/",
    "/auth/",
    "/health/",
    "/realtime",
    "/metrics",
    "/influxdb/",
    "/openapi.json",
];

/// The dashboard's files, and its page for every path that a browser asks for as one.
pub(crate) async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if PROGRAMS.iter().any(|prefix| path.starts_with(prefix)) || path == "/api" {
        return unknown(path);
    }
    if method != Method::GET && method != Method::HEAD {
        return unknown(path);
    }
    if let Some(file) = docs::file(path) {
        return file;
    }
    let name = percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy();
    if name != INDEX
        && !name.is_empty()
        && let Some(file) = Dashboard::get(&name)
    {
        return serve(&name, file.data, &file.metadata.sha256_hash(), &headers);
    }
    let is_page = name.is_empty() || name == INDEX || accepts(&headers, "text/html");
    if !is_page {
        return unknown(path);
    }
    match Dashboard::get(INDEX) {
        Some(file) => serve(INDEX, file.data, &file.metadata.sha256_hash(), &headers),
        None => (
            StatusCode::NOT_FOUND,
            [(header::CACHE_CONTROL, "no-store")],
            Html(include_str!("../pages/not_built.html")),
        )
            .into_response(),
    }
}

fn unknown(path: &str) -> Response {
    ApiError::not_found(format!("there is no `{}`", excerpt(path))).into_response()
}

fn serve(name: &str, data: Cow<'static, [u8]>, hash: &[u8], headers: &HeaderMap) -> Response {
    let tag = etag(hash);
    let caching = if name.starts_with("assets/") {
        // its name changes with its content
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().trim_start_matches("W/") == tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = mime_guess::from_path(name).first_or_octet_stream();
        let kind = match (kind.type_(), kind.subtype()) {
            (mime_guess::mime::TEXT, _) => format!("{kind}; charset=utf-8"),
            _ => kind.to_string(),
        };
        let mut response = Response::new(Body::from(match data {
            Cow::Borrowed(data) => Bytes::from_static(data),
            Cow::Owned(data) => Bytes::from(data),
        }));
        if let Ok(kind) = HeaderValue::from_str(&kind) {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    };
    let head = response.headers_mut();
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        head.insert(header::ETAG, tag);
    }
    response
}

fn etag(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut tag = String::from("\"");
    for byte in hash.iter().take(12) {
        let _infallible = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unknown_paths_of_programs_are_json() {
        for path in ["/api/v1/nothing", "/api", "/auth/x", "/health/x"] {
            let response = fallback(
                Method::GET,
                path.parse().unwrap(),
                HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html"))]),
            )
            .await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert_eq!(response.headers()["content-type"], "application/json");
        }
    }

    #[test]
    fn a_file_with_a_hash_in_its_name_is_kept_for_ever_and_others_are_asked_for() {
        let data = || Cow::Borrowed(b"let x".as_slice());
        let first = serve("assets/a-1234.js", data(), &[7; 32], &HeaderMap::new());
        assert!(
            first.headers()["cache-control"]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        assert_eq!(
            first.headers()["content-type"],
            "text/javascript; charset=utf-8"
        );
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()["etag"].clone());
        let second = serve(INDEX, data(), &[7; 32], &headers);
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(second.headers()["cache-control"], "no-cache");
    }
}
