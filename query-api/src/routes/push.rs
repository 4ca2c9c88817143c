use std::{
    collections::{BTreeSet, HashSet},
    io::Read,
    sync::Arc,
};

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use event_log::{Outcome, Urgency};
use schemas::{
    Catalog, Draft, Entity, EventType, Fields, Identity, SourceName, Timestamp,
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
    items::{self, Form},
    metrics::OutcomeLabel,
};

/// Bodies larger than this are read away from the threads that serve requests, in bytes.
const LARGE: usize = 64 * 1024;
/// After how many seconds an agent may try again when the log knows too many sequences.
const FULL_WAIT: u64 = 60;

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
    mut request: Request,
) -> Result<Response, ApiError> {
    let encoding = encoding_of(request.headers())?;
    let form = form_of(request.headers());
    DefaultBodyLimit::max(limits::PUSH_BYTES).apply(&mut request);
    let body = Bytes::from_request(request, &()).await.map_err(|e| {
        if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            ApiError::bad_request("invalid_body", e.body_text())
        }
    })?;
    let catalog = Arc::clone(&app.services.catalog);
    let claimed = app.services.claimed.clone();
    let agent = caller.agent.clone();
    let large = body.len() > LARGE || encoding == Encoding::Gzip;
    let read = move || {
        let claimed = claimed.borrow();
        let rules = Rules {
            catalog: &catalog,
            claimed: &claimed,
            agent: agent.as_ref(),
        };
        read(&body, encoding, form, &rules)
    };
    let mut push = if large {
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|e| ApiError::internal(&e))??
    } else {
        read()?
    };
    owned(&app, caller.agent.as_ref(), &mut push).await?;
    append(&app, push, caller.agent.is_some()).await
}

/// What a push is read by.
struct Rules<'a> {
    catalog: &'a Catalog,
    /// Sources that this process collects itself.
    claimed: &'a HashSet<SourceName>,
    /// Who ships, if it is an agent.
    agent: Option<&'a AgentName>,
}

/// Takes out what is pushed under the name of a source that another agent has. What nobody has becomes the agent's.
async fn owned(app: &App, agent: Option<&AgentName>, push: &mut Push) -> Result<(), ApiError> {
    let mut owners = app.owners.all(&app.services).await?;
    if let Some(agent) = agent {
        let free: BTreeSet<_> = push
            .drafts
            .iter()
            .map(|draft| &draft.source)
            .filter(|source| !owners.contains_key(*source))
            .cloned()
            .collect();
        if !free.is_empty() {
            let free: Vec<_> = free.into_iter().collect();
            app.owners.claim(&app.services, agent, &free, false).await?;
            owners = app.owners.all(&app.services).await?;
        }
    }
    let mut places = std::mem::take(&mut push.places).into_iter();
    let mut kept = Vec::new();
    let rejected = &mut push.rejected;
    push.drafts.retain(|draft| {
        let place = places.next().unwrap_or_default();
        let owner = owners.get(&draft.source);
        if owner == agent || owner.is_none() {
            kept.push(place);
            return true;
        }
        rejected.push(Rejection {
            index: place,
            code: "source_claimed".to_owned(),
            message: format!(
                "source `{}` belongs to agent `{}`: push under another name, or let `homelog collect --take-over` take it if that machine was replaced",
                draft.source,
                owner.map_or("", AgentName::as_str)
            ),
        });
        false
    });
    push.places = kept;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Identity,
    Gzip,
}

fn encoding_of(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(Encoding::Identity);
    };
    let encoding = encoding.to_str().unwrap_or_default().trim();
    if encoding.eq_ignore_ascii_case("gzip") || encoding.eq_ignore_ascii_case("x-gzip") {
        Ok(Encoding::Gzip)
    } else if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") {
        Ok(Encoding::Identity)
    } else {
        Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            "the body may be sent as it is or with `Content-Encoding: gzip`",
        ))
    }
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

/// A push that was read: what may be appended and what may not.
#[derive(Debug, Default)]
struct Push {
    drafts: Vec<Draft>,
    /// Of each draft, its place in the request.
    places: Vec<usize>,
    rejected: Vec<Rejection>,
}

fn read(body: &[u8], encoding: Encoding, form: Form, rules: &Rules<'_>) -> Result<Push, ApiError> {
    let inflated;
    let body = match encoding {
        Encoding::Identity => body,
        Encoding::Gzip => {
            inflated = inflate(body)?;
            &inflated
        }
    };
    let text = std::str::from_utf8(body).map_err(|e| {
        ApiError::bad_request("invalid_json", format!("the body is not UTF-8: {e}"))
    })?;
    let items = items::split(text, form)?;
    let now = Timestamp::now();
    let mut push = Push::default();
    for (index, item) in items.into_iter().enumerate() {
        match item
            .map_err(|e| ("invalid_json", e))
            .and_then(|raw| draft_of(raw, now, rules))
        {
            Ok(draft) => {
                push.drafts.push(draft);
                push.places.push(index);
            }
            Err((code, message)) => push.rejected.push(Rejection {
                index,
                code: code.to_owned(),
                message,
            }),
        }
    }
    Ok(push)
}

fn inflate(body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let bound = limits::PUSH_BYTES as u64 + 1;
    let mut inflated = Vec::new();
    flate2::read::MultiGzDecoder::new(body)
        .take(bound)
        .read_to_end(&mut inflated)
        .map_err(|e| ApiError::bad_request("invalid_gzip", format!("the body is not gzip: {e}")))?;
    if inflated.len() > limits::PUSH_BYTES {
        return Err(too_large());
    }
    Ok(inflated)
}

fn too_large() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!(
            "the body is larger than {} MiB: push in several requests",
            limits::PUSH_BYTES / 1024 / 1024
        ),
    )
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
        return Err((
            "source_claimed",
            format!(
                "source `{}` is collected by this Homelog itself: push under another name",
                event.source
            ),
        ));
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
        fit(&draft, rules.catalog)?;
    }
    Ok(draft)
}

/// Checks every value against the type of its field. The log keeps the values as they were sent.
fn fit(draft: &Draft, catalog: &Catalog) -> Result<(), (&'static str, String)> {
    let check = |fields: &Fields, known_only: bool| {
        for (name, value) in fields.iter() {
            if known_only
                && catalog
                    .metric(draft.entity.entity_type.as_str(), name.as_str())
                    .is_none()
            {
                continue;
            }
            catalog
                .fit(&draft.entity.entity_type, name, value.clone())
                .map_err(|e| ("type_conflict", e.to_string()))?;
        }
        Ok(())
    };
    // an event that is refused registers nothing
    check(&draft.fields, true)?;
    check(&draft.fields, false)
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

async fn append(app: &App, push: Push, is_kept: bool) -> Result<Response, ApiError> {
    let Push {
        drafts,
        places,
        mut rejected,
    } = push;
    let (mut accepted, mut duplicates) = (0, 0);
    let position = if drafts.is_empty() {
        app.services.log.newest().borrow().clone()
    } else {
        let appended = app.services.log.append(drafts, Urgency::Soon).await?;
        // an agent keeps the event until the log has room; what entered with it is a duplicate then
        if is_kept
            && let Some(full) = appended.receipts.iter().find(|r| r.outcome.is_for_now())
            && let Outcome::Refused(message) = &full.outcome
        {
            return Err(ApiError::unavailable(
                "log_full",
                message.clone(),
                FULL_WAIT,
            ));
        }
        for (receipt, index) in appended.receipts.into_iter().zip(places) {
            match receipt.outcome {
                Outcome::Appended => accepted += 1,
                Outcome::Duplicate => duplicates += 1,
                Outcome::Refused(message) => rejected.push(Rejection {
                    index,
                    code: "refused".to_owned(),
                    message,
                }),
            }
        }
        appended.position
    };
    rejected.sort_by_key(|r| r.index);
    for (outcome, count) in [
        ("accepted", accepted),
        ("duplicate", duplicates),
        ("rejected", rejected.len()),
    ] {
        app.metrics
            .pushed
            .get_or_create(&OutcomeLabel { outcome })
            .inc_by(count as u64);
    }
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
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(refused)).into_response());
    }
    Ok(Json(PushAnswer {
        accepted,
        duplicates,
        rejected,
        position,
    })
    .into_response())
}
