//! What may be done with one source.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use control::DisplayName;
use event_log::Urgency;
use schemas::{
    SourceName, Timestamp,
    api::{ErrorAnswer, RenameSource, SourceState},
};
use time_series::{EntityState, Selection};
use tracing::info;

use crate::{
    ApiError, App,
    auth::{Body, Caller},
    guard::Client,
    source_status::{SourceStatus, removal},
};

/// What the store has of a source.
async fn known(app: &App, name: &str) -> Result<(SourceName, Vec<EntityState>), ApiError> {
    let unknown = || ApiError::not_found("there is no source of that name");
    let name = SourceName::new(name).map_err(|_| unknown())?;
    app.rebuilt().await?;
    let selection = Selection {
        sources: vec![name.clone()],
        ..Selection::default()
    };
    let state = app.services.store.state(&selection, None).await?;
    let is_ours = app.services.claimed.borrow().contains(&name);
    if state.entities.is_empty() && !is_ours {
        return Err(unknown());
    }
    Ok((name, state.entities))
}

/// Why a source cannot go: somebody collects it still.
pub(super) fn collected_still(
    app: &App,
    name: &SourceName,
    entities: &[EntityState],
) -> Option<ApiError> {
    let now = Timestamp::now();
    let status = entities
        .iter()
        .find_map(|entity| SourceStatus::of(entity, now));
    let is_ours = app.services.claimed.borrow().contains(name);
    let is_told = status
        .as_ref()
        .is_some_and(|status| matches!(status.state, SourceState::Up | SourceState::Down));
    if !is_ours && !is_told {
        return None;
    }
    let who = status
        .and_then(|status| status.agent)
        .map_or_else(String::new, |agent| format!(" by agent `{agent}`"));
    Some(ApiError::new(
        StatusCode::CONFLICT,
        "source_configured",
        format!(
            "source `{name}` is collected still{who}: take it out of the configuration there first"
        ),
    ))
}

/// Shows a source by another name; its own name stays the key of its history.
#[utoipa::path(
    patch,
    path = "/api/v1/sources/{name}",
    tag = "history",
    params(("name" = String, Path, description = "Name of the source")),
    request_body = RenameSource,
    responses(
        (status = 204, description = "It is shown by that name"),
        (status = 400, description = "`bad_display_name`", body = ErrorAnswer),
        (status = 403, description = "For operators and admins only", body = ErrorAnswer),
        (status = 404, description = "No such source", body = ErrorAnswer),
    )
)]
pub(crate) async fn rename(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(name): Path<String>,
    Body(request): Body<RenameSource>,
) -> Result<StatusCode, ApiError> {
    let shown = request
        .display_name
        .as_deref()
        .map(DisplayName::new)
        .transpose()
        .map_err(|e| ApiError::bad_request("bad_display_name", e.to_string()))?;
    let (name, _) = known(&app, &name).await?;
    app.services
        .control
        .set_display_name(&name, shown.as_ref())
        .await?;
    let target = match &shown {
        Some(shown) => format!("{name}: {shown}"),
        None => name.to_string(),
    };
    app.services
        .auth
        .audit(
            &caller.username,
            "source.rename",
            &target,
            client.address,
            true,
        )
        .await;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a source that is no longer configured out of all current views. Its history stays, and it comes back by itself when
/// something of it is observed again.
#[utoipa::path(
    post,
    path = "/api/v1/sources/{name}/remove",
    tag = "history",
    params(("name" = String, Path, description = "Name of the source")),
    responses(
        (status = 204, description = "It is in no current view any more"),
        (status = 403, description = "For operators and admins only", body = ErrorAnswer),
        (status = 404, description = "No such source", body = ErrorAnswer),
        (status = 409, description = "`source_configured`: somebody collects it still", body = ErrorAnswer),
    )
)]
pub(crate) async fn remove(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let (name, entities) = known(&app, &name).await?;
    if let Some(refused) = collected_still(&app, &name, &entities) {
        return Err(refused);
    }
    let draft = removal(&entities, &name, Timestamp::now(), &caller.username)
        .ok_or_else(|| ApiError::not_found("there is no source of that name"))?;
    let appended = app.services.log.append(vec![draft], Urgency::Soon).await?;
    if let Some(why) = appended.refusal() {
        return Err(ApiError::unavailable("refused", why, 10));
    }
    info!(source = %name, "source `{name}` is removed from current views by `{}`", caller.username);
    app.services
        .auth
        .audit(
            &caller.username,
            "source.remove",
            name.as_str(),
            client.address,
            true,
        )
        .await;
    Ok(StatusCode::NO_CONTENT)
}
