use axum::{Json, extract::State, http::Uri};
use schemas::api::{DockerContainers, ErrorAnswer};

use crate::{
    ApiError, App, family,
    view::{View, ViewParams},
};

/// The containers of every Docker Engine: their newest state, or that of a time.
#[utoipa::path(
    get,
    path = "/api/docker/containers",
    tag = "views",
    params(ViewParams),
    responses(
        (status = 200, description = "By key; what is not known is absent", body = DockerContainers),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 503, description = "The store is being rebuilt after a start", body = ErrorAnswer),
    )
)]
pub(crate) async fn containers(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<DockerContainers>, ApiError> {
    let mut view = View::read(&app, &uri, family::DOCKER).await?;
    Ok(Json(DockerContainers {
        engines: view.take("engine"),
        containers: view.take("container"),
        sources: view.sources,
        position: view.position,
    }))
}
