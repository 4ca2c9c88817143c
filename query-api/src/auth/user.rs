use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use control::{NewUser, PasswordHash, User, UserChange, Username, password};
use schemas::{
    Timestamp,
    api::{CreateUser, ErrorAnswer, Role, UpdateUser, UserInfo, UserList},
};
use secrecy::SecretString;
use tracing::info;

use super::{Auth, Caller, body::Body, refusal};
use crate::{ApiError, guard::Client};

fn info_of(user: &User) -> UserInfo {
    UserInfo {
        username: user.name.as_str().to_owned(),
        role: user.role,
        enabled: user.enabled,
        created: user.created.to_string(),
        last_login: user.last_login.map(|time| time.to_string()),
    }
}

fn named(text: &str) -> Result<Username, ApiError> {
    Username::new(text).map_err(|e| ApiError::bad_request("bad_username", e.to_string()))
}

async fn hashed(auth: &Auth, name: &Username, text: String) -> Result<PasswordHash, ApiError> {
    let password = SecretString::from(text);
    password::check(name, &password)?;
    Ok(auth.passwords.hash(password).await?)
}

/// All users.
#[utoipa::path(
    get,
    path = "/auth/users",
    tag = "auth",
    responses(
        (status = 200, description = "By name", body = UserList),
        (status = 403, description = "For admins only", body = ErrorAnswer),
    )
)]
pub(super) async fn list(State(auth): State<Arc<Auth>>) -> Result<Json<UserList>, ApiError> {
    let users = auth.control.users().await?;
    Ok(Json(UserList {
        users: users.iter().map(info_of).collect(),
    }))
}

/// Makes a user.
#[utoipa::path(
    post,
    path = "/auth/users",
    tag = "auth",
    request_body = CreateUser,
    responses(
        (status = 201, description = "The user is made", body = UserInfo),
        (status = 400, description = "`weak_password` or `bad_username`", body = ErrorAnswer),
        (status = 403, description = "For admins only", body = ErrorAnswer),
        (status = 409, description = "`user_exists`", body = ErrorAnswer),
    )
)]
pub(super) async fn create(
    State(auth): State<Arc<Auth>>,
    client: Client,
    caller: Caller,
    Body(request): Body<CreateUser>,
) -> Result<(StatusCode, Json<UserInfo>), ApiError> {
    let name = named(&request.username)?;
    let new = NewUser {
        password: hashed(&auth, &name, request.password).await?,
        name,
        role: request.role,
    };
    let user = auth.control.create_user(new, Timestamp::now()).await?;
    auth.audit(
        &caller.username,
        "user.create",
        user.name.as_str(),
        client.address,
        true,
    )
    .await;
    info!(user = %user.name, role = user.role.as_str(), by = caller.username, "user `{}` was made", user.name);
    Ok((StatusCode::CREATED, Json(info_of(&user))))
}

/// Changes a user, or one's own password.
#[utoipa::path(
    patch,
    path = "/auth/users/{name}",
    tag = "auth",
    params(("name" = String, Path, description = "Name of the user")),
    request_body = UpdateUser,
    responses(
        (status = 200, description = "The user as it is now; its sessions are over, but for the one in which one's own password was changed", body = UserInfo),
        (status = 400, description = "`weak_password`", body = ErrorAnswer),
        (status = 403, description = "Only an admin changes others, and roles; `bad_credentials`: `current_password` is wrong", body = ErrorAnswer),
        (status = 404, description = "No such user", body = ErrorAnswer),
        (status = 409, description = "`last_admin`: nobody would be left to administer", body = ErrorAnswer),
    )
)]
pub(super) async fn update(
    State(auth): State<Arc<Auth>>,
    client: Client,
    caller: Caller,
    Path(name): Path<String>,
    Body(request): Body<UpdateUser>,
) -> Result<Json<UserInfo>, ApiError> {
    let is_own = name.eq_ignore_ascii_case(&caller.username);
    if !is_own || request.role.is_some() || request.enabled.is_some() {
        caller.require(Role::Admin)?;
    }
    let name = named(&name)?;
    let mut change = UserChange {
        role: request.role,
        enabled: request.enabled,
        ..UserChange::default()
    };
    if let Some(new) = request.password {
        if is_own {
            change.keep = Some(caller.require_session()?.clone());
            confirm(&auth, &name, client, request.current_password).await?;
        }
        change.password = Some(hashed(&auth, &name, new).await?);
    }
    let user = auth.control.change_user(&name, change).await?;
    auth.changed();
    auth.audit(
        &caller.username,
        "user.change",
        user.name.as_str(),
        client.address,
        true,
    )
    .await;
    info!(user = %user.name, role = user.role.as_str(), enabled = user.enabled, by = caller.username, "user `{}` was changed", user.name);
    Ok(Json(info_of(&user)))
}

/// Who sits at an open session need not be the one who logged in.
async fn confirm(
    auth: &Auth,
    name: &Username,
    client: Client,
    current: Option<String>,
) -> Result<(), ApiError> {
    let Some(current) = current else {
        return Err(ApiError::bad_request(
            "current_password_missing",
            "your own password is changed with `current_password` beside it",
        ));
    };
    auth.throttle
        .begin(name.as_str(), client.address, std::time::Instant::now())
        .map_err(refusal::throttled)?;
    let stored = auth.control.credentials(name).await?.map(|(_, hash)| hash);
    if !auth
        .passwords
        .verify(SecretString::from(current), stored)
        .await?
    {
        auth.audit(
            name.as_str(),
            "user.change",
            name.as_str(),
            client.address,
            false,
        )
        .await;
        // not a 401: the session itself is good
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "bad_credentials",
            "`current_password` is wrong",
        ));
    }
    auth.throttle.succeeded(name.as_str(), client.address);
    Ok(())
}

/// Removes a user with all sessions, tokens and preferences.
#[utoipa::path(
    delete,
    path = "/auth/users/{name}",
    tag = "auth",
    params(("name" = String, Path, description = "Name of the user")),
    responses(
        (status = 204, description = "The user is gone"),
        (status = 403, description = "For admins only", body = ErrorAnswer),
        (status = 404, description = "No such user", body = ErrorAnswer),
        (status = 409, description = "`last_admin`: nobody would be left to administer", body = ErrorAnswer),
    )
)]
pub(super) async fn delete(
    State(auth): State<Arc<Auth>>,
    client: Client,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let name = named(&name)?;
    auth.control.delete_user(&name).await?;
    auth.changed();
    auth.audit(
        &caller.username,
        "user.delete",
        name.as_str(),
        client.address,
        true,
    )
    .await;
    info!(user = %name, by = caller.username, "user `{name}` was removed");
    Ok(StatusCode::NO_CONTENT)
}
