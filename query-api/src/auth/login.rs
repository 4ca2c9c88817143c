use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use control::{
    NewSession, Rotation, RotationRule, SecretHash, Session, SessionId, User, UserError, Username,
    random_id, random_secret,
};
use schemas::{
    Timestamp,
    api::{ErrorAnswer, LoginRequest, LoginResponse},
};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::{Auth, Caller, body::Body, cookie, options::millis, refusal};
use crate::{ApiError, guard::Client};

/// Logs in with name and password.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "auth",
    security(()),
    request_body = LoginRequest,
    responses(
        (status = 200, description = "A fresh access token; the refresh token comes as the cookie `homelog_refresh`", body = LoginResponse),
        (status = 401, description = "`bad_credentials`: name or password is wrong", body = ErrorAnswer),
        (status = 403, description = "`insecure_transport`: plain HTTP from a public address", body = ErrorAnswer),
        (status = 429, description = "Too many failed attempts; `Retry-After` says how long to wait", body = ErrorAnswer),
    )
)]
pub(super) async fn login(
    State(auth): State<Arc<Auth>>,
    client: Client,
    Body(request): Body<LoginRequest>,
) -> Result<Response, ApiError> {
    let password = SecretString::from(request.password);
    auth.throttle
        .begin(&request.username, client.address, Instant::now())
        .map_err(refusal::throttled)?;
    let found = match Username::new(&request.username) {
        Ok(name) => auth.control.credentials(&name).await?,
        Err(_) => None,
    };
    let (user, stored) = found.unzip();
    // also for a name that nobody has, so that the time tells nothing
    let is_right = auth.passwords.verify(password, stored).await?;
    let actor = user.as_ref().map(|user| user.name.clone());
    let Some(user) = user.filter(|user| is_right && user.enabled) else {
        // a name that nobody has may be a password in the wrong field: it is written nowhere
        let actor = actor.as_ref().map_or("(unknown)", Username::as_str);
        auth.audit(actor, "login", "", client.address, false).await;
        warn!(user = actor, client.address = %client.address, "login of `{actor}` from {} failed", client.address);
        return Err(refusal::bad_credentials());
    };
    let answer = begin(&auth, &user, client).await.map_err(|e| match e {
        // it was changed while the password was compared
        Begin::User(UserError::Changed(_) | UserError::Disabled(_) | UserError::Unknown(_)) => {
            refusal::bad_credentials()
        }
        Begin::User(e) => e.into(),
        Begin::Api(e) => e,
    })?;
    auth.throttle.succeeded(&request.username, client.address);
    auth.audit(user.name.as_str(), "login", "", client.address, true)
        .await;
    info!(user = %user.name, client.address = %client.address, "`{}` logged in from {}", user.name, client.address);
    Ok(answer)
}

/// Why no session was begun.
pub(super) enum Begin {
    User(UserError),
    Api(ApiError),
}

impl From<ApiError> for Begin {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<Begin> for ApiError {
    fn from(begin: Begin) -> Self {
        match begin {
            Begin::User(error) => error.into(),
            Begin::Api(error) => error,
        }
    }
}

/// Opens a session for a user whose password was right.
pub(super) async fn begin(auth: &Auth, user: &User, client: Client) -> Result<Response, Begin> {
    let now = Timestamp::now();
    let refresh = random_secret().map_err(|e| ApiError::internal(&e))?;
    let id = random_id().map_err(|e| ApiError::internal(&e))?;
    let new = NewSession {
        id: SessionId::new(&id),
        user: user.name.clone(),
        epoch: user.epoch,
        refresh: SecretHash::of_secret(&refresh),
        idle_until: now.plus_millis(millis(auth.options.idle)),
        expires: now.plus_millis(millis(auth.options.absolute)),
    };
    let session = auth
        .control
        .open_session(new, now)
        .await
        .map_err(Begin::User)?;
    Ok(answer(auth, &session, Some(&refresh), client, now).await?)
}

async fn answer(
    auth: &Auth,
    session: &Session,
    refresh: Option<&SecretString>,
    client: Client,
    now: Timestamp,
) -> Result<Response, ApiError> {
    let body = LoginResponse {
        access_token: auth.access_token(session, now).await?,
        expires_in: auth.options.access_ttl.as_secs(),
        role: session.role,
        username: session.user.as_str().to_owned(),
    };
    let mut response = (private(), Json(body)).into_response();
    if let Some(refresh) = refresh {
        response.headers_mut().insert(
            header::SET_COOKIE,
            cookie::give(refresh, auth.options.idle, client.is_secure)?,
        );
    }
    Ok(response)
}

/// No cache may keep what holds a secret.
pub(super) fn private() -> AppendHeaders<[(HeaderName, HeaderValue); 1]> {
    AppendHeaders([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
}

/// Exchanges the refresh token in the cookie for the next one and a fresh access token.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    tag = "auth",
    security(()),
    responses(
        (status = 200, description = "A fresh access token, and the next refresh token as the cookie `homelog_refresh`", body = LoginResponse),
        (status = 401, description = "`session_ended`: log in again", body = ErrorAnswer),
    )
)]
pub(super) async fn refresh(
    State(auth): State<Arc<Auth>>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some(presented) = cookie::read(&headers) else {
        return Err(session_ended("log in first"));
    };
    let now = Timestamp::now();
    let next = auth.keys.successor(&*auth.control, presented, now).await?;
    let rule = RotationRule {
        idle_ms: millis(auth.options.idle),
        grace_ms: millis(auth.options.refresh_grace),
    };
    let rotation = auth
        .control
        .rotate_session(
            &SecretHash::of(presented),
            &SecretHash::of(next.expose_secret()),
            rule,
            now,
        )
        .await?;
    match rotation {
        Rotation::Rotated(session) => answer(&auth, &session, Some(&next), client, now).await,
        Rotation::Repeated {
            session,
            next_is_current,
        } => {
            let next = next_is_current.then_some(&next);
            answer(&auth, &session, next, client, now).await
        }
        Rotation::Reused(user) => {
            auth.changed();
            auth.audit(user.as_str(), "session.reuse", "", client.address, false)
                .await;
            warn!(
                user = %user, client.address = %client.address,
                "a used refresh token of `{user}` came again from {}, so its session was ended: somebody may have stolen it",
                client.address
            );
            Err(
                session_ended("this session was ended for safety: log in again")
                    .with_header(header::SET_COOKIE, cookie::take(client.is_secure)?),
            )
        }
        Rotation::Unknown => Err(session_ended("this session is over: log in again")
            .with_header(header::SET_COOKIE, cookie::take(client.is_secure)?)),
    }
}

fn session_ended(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "session_ended", message)
}

/// Ends the session of the access token; its access tokens and streams end with it.
#[utoipa::path(
    post,
    path = "/auth/logout",
    tag = "auth",
    responses(
        (status = 204, description = "The session is over"),
        (status = 401, description = "No session", body = ErrorAnswer),
    )
)]
pub(super) async fn logout(
    State(auth): State<Arc<Auth>>,
    client: Client,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let session = caller.require_session()?;
    auth.control.end_session(session).await?;
    // a cookie of another session of the same browser would let it in again
    if let Some(refresh) = cookie::read(&headers) {
        auth.control
            .end_session_of(&SecretHash::of(refresh))
            .await?;
    }
    auth.changed();
    auth.audit(&caller.username, "logout", "", client.address, true)
        .await;
    let cookie = [(header::SET_COOKIE, cookie::take(client.is_secure)?)];
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookie)).into_response())
}
