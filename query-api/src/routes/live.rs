use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::{IntoResponse, Response, Sse, sse},
};
use event_log::ReadError;
use futures::stream;
use schemas::{Position, api::ErrorAnswer};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    ApiError, App,
    auth::{Auth, Caller},
    convert::api_event,
    metrics::StreamLabel,
    params::Params,
    selection::filter_of,
    streams::StreamPlace,
    tail::{Found, Step, Tail},
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Events that may pass a stream by before it tells its position anew.
const FAR: u64 = 100_000;
/// Tells nginx not to hold events back.
const ACCEL: HeaderName = HeaderName::from_static("x-accel-buffering");

/// New events as they become durable, as server-sent events.
#[utoipa::path(
    get,
    path = "/api/v1/live",
    tag = "live",
    params(
        ("from" = Option<String>, Query, description = "Where to begin: the `position` of any answer; now without it"),
        ("source" = Option<Vec<String>>, Query, description = "Names of sources; repeatable or a list joined by commas"),
        ("entity" = Option<Vec<String>>, Query, description = "Keys of entities; repeatable"),
        ("type" = Option<Vec<String>>, Query, description = "Types of entities, or `sample`, `change` for types of events; repeatable or a list joined by commas"),
        ("event" = Option<Vec<String>>, Query, description = "Types of events: sample, change, source; repeatable or a list joined by commas"),
        ("ticket" = Option<String>, Query, description = "A ticket instead of a token, for browsers' EventSource"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last position that was seen; beats `from`"),
    ),
    responses(
        (status = 200, description = "`event:` sample, change, source with an event as `data:` and its position as `id:`; `event: gap` with `oldest` and `newest` when the log was trimmed past the stream, which goes on at `oldest`; a comment every 15 s", body = String, content_type = "text/event-stream"),
        (status = 401, description = "No valid token", body = ErrorAnswer),
        (status = 410, description = "`position_gone`: the log does not have that position", body = ErrorAnswer),
        (status = 429, description = "Too many streams of one user", body = ErrorAnswer),
    )
)]
pub(crate) async fn live(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::read(
        &uri,
        &["from", "source", "entity", "type", "event", "ticket"],
    )?;
    let filter = filter_of(&params)?;
    let resumed = headers
        .get(LAST_EVENT_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty());
    let from = match resumed {
        Some(id) => Some(id),
        None => params.one("from")?,
    };
    let place = app.streams.open(&caller.username)?;
    let tail = Tail::open(Arc::clone(&app.services.log), from, filter).await?;
    let stream = LiveStream::new(&app, caller, tail, place);
    let stop = stream.stop.clone();
    let events = stream::unfold(stream, LiveStream::step);
    let events = futures::StreamExt::take_until(events, stop.cancelled_owned());
    let mut response = Sse::new(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL, HeaderValue::from_static("no"));
    Ok(response)
}

struct LiveStream {
    tail: Tail,
    ready: VecDeque<Found>,
    told: Position,
    begun: bool,
    heartbeat: Interval,
    caller: Caller,
    auth: Arc<Auth>,
    changes: watch::Receiver<u64>,
    stop: CancellationToken,
    gauge: prometheus_client::metrics::gauge::Gauge,
    _place: StreamPlace,
}

impl LiveStream {
    fn new(app: &App, caller: Caller, tail: Tail, place: StreamPlace) -> Self {
        let gauge = app
            .metrics
            .streams
            .get_or_create_owned(&StreamLabel { transport: "sse" });
        gauge.inc();
        Self {
            told: tail.position().clone(),
            tail,
            ready: VecDeque::new(),
            begun: false,
            heartbeat: heartbeat(app.options.heartbeat),
            caller,
            changes: app.services.auth.changes(),
            auth: Arc::clone(&app.services.auth),
            stop: app.supervisor.token(),
            gauge,
            _place: place,
        }
    }

    async fn step(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        if !self.begun {
            self.begun = true;
            // at once, so that the client sees the stream open
            return Some(self.comment("live"));
        }
        loop {
            if let Some(found) = self.ready.pop_front() {
                let event = api_event(&found.event, found.logged, &found.position);
                self.told = found.position;
                let block = sse::Event::default()
                    .event(event.event_type.as_str())
                    .id(&event.position);
                match block.json_data(&event) {
                    Ok(block) => return Some((Ok(block), self)),
                    Err(e) => {
                        warn!(event.id = %event.id, "an event could not be written: {e}");
                        return None;
                    }
                }
            }
            tokio::select! {
                biased;
                // somebody logged out or was changed: perhaps this user
                Ok(()) = self.changes.changed() => {
                    if !self.auth.still_valid(&self.caller).await {
                        return None;
                    }
                }
                _ = self.heartbeat.tick() => {
                    if !self.auth.still_valid(&self.caller).await {
                        return None;
                    }
                    return Some(self.comment("alive"));
                }
                step = self.tail.next() => match step {
                    Ok(Step::Events(events)) => self.ready = events.into(),
                    Ok(Step::Gap { oldest, newest }) => {
                        let data = json!({"oldest": oldest, "newest": newest});
                        let block = sse::Event::default()
                            .event("gap")
                            .id(oldest.to_string())
                            .data(data.to_string());
                        self.told = oldest;
                        return Some((Ok(block), self));
                    }
                    Err(ReadError::Closed) => return None,
                    Err(e) => {
                        warn!("a live stream ends: {e}");
                        return None;
                    }
                },
            }
        }
    }

    /// A comment. It carries the position as `id:` when that moved far without an event that the client asked for, so that
    /// the client does not come back with one that was trimmed meanwhile.
    fn comment(mut self, text: &str) -> (Result<sse::Event, Infallible>, Self) {
        let mut block = sse::Event::default().comment(text);
        if self.tail.position().events_since(&self.told) >= FAR {
            self.told = self.tail.position().clone();
            block = block.id(self.told.to_string());
        }
        (Ok(block), self)
    }
}

impl Drop for LiveStream {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// Ticks first after one period.
pub(crate) fn heartbeat(period: Duration) -> Interval {
    let mut heartbeat = tokio::time::interval_at(Instant::now() + period, period);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat
}
