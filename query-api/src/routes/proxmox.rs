use axum::{Json, extract::State, http::Uri};
use schemas::api::{ErrorAnswer, ProxmoxNodes};

use crate::{
    ApiError, App, family,
    view::{View, ViewParams},
};

/// The nodes of every Proxmox VE cluster and what runs on them: their newest state, or that of a time.
#[utoipa::path(
    get,
    path = "/api/proxmox/nodes",
    tag = "views",
    params(ViewParams),
    responses(
        (status = 200, description = "By key; what is not known is absent", body = ProxmoxNodes),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 503, description = "The store is being rebuilt after a start", body = ErrorAnswer),
    )
)]
pub(crate) async fn nodes(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<ProxmoxNodes>, ApiError> {
    let mut view = View::read(&app, &uri, family::PROXMOX).await?;
    Ok(Json(ProxmoxNodes {
        clusters: view.take("cluster"),
        nodes: view.take("node"),
        guests: view.take("guest"),
        storages: view.take("storage"),
        disks: view.take("disk"),
        pools: view.take("pool"),
        sources: view.sources,
        position: view.position,
    }))
}
