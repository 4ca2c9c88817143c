use axum::{Json, extract::State, http::Uri};
use schemas::api::{ErrorAnswer, HomeAssistantStates};

use crate::{
    ApiError, App, family,
    view::{ITSELF, View, ViewParams},
};

/// Everything that Home Assistant has a state of: the newest, or that of a time.
#[utoipa::path(
    get,
    path = "/api/home-assistant/states",
    tag = "views",
    params(ViewParams),
    responses(
        (status = 200, description = "By key; what is not known is absent", body = HomeAssistantStates),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 503, description = "The store is being rebuilt after a start", body = ErrorAnswer),
    )
)]
pub(crate) async fn states(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<HomeAssistantStates>, ApiError> {
    let mut view = View::read(&app, &uri, family::HOME_ASSISTANT).await?;
    Ok(Json(HomeAssistantStates {
        instances: view.take(ITSELF),
        states: view.take_all(),
        sources: view.sources,
        position: view.position,
    }))
}
