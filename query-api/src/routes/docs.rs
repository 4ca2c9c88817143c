use axum::{
    http::header,
    response::{Html, IntoResponse, Response},
};

/// The API described, as a page.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "about",
    security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html"))
)]
pub(crate) async fn docs() -> Response {
    (
        [(header::CACHE_CONTROL, "no-cache")],
        Html(include_str!("../pages/docs.html")),
    )
        .into_response()
}

/// Its script and its looks, which are static files.
pub(crate) fn file(path: &str) -> Option<Response> {
    let (kind, text) = match path {
        "/docs/docs.js" => (
            "text/javascript; charset=utf-8",
            include_str!("../pages/docs.js"),
        ),
        "/docs/docs.css" => ("text/css; charset=utf-8", include_str!("../pages/docs.css")),
        _ => return None,
    };
    let head = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Some((head, text).into_response())
}
