//! The end of a source, for good.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use event_log::{Purged, Urgency};
use schemas::{
    Position, SourceName, Timestamp,
    api::{ErrorAnswer, PurgedSource, SourceScope},
};
use time_series::{EntityState, Selection};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::{error, info};

use super::source::collected_still;
use crate::{
    ApiError, App,
    auth::Caller,
    guard::Client,
    purge::{self, mark, purge_letters, purge_log},
};

/// How long a purge waits for ingest to come to its mark.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What an answer leaves of the time of its request.
const MARGIN: Duration = Duration::from_secs(5);

/// A source as the store and the log know it.
struct Known {
    name: SourceName,
    entities: Vec<EntityState>,
    events: u64,
}

/// Looks for a source that may be purged.
///
/// # Errors
/// There is none of that name, somebody collects it still, or the store cannot drop it.
async fn purgeable(app: &App, name: &str) -> Result<Known, ApiError> {
    let unknown = || ApiError::not_found("there is no source of that name");
    let name = SourceName::new(name).map_err(|_| unknown())?;
    app.rebuilt().await?;
    let selection = Selection {
        sources: vec![name.clone()],
        ..Selection::default()
    };
    let entities = app.services.store.state(&selection, None).await?.entities;
    if let Some(refused) = collected_still(app, &name, &entities) {
        return Err(refused);
    }
    let events = purge::logged(&*app.services.log, &name).await?;
    if entities.is_empty() && events.is_none() {
        return Err(unknown());
    }
    if !app.services.store.capabilities().purges {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "store_keeps",
            "the time-series store cannot drop one source: InfluxDB 2.x and the embedded store can",
        ));
    }
    Ok(Known {
        name,
        entities,
        events: events.unwrap_or(0),
    })
}

/// What there is of a source that may be purged, and what a purge does not reach.
#[utoipa::path(
    get,
    path = "/api/v1/sources/{name}/purge",
    tag = "history",
    params(("name" = String, Path, description = "Name of the source")),
    responses(
        (status = 200, description = "What there is of it", body = SourceScope),
        (status = 403, description = "For admins only", body = ErrorAnswer),
        (status = 404, description = "No such source", body = ErrorAnswer),
        (status = 409, description = "`source_configured`: somebody collects it still; `store_keeps`: the store cannot drop it", body = ErrorAnswer),
    )
)]
pub(crate) async fn scope(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<SourceScope>, ApiError> {
    let known = purgeable(&app, &name).await?;
    let services = &app.services;
    Ok(Json(SourceScope {
        points: services.store.points_of(&known.name).await?,
        name: known.name.to_string(),
        entities: known.entities.len() as u64,
        events: known.events,
        notes: purge::notes(&*services.log, app.options.keep_events, Timestamp::now()),
    }))
}

/// Purges a source that is no longer configured: its events leave the log, its points the store, its dead letters and its
/// display name go. What is observed of it later begins anew. A purge that was cut short is only to be asked for again.
#[utoipa::path(
    post,
    path = "/api/v1/sources/{name}/purge",
    tag = "history",
    params(("name" = String, Path, description = "Name of the source")),
    responses(
        (status = 200, description = "What went", body = PurgedSource),
        (status = 202, description = "It goes on: ask again to hear of its end", body = PurgedSource),
        (status = 403, description = "For admins only", body = ErrorAnswer),
        (status = 404, description = "No such source", body = ErrorAnswer),
        (status = 409, description = "`source_configured`: somebody collects it still; `store_keeps`: the store cannot drop it; `purging`: another purge is under way", body = ErrorAnswer),
        (status = 503, description = "It was cut short: ask again", body = ErrorAnswer),
    )
)]
pub(crate) async fn purge(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<PurgedSource>), ApiError> {
    let audit = async |target: &str, done| {
        app.services
            .auth
            .audit(
                &caller.username,
                "source.purge",
                target,
                client.address,
                done,
            )
            .await;
    };
    let known = match purgeable(&app, &name).await {
        Ok(known) => known,
        Err(refused) => {
            if let Ok(name) = SourceName::new(&name) {
                audit(name.as_str(), false).await;
            }
            return Err(refused);
        }
    };
    let under_way = || {
        ApiError::new(
            StatusCode::CONFLICT,
            "purging",
            "another purge is under way: ask again in a moment",
        )
    };
    let place = app.purging().ok_or_else(under_way)?;
    let run = Run::begin(&app, known, &caller.username, place).await?;
    let unfinished = run.unfinished();
    info!(source = %run.name, "source `{}` is purged by `{}`", run.name, caller.username);
    audit(run.name.as_str(), true).await;
    let (done, ended) = oneshot::channel();
    let stopping = app.supervisor.token();
    // who asked may go away meanwhile
    app.supervisor.spawn_transient("purge", async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            // nobody may be waiting any more
            result = run.finish() => drop(done.send(result)),
        }
    });
    let patience = app.options.request_timeout.saturating_sub(MARGIN);
    match tokio::time::timeout(patience, ended).await {
        Ok(Ok(Ok(purged))) => Ok((StatusCode::OK, Json(purged))),
        Ok(Ok(Err(e))) => {
            error!("a purge was cut short: {e:#}");
            Err(ApiError::unavailable(
                "cut_short",
                "the purge was cut short, Homelog's log says why: ask again to have it finished",
                5,
            ))
        }
        Ok(Err(_)) => Err(ApiError::unavailable(
            "stopping",
            "homelog is stopping: ask again later to have the purge finished",
            5,
        )),
        Err(_) => Ok((StatusCode::ACCEPTED, Json(unfinished))),
    }
}

/// A purge whose mark is in the log.
struct Run {
    app: App,
    name: SourceName,
    /// Points that the store had of it.
    points: u64,
    /// After the mark.
    marked: Position,
    /// One at a time.
    _place: OwnedSemaphorePermit,
}

impl Run {
    async fn begin(
        app: &App,
        known: Known,
        by: &str,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, ApiError> {
        let services = &app.services;
        let points = services.store.points_of(&known.name).await?;
        let mark = mark(&known.entities, &known.name, Timestamp::now(), by)
            .map_err(|e| ApiError::internal(&e))?;
        let appended = services.log.append(vec![mark], Urgency::Soon).await?;
        if let Some(why) = appended.refusal() {
            return Err(ApiError::unavailable("refused", why, 10));
        }
        Ok(Self {
            app: app.clone(),
            name: known.name,
            points,
            marked: appended.position,
            _place: place,
        })
    }

    fn unfinished(&self) -> PurgedSource {
        PurgedSource {
            name: self.name.to_string(),
            done: false,
            events: None,
            points: None,
            dead_letters: 0,
            notes: Vec::new(),
        }
    }

    async fn finish(self) -> anyhow::Result<PurgedSource> {
        let services = &self.app.services;
        let log = &*services.log;
        let events = match purge_log(log, &self.name, &self.marked).await? {
            Purged::Events(events) => Some(events),
            Purged::ByRetention => None,
        };
        let stored = self.is_stored().await;
        // ingest puts aside what it read before the mark until it has come there
        let dead_letters = purge_letters(log, &self.name).await?;
        services.control.set_display_name(&self.name, None).await?;
        let mut notes = purge::notes(log, self.app.options.keep_events, Timestamp::now());
        if !stored {
            notes.insert(
                0,
                "ingest has not come to the mark of the purge yet: the store drops its points then"
                    .to_owned(),
            );
        }
        Ok(PurgedSource {
            done: stored,
            events,
            points: stored.then_some(self.points),
            dead_letters,
            notes,
            ..self.unfinished()
        })
    }

    /// Waits until ingest has passed the mark; false if that takes too long.
    async fn is_stored(&self) -> bool {
        let passed = async {
            loop {
                if let Ok(Some(position)) = self.app.services.store.position().await
                    && position.reaches(&self.marked)
                {
                    return;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, passed).await.is_ok()
    }
}
