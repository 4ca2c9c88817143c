use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::VERSION;
use crate::App;

/// Whether the door is there at all.
#[utoipa::path(
    get,
    path = "/influxdb/ping",
    tag = "influxdb",
    security(()),
    responses((status = 204, description = "It is; the header X-Influxdb-Version says as which InfluxDB it behaves"))
)]
pub(crate) async fn ping() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Whether lines can be taken.
#[utoipa::path(
    get,
    path = "/influxdb/health",
    tag = "influxdb",
    security(()),
    responses(
        (status = 200, description = "They can", body = serde_json::Value),
        (status = 503, description = "Homelog is stopping", body = serde_json::Value),
    )
)]
pub(crate) async fn health(State(app): State<App>) -> Response {
    let stops = app.supervisor.token().is_cancelled();
    let (status, word, message) = if stops {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "fail",
            "homelog is stopping",
        )
    } else {
        (StatusCode::OK, "pass", "ready for queries and writes")
    };
    let about = json!({
        "name": "influxdb",
        "message": message,
        "status": word,
        "checks": [],
        "version": VERSION,
        "commit": "homelog",
    });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(about)).into_response()
}
