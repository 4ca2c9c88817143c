use axum::{Json, extract::State, http::Uri};
use schemas::{
    Timestamp,
    api::{ApiValue, EntitiesAnswer, EntityState, ErrorAnswer, LatestValue},
};
use time_series::Selection;

use crate::{ApiError, App, convert, params::Params};

/// What exists, with the newest value of every field; with `at`, as it was then.
#[utoipa::path(
    get,
    path = "/api/v1/entities",
    tag = "history",
    params(
        ("type" = Option<Vec<String>>, Query, description = "Types of entities; repeatable or a list joined by commas"),
        ("source" = Option<Vec<String>>, Query, description = "Names of sources; repeatable or a list joined by commas"),
        ("entity" = Option<Vec<String>>, Query, description = "Keys of entities; repeatable"),
        ("at" = Option<String>, Query, description = "An instant: RFC 3339, `now`, `-6h` or a Unix number"),
    ),
    responses(
        (status = 200, description = "By key", body = EntitiesAnswer),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 503, description = "The store is being rebuilt after a start", body = ErrorAnswer),
    )
)]
pub(crate) async fn entities(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<EntitiesAnswer>, ApiError> {
    let params = Params::read(&uri, &["type", "source", "entity", "at"])?;
    let selection = Selection {
        entities: params.list("entity")?,
        entity_types: params.list("type")?,
        sources: params.list("source")?,
    };
    let at = params.time("at", Timestamp::now())?;
    app.rebuilt().await?;
    let _place = app.query_place().await?;
    let state = app.services.store.state(&selection, at).await?;
    let entities = state
        .entities
        .into_iter()
        .map(|entity| EntityState {
            key: entity.key.to_string(),
            source: entity.key.source.to_string(),
            entity_type: entity.key.entity_type.to_string(),
            id: entity.key.id.to_string(),
            labels: convert::labels(&entity.labels),
            fields: entity
                .fields
                .into_iter()
                .map(|(name, latest)| {
                    let latest = LatestValue {
                        value: ApiValue(latest.value),
                        time: latest.time.as_millis(),
                    };
                    (name.to_string(), latest)
                })
                .collect(),
        })
        .collect();
    Ok(Json(EntitiesAnswer {
        position: state.position.to_string(),
        entities,
    }))
}
