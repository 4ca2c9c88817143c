use std::{collections::HashSet, sync::Arc};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemas::{
    Catalog, Draft, Entity, EventType, Identity, SourceName, Timestamp,
    api::{ErrorAnswer, ErrorBody, PushAnswer, PushEvent, Rejection},
    event::InvalidEvent,
    limits,
    name::{AgentName, SourceKind},
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    ApiError, App,
    auth::Caller,
    error::request_id,
    intake::{self, Pushed, Raw, Taken},
    items::{self, Form},
};

/// Every event of the push was refused; why is told for each.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RefusedPush {
    error: ErrorBody,
    accepted: usize,
    duplicates: usize,
    rejected: Vec<Rejection>,
    position: String,
}

/// Takes events that a service pushes, and answers when they are durable.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    tag = "events",
    request_body(
        description = "An object, an array, or one object a line (`application/x-ndjson`); `Content-Encoding: gzip` is understood. At most 10,000 events and 16 MiB. Whoever retries supplies `epoch` and `seq`, so that a retry is the same event",
        content(
            (PushEvent = "application/json"),
            (Vec<PushEvent> = "application/json"),
            (PushEvent = "application/x-ndjson"),
        )
    ),
    responses(
        (status = 200, description = "Durable, except what is listed in `rejected`", body = PushAnswer),
        (status = 400, description = "No JSON at all", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 403, description = "The role may not push", body = ErrorAnswer),
        (status = 413, description = "Too many events or bytes", body = ErrorAnswer),
        (status = 415, description = "A content encoding other than gzip", body = ErrorAnswer),
        (status = 422, description = "Every event was rejected", body = RefusedPush),
        (status = 503, description = "The log cannot take events now; nothing was acknowledged", body = ErrorAnswer),
        (status = 507, description = "The disk is full; nothing was acknowledged", body = ErrorAnswer),
    )
)]
pub(crate) async fn push(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let form = form_of(request.headers());
    let raw = Raw::receive(request).await?;
    let catalog = Arc::clone(&app.services.catalog);
    let claimed = app.services.claimed.clone();
    let agent = caller.agent.clone();
    let read = move |body: &[u8]| {
        let claimed = claimed.borrow();
        let rules = Rules {
            catalog: &catalog,
            claimed: &claimed,
            agent: agent.as_ref(),
        };
        read(body, form, &rules)
    };
    let mut pushed = raw.read(read).await?;
    intake::owned(&app, caller.agent.as_ref(), &mut pushed).await?;
    let taken = intake::append(&app, pushed, caller.agent.is_some()).await?;
    Ok(answer(taken))
}

/// What a push is read by.
struct Rules<'a> {
    catalog: &'a Catalog,
    /// Sources that this process collects itself.
    claimed: &'a HashSet<SourceName>,
    /// Who ships, if it is an agent.
    agent: Option<&'a AgentName>,
}

fn form_of(headers: &HeaderMap) -> Form {
    let lines = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| {
            [
                "application/x-ndjson",
                "application/ndjson",
                "application/jsonl",
            ]
            .iter()
            .any(|name| kind.trim().eq_ignore_ascii_case(name))
        });
    if lines { Form::Lines } else { Form::Unknown }
}

fn read(body: &[u8], form: Form, rules: &Rules<'_>) -> Result<Pushed, ApiError> {
    let text = std::str::from_utf8(body).map_err(|e| {
        ApiError::bad_request("invalid_json", format!("the body is not UTF-8: {e}"))
    })?;
    let items = items::split(text, form)?;
    let now = Timestamp::now();
    let mut pushed = Pushed::default();
    for (index, item) in items.into_iter().enumerate() {
        match item
            .map_err(|e| ("invalid_json", e))
            .and_then(|raw| draft_of(raw, now, rules))
        {
            Ok(draft) => pushed.take(index, draft),
            Err((code, message)) => pushed.refuse(index, code, message),
        }
    }
    Ok(pushed)
}

fn draft_of(
    raw: &RawValue,
    now: Timestamp,
    rules: &Rules<'_>,
) -> Result<Draft, (&'static str, String)> {
    if raw.get().len() > limits::EVENT_BYTES {
        return Err((
            "event_too_large",
            format!(
                "the event is {} bytes long, the limit is {}",
                raw.get().len(),
                limits::EVENT_BYTES
            ),
        ));
    }
    let mut reader = serde_json::Deserializer::from_str(raw.get());
    let event: PushEvent = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        let message = if path == "." {
            e.inner().to_string()
        } else {
            format!("`{path}`: {}", e.inner())
        };
        ("invalid_event", message)
    })?;
    let identity = match (event.epoch, event.seq) {
        (Some(epoch), Some(seq)) => Some(Identity { epoch, seq }),
        (None, None) => None,
        (None, Some(_)) => {
            return Err((
                "invalid_identity",
                "`seq` needs `epoch`, the id of the sequence that it belongs to".to_owned(),
            ));
        }
        (Some(_), None) => {
            return Err((
                "invalid_identity",
                "`epoch` needs `seq`, the place in its sequence".to_owned(),
            ));
        }
    };
    if rules.claimed.contains(event.source.as_str()) {
        return Err(("source_claimed", intake::collected_here(&event.source)));
    }
    let kind = match event.kind {
        Some(kind) => kind,
        None => SourceKind::new("push").map_err(|e| ("invalid_event", e.to_string()))?,
    };
    let draft = Draft {
        source: event.source,
        kind,
        agent: rules.agent.cloned(),
        event_type: event.event_type.unwrap_or(EventType::Sample),
        time: event.time.unwrap_or(now),
        entity: Entity {
            entity_type: event.entity.entity_type,
            id: event.entity.id,
            labels: event.entity.labels,
        },
        fields: event.fields,
        identity,
    };
    draft.check().map_err(|e| (code_of(&e), e.to_string()))?;
    // an agent's log took the event already: what does not fit becomes a dead letter of its field, as with our own
    if rules.agent.is_none() {
        intake::fit(&draft, rules.catalog).map_err(|e| ("type_conflict", e.to_string()))?;
    }
    Ok(draft)
}

fn code_of(e: &InvalidEvent) -> &'static str {
    match e {
        InvalidEvent::NoFields => "no_fields",
        InvalidEvent::Value(_) => "invalid_value",
        InvalidEvent::TooManyLabels(_) => "too_many_labels",
        InvalidEvent::LabelTooLong(..) => "label_too_long",
        InvalidEvent::Time(_) => "invalid_time",
        InvalidEvent::Seq => "invalid_identity",
    }
}

fn answer(taken: Taken) -> Response {
    let Taken {
        accepted,
        duplicates,
        rejected,
        position,
    } = taken;
    let position = position.to_string();
    if accepted == 0 && duplicates == 0 && !rejected.is_empty() {
        let message = match rejected.as_slice() {
            [one] => format!("the event was rejected: {}: {}", one.code, one.message),
            all => format!(
                "all {} events were rejected; `rejected` tells why each",
                all.len()
            ),
        };
        let refused = RefusedPush {
            error: ErrorBody {
                code: "all_rejected".to_owned(),
                message,
                request_id: request_id(),
                oldest: None,
                newest: None,
            },
            accepted,
            duplicates,
            rejected,
            position,
        };
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(refused)).into_response();
    }
    Json(PushAnswer {
        accepted,
        duplicates,
        rejected,
        position,
    })
    .into_response()
}
