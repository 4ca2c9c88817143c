use std::time::{Duration, Instant};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use event_log::ReadQuery;
use schemas::{
    Position, Timestamp,
    api::{ErrorAnswer, EventsAnswer},
    limits,
};

use crate::{
    ApiError, App, accept::accepts, convert::api_event, params::Params, selection::filter_of,
    tail::parse_position,
};

const DEFAULT_LIMIT: usize = 1_000;
/// A page ends at about this size, whatever its limit, in bytes.
const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// A page ends after this long, however little it found.
const SCAN: Duration = Duration::from_secs(5);
/// Records of one read of the log.
const CHUNK: usize = 1_000;

const NEXT: HeaderName = HeaderName::from_static("homelog-next");
const MORE: HeaderName = HeaderName::from_static("homelog-more");

/// Events in the order of the log.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(
        ("source" = Option<Vec<String>>, Query, description = "Names of sources; repeatable or a list joined by commas"),
        ("entity" = Option<Vec<String>>, Query, description = "Keys of entities; repeatable"),
        ("type" = Option<Vec<String>>, Query, description = "Types of entities, or `sample`, `change` for types of events; repeatable or a list joined by commas"),
        ("event" = Option<Vec<String>>, Query, description = "Types of events: sample, change, source; repeatable or a list joined by commas"),
        ("from" = Option<String>, Query, description = "Observed at or after: RFC 3339, `now`, `-6h` or a Unix number; without it from the beginning of the log"),
        ("to" = Option<String>, Query, description = "Observed before; without it to the end of the log, since late events stand there"),
        ("after" = Option<String>, Query, description = "A position, exclusive: the `next` of the page before"),
        ("limit" = Option<usize>, Query, description = "Most events of a page, up to 10,000; 1,000 without it"),
    ),
    responses(
        (status = 200, description = "A page; `next` goes on after it. By `Accept: application/x-ndjson` one event a line, with `next` and `more` in the headers `homelog-next` and `homelog-more`", content(
            (EventsAnswer = "application/json"),
            (String = "application/x-ndjson"),
        )),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 410, description = "`position_gone`: the log does not have that position", body = ErrorAnswer),
    )
)]
pub(crate) async fn events(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::read(
        &uri,
        &[
            "source", "entity", "type", "event", "from", "to", "after", "limit",
        ],
    )?;
    let now = Timestamp::now();
    let mut filter = filter_of(&params)?;
    filter.from = params.time("from", now)?;
    filter.to = params.time("to", now)?;
    let limit = params.number("limit", DEFAULT_LIMIT, limits::READ_EVENTS)?;
    let ndjson = accepts(&headers, "application/x-ndjson");
    let log = &*app.services.log;
    let start = match (params.one("after")?, filter.from) {
        (Some(after), _) => parse_position(log, after).await?,
        // an event that is ahead of its arrival stands in the log before its time
        (None, Some(from)) => log.seek(from.plus_millis(-limits::FUTURE_SKEW_MS)).await?,
        (None, None) => log.bounds().await?.oldest,
    };
    let _place = app.query_place().await?;
    let mut page = Page::new(ndjson, start);
    let begun = Instant::now();
    loop {
        let query = ReadQuery {
            filter: filter.clone(),
            limit: (limit - page.events).min(CHUNK),
        };
        let batch = match log.read(&page.next, &query).await {
            Ok(batch) => batch,
            // trimmed while the page was read, or between the look at the beginning and the read
            Err(event_log::ReadError::PositionGone { oldest, .. })
                if params.one("after")?.is_none() && page.events == 0 && oldest != page.next =>
            {
                page.next = oldest;
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        let mut position = page.next.clone();
        let mut whole = true;
        for record in &batch.records {
            if page.bytes.len() >= PAGE_BYTES {
                whole = false;
                break;
            }
            position.advance(record.partition, record.offset);
            if let Some(event) = record.event() {
                page.add(&api_event(event, record.logged, &position))?;
            }
            page.next = position.clone();
        }
        if !whole {
            page.more = true;
            break;
        }
        page.next = batch.next;
        page.more = !batch.at_end;
        if batch.at_end || page.events >= limit || begun.elapsed() >= SCAN {
            break;
        }
    }
    page.into_response()
}

/// A page as it is written, so that no second copy of it is held.
struct Page {
    ndjson: bool,
    bytes: Vec<u8>,
    events: usize,
    next: Position,
    more: bool,
}

impl Page {
    fn new(ndjson: bool, next: Position) -> Self {
        Self {
            ndjson,
            bytes: if ndjson {
                Vec::new()
            } else {
                b"{\"events\":[".to_vec()
            },
            events: 0,
            next,
            more: false,
        }
    }

    fn add(&mut self, event: &schemas::api::ApiEvent) -> Result<(), ApiError> {
        if !self.ndjson && self.events > 0 {
            self.bytes.push(b',');
        }
        serde_json::to_writer(&mut self.bytes, event).map_err(|e| ApiError::internal(&e))?;
        if self.ndjson {
            self.bytes.push(b'\n');
        }
        self.events += 1;
        Ok(())
    }

    fn into_response(mut self) -> Result<Response, ApiError> {
        let next = self.next.to_string();
        if !self.ndjson {
            self.bytes.extend_from_slice(
                format!("],\"next\":\"{next}\",\"more\":{}}}", self.more).as_bytes(),
            );
        }
        let kind = if self.ndjson {
            "application/x-ndjson"
        } else {
            "application/json"
        };
        let more = if self.more { "true" } else { "false" };
        let mut response = (
            [
                (header::CONTENT_TYPE, kind),
                (header::CACHE_CONTROL, "no-store"),
                (header::VARY, "accept"),
            ],
            self.bytes,
        )
            .into_response();
        let next = HeaderValue::from_str(&next).map_err(|e| ApiError::internal(&e))?;
        response.headers_mut().insert(NEXT, next);
        response
            .headers_mut()
            .insert(MORE, HeaderValue::from_static(more));
        Ok(response)
    }
}
