use axum::{Json, extract::State, http::Uri};
use schemas::api::{ErrorAnswer, NasStorage};

use crate::{
    ApiError, App, family,
    view::{ITSELF, View, ViewParams},
};

/// The storage of every NAS: its newest state, or that of a time.
#[utoipa::path(
    get,
    path = "/api/nas/storage",
    tag = "views",
    params(ViewParams),
    responses(
        (status = 200, description = "By key; what is not known is absent", body = NasStorage),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 503, description = "The store is being rebuilt after a start", body = ErrorAnswer),
    )
)]
pub(crate) async fn storage(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<NasStorage>, ApiError> {
    let mut view = View::read(&app, &uri, family::NAS).await?;
    let mut systems = view.take("nas");
    systems.extend(view.take(ITSELF));
    systems.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Json(NasStorage {
        systems,
        pools: view.take("pool"),
        volumes: view.take("volume"),
        shares: view.take("share"),
        disks: view.take("disk"),
        sources: view.sources,
        position: view.position,
    }))
}
