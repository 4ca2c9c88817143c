use std::collections::HashMap;

use axum::{Json, extract::State, http::Uri};
use schemas::{
    Timestamp,
    api::{ApiValue, EntitiesAnswer, EntityState, ErrorAnswer, LatestValue},
    name::EntityType,
};
use time_series::Selection;

use crate::{
    ApiError, App, convert,
    params::Params,
    source_status::{ENTITY_TYPE, is_removed, removals},
};

/// What exists, with the newest value of every field; with `at`, as it was then. What is of sources that were removed is told
/// to who names it.
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
    // who names sources or entities wants to see them, also those that are gone
    let removals = if selection.sources.is_empty() && selection.entities.is_empty() {
        let told = Selection {
            entity_types: vec![EntityType::new(ENTITY_TYPE).map_err(|e| ApiError::internal(&e))?],
            ..Selection::default()
        };
        removals(app.services.store.state(&told, at).await?.entities.iter())
    } else {
        HashMap::new()
    };
    let entities = state
        .entities
        .into_iter()
        .filter(|entity| !is_removed(entity, &removals))
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
