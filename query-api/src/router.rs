//! Every route, each with its description, and what stands around them.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{Method, StatusCode, Uri, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use schemas::name::excerpt;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, CompressionLevel,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError, App, auth, guard, influxdb, rate, request,
    routes::{
        agents, assets, catalog, docker, docs, entities, events, health, home_assistant, live,
        metrics, nas, pihole, proxmox, purge, push, range, realtime, source, sources,
    },
};

/// Answers smaller than this are not worth compressing, in bytes.
const WORTH: u64 = 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Homelog",
        description = "History, live tails and events of a homelab. Times are read as RFC 3339, `now`, `-6h` or Unix numbers; ranges are [from, to); whole numbers beyond ±2^53 are texts; positions are opaque.",
    ),
    modifiers(&Token),
    components(schemas(schemas::api::ClientMessage, schemas::api::ServerMessage, schemas::api::ApiEvent))
)]
struct Description;

struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The access token of `/auth/login`, or an API token"))
            .build();
        api.components
            .get_or_insert_with(Components::new)
            .add_security_scheme("token", SecurityScheme::Http(scheme));
        api.security = Some(vec![SecurityRequirement::new(
            "token",
            Vec::<String>::new(),
        )]);
    }
}

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi_json))
        .routes(routes!(docs::docs))
        .routes(routes!(catalog::catalog))
        .routes(routes!(sources::sources))
        .routes(routes!(source::rename))
        .routes(routes!(source::remove))
        .routes(routes!(purge::scope, purge::purge))
        .routes(routes!(entities::entities))
        .routes(routes!(nas::storage))
        .routes(routes!(docker::containers))
        .routes(routes!(proxmox::nodes))
        .routes(routes!(pihole::summary))
        .routes(routes!(home_assistant::states))
        .routes(routes!(range::range))
        .routes(routes!(events::events, push::push))
        .routes(routes!(agents::sequences))
        .routes(routes!(agents::claim))
        .routes(routes!(live::live))
        .routes(routes!(realtime::realtime))
        .routes(routes!(influxdb::write::write_v2))
        .routes(routes!(influxdb::write::write_v1))
        .routes(routes!(influxdb::about::ping))
        .routes(routes!(influxdb::about::health))
        .merge(auth::routes())
}

/// The API described in OpenAPI.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

/// The API described in OpenAPI.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "about",
    responses(
        (status = 200, description = "An OpenAPI 3.1 document", body = serde_json::Value),
        (status = 401, description = "No valid token", body = schemas::api::ErrorAnswer),
    )
)]
async fn openapi_json() -> Result<Response, ApiError> {
    let text = openapi().to_json().map_err(|e| ApiError::internal(&e))?;
    let head = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((head, text).into_response())
}

/// The whole of it, from the outermost layer to the handlers.
pub(crate) fn router(app: App) -> Router {
    let auth = Arc::clone(&app.services.auth);
    let worth = SizeAbove::new(WORTH)
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::const_new("font/"));
    let around = ServiceBuilder::new()
        .layer(from_fn_with_state(app.clone(), request::track))
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(worth),
        )
        .layer(from_fn(influxdb::layer))
        .layer(CatchPanicLayer::custom(request::caught))
        .layer(from_fn_with_state(auth.clone(), guard::layer))
        .layer(from_fn_with_state(auth, auth::layer))
        .layer(from_fn_with_state(app.clone(), rate::limit));
    let (router, _) = described().split_for_parts();
    router
        .fallback(assets::fallback)
        .method_not_allowed_fallback(not_allowed)
        .layer(around)
        .with_state(app)
}

/// The line-protocol door of a router at the root of an address of its own, and nothing else.
pub(crate) fn at_root_of_influxdb(router: Router) -> Router {
    let inwards = ServiceBuilder::new()
        .map_request(|mut request: Request| {
            let inside = format!(
                "{}{}",
                influxdb::PREFIX,
                request
                    .uri()
                    .path_and_query()
                    .map_or("/", |whole| whole.as_str())
            );
            let mut parts = request.uri().clone().into_parts();
            // what fitted without the prefix fits with it
            if let Ok(path) = inside.parse() {
                parts.path_and_query = Some(path);
            }
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
            request
        })
        .service(router);
    Router::new().fallback_service(inwards)
}

async fn not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!(
            "`{}` does not take {}",
            excerpt(uri.path()),
            excerpt(method.as_str())
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::auth::{Access, table};

    /// Nobody can forget one of the two: a route without a line in the table would be refused, a line without a route would
    /// be a promise, and a description that says otherwise than the table a lie.
    #[test]
    fn the_table_of_access_and_the_description_name_the_same_routes() {
        let described: BTreeMap<_, _> = serde_json::to_value(openapi()).unwrap()["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().iter().map(|(method, call)| {
                    let open = call.get("security").is_some();
                    ((path.clone(), method.to_uppercase()), open)
                })
            })
            .collect();
        let listed: BTreeMap<_, _> = table()
            .map(|(method, path, access)| {
                // metrics are open only to some networks
                let open = matches!(access, Access::Open | Access::Optional) && path != "/metrics";
                ((path.to_owned(), method.to_string()), open)
            })
            .collect();
        assert_eq!(described, listed);
    }
}
