use axum::{Json, extract::State, http::Uri};
use schemas::{
    Timestamp,
    api::{ErrorAnswer, SourcesAnswer},
};
use time_series::Selection;

use crate::{ApiError, App, params::Params, source_info::sources_of};

/// Every source that was ever heard: how it does, since when, and what it has.
#[utoipa::path(
    get,
    path = "/api/v1/sources",
    tag = "history",
    responses(
        (status = 200, description = "By name", body = SourcesAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 503, description = "The store is being rebuilt after a start", body = ErrorAnswer),
    )
)]
pub(crate) async fn sources(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<SourcesAnswer>, ApiError> {
    Params::read(&uri, &[])?;
    app.rebuilt().await?;
    let _place = app.query_place().await?;
    let state = app
        .services
        .store
        .state(&Selection::default(), None)
        .await?;
    let sources = sources_of(&app, state.entities.iter(), Timestamp::now()).await?;
    Ok(Json(SourcesAnswer {
        position: state.position.to_string(),
        sources: sources.into_values().collect(),
    }))
}
