use axum::{Json, extract::State, http::Uri};
use schemas::api::{CatalogAnswer, CatalogMetric, ErrorAnswer};

use crate::{ApiError, App, params::Params};

/// Every metric that is known: unit, kind, type, meaning.
#[utoipa::path(
    get,
    path = "/api/v1/catalog",
    tag = "history",
    responses(
        (status = 200, description = "By entity type and field; a `*` in a field stands for a part that varies", body = CatalogAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
    )
)]
pub(crate) async fn catalog(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<CatalogAnswer>, ApiError> {
    Params::read(&uri, &[])?;
    let catalog = &app.services.catalog;
    let mut metrics: Vec<_> = catalog
        .declared()
        .into_iter()
        .map(|(entity_type, field, metric)| CatalogMetric {
            entity_type: entity_type.to_owned(),
            field,
            unit: metric.unit,
            kind: metric.kind,
            value: metric.value,
            help: metric.help.to_owned(),
        })
        .collect();
    for (entity_type, field, value) in catalog.registered() {
        let Some(metric) = catalog.metric(entity_type.as_str(), field.as_str()) else {
            continue;
        };
        // what an integration declares, by name or by pattern, was listed above
        if !metric.help.is_empty() {
            continue;
        }
        metrics.push(CatalogMetric {
            entity_type: entity_type.to_string(),
            field: field.to_string(),
            unit: metric.unit,
            kind: metric.kind,
            value,
            help: String::new(),
        });
    }
    metrics.sort_by(|a, b| (&a.entity_type, &a.field).cmp(&(&b.entity_type, &b.field)));
    metrics.dedup_by(|a, b| a.entity_type == b.entity_type && a.field == b.field);
    Ok(Json(CatalogAnswer { metrics }))
}
