use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use control::{SecretHash, TicketUse};
use schemas::api::Role;
use tracing::error;

use super::{
    Access, Auth, Caller, PresentedTicket,
    access::{Listed, Version},
    access_of, bearer, refusal,
};
use crate::{ApiError, influxdb};

/// Paths under which nothing is a static file.
const GUARDED: &[&str] = &["/api", "/auth", "/influxdb", "/realtime"];

/// Stands before every route: finds out who asks, and refuses what the table does not allow.
pub(crate) async fn layer(State(auth): State<Arc<Auth>>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    match admit(&auth, &head).await {
        Ok(caller) => {
            if let Some(caller) = caller {
                head.extensions.insert(caller);
            }
            next.run(Request::from_parts(head, body)).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn admit(auth: &Auth, head: &Parts) -> Result<Option<Caller>, ApiError> {
    let Some(template) = head.extensions.get::<MatchedPath>() else {
        return unrouted(auth, head).await;
    };
    let access = match access_of(&head.method, template.as_str()) {
        Listed::As(access) => access,
        Listed::OtherMethods(methods) => return Err(other_method(&methods)),
        Listed::Not => {
            error!(
                http.route = template.as_str(),
                "route `{}` is refused since it has no line in the table of access",
                template.as_str()
            );
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "nobody may use this route",
            ));
        }
    };
    let headers = &head.headers;
    let (least, usage) = match access {
        Access::Open => return Ok(None),
        Access::Optional => {
            return match bearer(headers) {
                // the token of an agent ships its events and reads nothing: its holder is told what strangers are told
                Ok(Some(_)) => Ok(auth
                    .authenticate(headers, None)
                    .await
                    .ok()
                    .filter(|caller| caller.agent.is_none())),
                Ok(None) | Err(_) => Ok(None),
            };
        }
        Access::Agent => {
            let caller = auth.authenticate(headers, None).await?;
            caller.require_agent()?;
            return Ok(Some(caller));
        }
        Access::Push(least) => {
            let caller = auth.authenticate(headers, None).await?;
            if caller.agent.is_none() {
                caller.require(least)?;
            }
            return Ok(Some(caller));
        }
        Access::Lines(least, version) => {
            let credential = influxdb::credential(headers, &head.uri, version == Version::One)
                .ok_or_else(|| refusal::unauthorized("unauthorized access"))?;
            let caller = auth.known(&credential).await?;
            caller.require(least)?;
            return Ok(Some(caller));
        }
        Access::Role(least) => (least, None),
        Access::WebSocket(least) => (least, Some(TicketUse::Once)),
        Access::Stream(least) => (least, Some(TicketUse::Stream(stream_of(&head.uri)))),
    };
    let ticket = usage
        .and_then(|usage| ticket_of(&head.uri).map(|ticket| PresentedTicket { ticket, usage }));
    let caller = auth.authenticate(headers, ticket).await?;
    caller.require(least)?;
    Ok(Some(caller))
}

/// A path without a route: static files are for everybody, all else tells strangers nothing.
async fn unrouted(auth: &Auth, head: &Parts) -> Result<Option<Caller>, ApiError> {
    let path = head.uri.path();
    let is_guarded = GUARDED.iter().any(|prefix| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if !is_guarded {
        return Ok(None);
    }
    let caller = auth.authenticate(&head.headers, None).await?;
    caller.require(Role::Viewer)?;
    Ok(Some(caller))
}

fn other_method(methods: &[Method]) -> ApiError {
    let allowed = methods
        .iter()
        .map(Method::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let refused = ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("this path takes {allowed}"),
    );
    match HeaderValue::from_str(&allowed) {
        Ok(value) => refused.with_header(header::ALLOW, value),
        Err(_) => refused,
    }
}

/// The `ticket` parameter; a ticket has no character that would have to be decoded.
fn ticket_of(uri: &Uri) -> Option<&str> {
    uri.query()?
        .split('&')
        .find_map(|pair| pair.strip_prefix("ticket="))
        .filter(|ticket| !ticket.is_empty())
}

/// Names the stream that a request is for: an EventSource comes back to the very same URL.
fn stream_of(uri: &Uri) -> SecretHash {
    SecretHash::of(uri.path_and_query().map_or("", |whole| whole.as_str()))
}
