//! The way of what is pushed into the log, through whichever door it came: the body within its bounds, the checks of each
//! event, whose source it is, and the log itself, which answers when all of it is durable.

use std::{collections::BTreeSet, io::Read};

use axum::{
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use event_log::{Outcome, Urgency};
use schemas::{
    Catalog, Draft, Fields, Position, Purge, SourceName, api::Rejection, catalog::TypeConflict,
    limits, name::AgentName,
};

use crate::{ApiError, App, metrics::OutcomeLabel};

/// Bodies larger than this are read away from the threads that serve requests, in bytes.
const LARGE: usize = 64 * 1024;
/// After how many seconds an agent may try again when the log knows too many sequences.
const FULL_WAIT: u64 = 60;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Identity,
    Gzip,
}

/// A body as it was sent.
pub(crate) struct Raw {
    bytes: Bytes,
    encoding: Encoding,
}

impl Raw {
    /// Takes it in, up to the bound.
    ///
    /// # Errors
    /// It is too large, encoded in an unknown way, or it broke off.
    pub(crate) async fn receive(mut request: Request) -> Result<Self, ApiError> {
        let encoding = encoding_of(request.headers())?;
        DefaultBodyLimit::max(limits::PUSH_BYTES).apply(&mut request);
        let bytes = Bytes::from_request(request, &()).await.map_err(|e| {
            if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
                too_large()
            } else {
                ApiError::bad_request("invalid_body", e.body_text())
            }
        })?;
        Ok(Self { bytes, encoding })
    }

    /// Reads it, decompressed; what takes long does not stop other requests.
    ///
    /// # Errors
    /// It is not gzip, too large, or what the reader says.
    pub(crate) async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&[u8]) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        match self.encoding {
            Encoding::Identity if self.bytes.len() <= LARGE => read(&self.bytes),
            Encoding::Identity => blocking(move || read(&self.bytes)).await,
            Encoding::Gzip => blocking(move || read(&inflate(&self.bytes)?)).await,
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| ApiError::internal(&e))?
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

/// What was read of a push: what may be appended and what may not.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    drafts: Vec<Draft>,
    /// Of each draft, its place in the request.
    places: Vec<usize>,
    rejected: Vec<Rejection>,
}

impl Pushed {
    /// Takes an event, which stood at a place of the request; a mark of a purge is refused: who may push may not purge.
    pub(crate) fn take(&mut self, place: usize, draft: Draft) {
        if Purge::is_drafted(&draft) {
            let message = "a source is purged with `homelog source purge`, not by an event";
            self.refuse(place, "reserved", message.to_owned());
            return;
        }
        self.drafts.push(draft);
        self.places.push(place);
    }

    /// Refuses what stood at a place of the request.
    pub(crate) fn refuse(&mut self, index: usize, code: &str, message: String) {
        self.rejected.push(Rejection {
            index,
            code: code.to_owned(),
            message,
        });
    }
}

/// Says that this process collects a source itself.
pub(crate) fn collected_here(source: &SourceName) -> String {
    format!("source `{source}` is collected by this Homelog itself: push under another name")
}

/// Checks every value against the type of its field, which the first value gives it. The log keeps the values as they were
/// sent.
///
/// # Errors
/// A field holds values of another type; then nothing is registered.
pub(crate) fn fit(draft: &Draft, catalog: &Catalog) -> Result<(), TypeConflict> {
    let check = |fields: &Fields, known_only: bool| {
        for (name, value) in fields.iter() {
            if known_only
                && catalog
                    .metric(draft.entity.entity_type.as_str(), name.as_str())
                    .is_none()
            {
                continue;
            }
            catalog.fit(&draft.entity.entity_type, name, value.clone())?;
        }
        Ok(())
    };
    // an event that is refused registers nothing
    check(&draft.fields, true)?;
    check(&draft.fields, false)
}

/// Takes out what is pushed under the name of a source that another agent has. What nobody has becomes the agent's.
///
/// # Errors
/// It cannot be found out who has which source.
pub(crate) async fn owned(
    app: &App,
    agent: Option<&AgentName>,
    pushed: &mut Pushed,
) -> Result<(), ApiError> {
    let mut owners = app.owners.all(&app.services).await?;
    if let Some(agent) = agent {
        let free: BTreeSet<_> = pushed
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
    let mut places = std::mem::take(&mut pushed.places).into_iter();
    let mut kept = Vec::new();
    let rejected = &mut pushed.rejected;
    pushed.drafts.retain(|draft| {
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
    pushed.places = kept;
    Ok(())
}

/// What became of a push.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) accepted: usize,
    pub(crate) duplicates: usize,
    /// By their places in the request.
    pub(crate) rejected: Vec<Rejection>,
    /// After the last event.
    pub(crate) position: Position,
}

/// Appends, and comes back when all that was accepted is durable. What `is_kept` its sender sends again.
///
/// # Errors
/// The log takes nothing now; nothing was acknowledged.
pub(crate) async fn append(app: &App, pushed: Pushed, is_kept: bool) -> Result<Taken, ApiError> {
    let Pushed {
        drafts,
        places,
        mut rejected,
    } = pushed;
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
    Ok(Taken {
        accepted,
        duplicates,
        rejected,
        position,
    })
}
