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

/// Its script.
pub(crate) async fn script() -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (head, include_str!("../pages/docs.js")).into_response()
}

/// Its looks.
pub(crate) async fn style() -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (head, include_str!("../pages/docs.css")).into_response()
}
