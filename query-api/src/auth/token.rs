use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use control::{ApiToken, NewApiToken, TokenId, TokenSecret};
use schemas::{
    Timestamp,
    api::{CreateToken, CreatedToken, ErrorAnswer, Role, TokenInfo, TokenList},
    time::parse_duration,
};
use tracing::info;

use super::{Auth, Caller, body::Body, enrol, login};
use crate::{ApiError, guard::Client};

fn info_of(token: &ApiToken) -> TokenInfo {
    TokenInfo {
        id: token.id.as_str().to_owned(),
        name: token.name.clone(),
        username: token.user.as_str().to_owned(),
        role: token.role,
        agent: token.agent.as_ref().map(ToString::to_string),
        created: token.created.to_string(),
        expires: token.expires.map(|time| time.to_string()),
        last_used: token.last_used.map(|time| time.to_string()),
    }
}

/// API tokens: one's own, an admin's view is of all.
#[utoipa::path(
    get,
    path = "/auth/tokens",
    tag = "auth",
    responses((status = 200, description = "Newest first, without their secrets", body = TokenList))
)]
pub(super) async fn list(
    State(auth): State<Arc<Auth>>,
    caller: Caller,
) -> Result<Json<TokenList>, ApiError> {
    let own = caller.name()?;
    let of = (caller.role < Role::Admin).then_some(&own);
    let tokens = auth.control.api_tokens(of).await?;
    Ok(Json(TokenList {
        tokens: tokens.iter().map(info_of).collect(),
    }))
}

/// Makes an API token for programs.
#[utoipa::path(
    post,
    path = "/auth/tokens",
    tag = "auth",
    request_body = CreateToken,
    responses(
        (status = 201, description = "The token; its secret is shown only now", body = CreatedToken),
        (status = 400, description = "No name, or `expires_in` is no duration", body = ErrorAnswer),
        (status = 403, description = "A token can do at most what its user may, no token makes tokens, and only admins enrol agents", body = ErrorAnswer),
        (status = 409, description = "`too_many`", body = ErrorAnswer),
    )
)]
pub(super) async fn create(
    State(auth): State<Arc<Auth>>,
    client: Client,
    caller: Caller,
    headers: HeaderMap,
    Body(request): Body<CreateToken>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_session()?;
    if request.agent.is_some() {
        caller.require(Role::Admin)?;
    }
    let now = Timestamp::now();
    let expires = request
        .expires_in
        .map(|text| parse_duration(&text))
        .transpose()
        .map_err(|e| ApiError::bad_request("bad_expires_in", e.to_string()))?
        .map(|millis| now.plus_millis(millis));
    let secret = TokenSecret::random().map_err(|e| ApiError::internal(&e))?;
    let new = NewApiToken {
        id: secret.id.clone(),
        hash: secret.hash(),
        name: request.name.trim().to_owned(),
        user: caller.name()?,
        role: request.role,
        agent: request.agent,
        expires,
    };
    let token = auth.control.create_api_token(new, now).await?;
    auth.audit(
        &caller.username,
        "token.create",
        token.id.as_str(),
        client.address,
        true,
    )
    .await;
    info!(token.id = token.id.as_str(), user = %token.user, role = token.role.as_str(), "token `{}` was made", token.id.as_str());
    let body = CreatedToken {
        enrol: token.agent.is_some().then(|| {
            enrol::command(
                &headers,
                client,
                auth.options.fingerprint.as_deref(),
                &secret,
            )
        }),
        token: secret.reveal(),
        info: info_of(&token),
    };
    Ok((StatusCode::CREATED, login::private(), Json(body)))
}

/// Revokes an API token: one's own, an admin any.
#[utoipa::path(
    delete,
    path = "/auth/tokens/{id}",
    tag = "auth",
    params(("id" = String, Path, description = "Id of the token, not its secret")),
    responses(
        (status = 204, description = "The token is no longer good"),
        (status = 404, description = "No such token", body = ErrorAnswer),
    )
)]
pub(super) async fn revoke(
    State(auth): State<Arc<Auth>>,
    client: Client,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let own = caller.name()?;
    let of = (caller.role < Role::Admin).then_some(&own);
    let id = TokenId::new(&id);
    // another user's token looks like none
    let Some(owner) = auth.control.revoke_api_token(&id, of).await? else {
        return Err(ApiError::not_found("there is no such token"));
    };
    auth.changed();
    auth.audit(
        &caller.username,
        "token.revoke",
        id.as_str(),
        client.address,
        true,
    )
    .await;
    info!(token.id = id.as_str(), user = %owner, by = caller.username, "token `{}` was revoked", id.as_str());
    Ok(StatusCode::NO_CONTENT)
}
