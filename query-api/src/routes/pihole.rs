use axum::{Json, extract::State, http::Uri};
use schemas::api::{ErrorAnswer, PiholeSummary};

use crate::{
    ApiError, App, family,
    view::{ITSELF, View, ViewParams},
};

/// What every Pi-hole answered and blocked: the newest counts, or those of a time.
#[utoipa::path(
    get,
    path = "/api/pihole/summary",
    tag = "views",
    params(ViewParams),
    responses(
        (status = 200, description = "By key; what is not known is absent", body = PiholeSummary),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 503, description = "The store is being rebuilt after a start", body = ErrorAnswer),
    )
)]
pub(crate) async fn summary(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<PiholeSummary>, ApiError> {
    let mut view = View::read(&app, &uri, family::PIHOLE).await?;
    Ok(Json(PiholeSummary {
        piholes: view.take(ITSELF),
        upstreams: view.take("dns_upstream"),
        domains: view.take("dns_domain"),
        clients: view.take("dns_client"),
        sources: view.sources,
        position: view.position,
    }))
}
