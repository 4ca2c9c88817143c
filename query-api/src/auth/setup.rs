use std::{sync::Arc, time::Instant};

use axum::{Json, extract::State, response::Response};
use control::{NewUser, SecretHash, Username, password};
use schemas::{
    Timestamp,
    api::{ErrorAnswer, LoginResponse, Role, SetupRequest, SetupState},
};
use secrecy::SecretString;
use tracing::info;

use super::{Auth, body::Body, login, refusal};
use crate::{ApiError, guard::Client};

/// Stands for the link where failures are counted. No account is called so: a name begins with a letter or a digit.
const ACCOUNT: &str = "(set-up)";

/// Whether the first admin has yet to be made.
#[utoipa::path(
    get,
    path = "/auth/setup",
    tag = "auth",
    security(()),
    responses((status = 200, description = "Whether there is no user yet", body = SetupState))
)]
pub(super) async fn state(State(auth): State<Arc<Auth>>) -> Result<Json<SetupState>, ApiError> {
    let needed = auth.control.setup_needed().await?;
    Ok(Json(SetupState { needed }))
}

/// Makes the first admin with the token of the one-time link, and logs in.
#[utoipa::path(
    post,
    path = "/auth/setup",
    tag = "auth",
    security(()),
    request_body = SetupRequest,
    responses(
        (status = 200, description = "The admin is made and logged in", body = LoginResponse),
        (status = 400, description = "`weak_password` or `bad_username`", body = ErrorAnswer),
        (status = 403, description = "`bad_setup_token`: the last start printed another one", body = ErrorAnswer),
        (status = 409, description = "`setup_done`: there is a user already", body = ErrorAnswer),
        (status = 429, description = "Too many failed attempts", body = ErrorAnswer),
    )
)]
pub(super) async fn complete(
    State(auth): State<Arc<Auth>>,
    client: Client,
    Body(request): Body<SetupRequest>,
) -> Result<Response, ApiError> {
    let name = Username::new(&request.username)
        .map_err(|e| ApiError::bad_request("bad_username", e.to_string()))?;
    let password = SecretString::from(request.password);
    password::check(&name, &password)?;
    auth.throttle
        .begin(ACCOUNT, client.address, Instant::now())
        .map_err(refusal::throttled)?;
    let new = NewUser {
        name,
        password: auth.passwords.hash(password).await?,
        role: Role::Admin,
    };
    let user = auth
        .control
        .complete_setup(&SecretHash::of(&request.token), new, Timestamp::now())
        .await?;
    auth.throttle.succeeded(ACCOUNT, client.address);
    auth.audit(user.name.as_str(), "setup", "", client.address, true)
        .await;
    info!(user = %user.name, client.address = %client.address, "`{}` is the first admin", user.name);
    Ok(login::begin(&auth, &user, client).await?)
}
