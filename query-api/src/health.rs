//! How well Homelog and its sources do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use schemas::{
    Timestamp,
    api::{HealthAnswer, HealthState, ServiceHealth, SourceState},
    name::EntityType,
};
use time_series::Selection;
use tracing::warn;

use crate::{
    App,
    family::family_of,
    probe,
    source_status::{ENTITY_TYPE, SourceStatus},
};

/// How long an answer is good: anybody may ask, and looking costs more than telling.
const FRESH: Duration = Duration::from_secs(1);
/// How long a part may take to say that it is well.
const PATIENCE: Duration = Duration::from_secs(2);
/// A source that nobody collects here and that was silent for this long was taken away.
const FORGOTTEN_MS: i64 = 24 * 3_600_000;

/// The last answer.
#[derive(Default)]
pub(crate) struct HealthCache(Mutex<Option<(Instant, Arc<HealthAnswer>)>>);

impl HealthCache {
    fn fresh(&self) -> Option<Arc<HealthAnswer>> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached
            .as_ref()
            .filter(|(at, _)| at.elapsed() < FRESH)
            .map(|(_, answer)| Arc::clone(answer))
    }

    fn keep(&self, answer: &Arc<HealthAnswer>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), Arc::clone(answer)));
    }
}

/// How everything does, as of about now.
pub(crate) async fn health(app: &App) -> Arc<HealthAnswer> {
    if let Some(answer) = app.health.fresh() {
        return answer;
    }
    let answer = Arc::new(look(app).await);
    app.health.keep(&answer);
    answer
}

async fn look(app: &App) -> HealthAnswer {
    let caught_up = *app.services.caught_up.borrow();
    let (control, store, log) = tokio::join!(
        within("control store", app.services.control.check()),
        within("time-series store", app.services.store.position()),
        within("event log", app.services.log.bounds()),
    );
    let mut services = BTreeMap::new();
    let mut database = if store.status > control.status {
        store
    } else {
        control
    };
    if database.status == HealthState::Healthy && !caught_up {
        database =
            degraded("the time-series store is being rebuilt from the event log after a start");
    }
    put(&mut services, "database", database);
    put(&mut services, "event_log", log);
    probe::look(&app.options.probes, &mut services);
    let own = worst(&services);
    if caught_up {
        sources(app, &mut services).await;
    }
    let all = worst(&services);
    let status = if own == HealthState::Unhealthy {
        HealthState::Unhealthy
    } else {
        // a source that is down is not our own failure
        all.min(HealthState::Degraded)
    };
    HealthAnswer { status, services }
}

async fn sources(app: &App, services: &mut BTreeMap<String, ServiceHealth>) {
    let Ok(entity_type) = EntityType::new(ENTITY_TYPE) else {
        return;
    };
    let selection = Selection {
        entity_types: vec![entity_type],
        ..Selection::default()
    };
    let asked = app.services.store.state(&selection, None);
    let Ok(Ok(state)) = tokio::time::timeout(PATIENCE, asked).await else {
        // said already where the store itself was asked
        return;
    };
    let now = Timestamp::now();
    for entity in &state.entities {
        let Some(source) = SourceStatus::of(entity, now) else {
            continue;
        };
        if source.state == SourceState::Removed {
            continue;
        }
        let ours = app.services.claimed.borrow().contains(source.name.as_str());
        if !ours && now.since(source.heard) > FORGOTTEN_MS {
            continue;
        }
        let name = source.name.to_string();
        let kind = source.kind.clone();
        let family = family_of(kind.as_str());
        let health = health_of(source);
        if family != name {
            let mut of_kind = health.clone();
            of_kind.reason = of_kind.reason.map(|reason| format!("{name}: {reason}"));
            put(services, family, of_kind);
        }
        put(services, &name, health);
    }
}

fn health_of(source: SourceStatus) -> ServiceHealth {
    let status = match source.state {
        // it does what it is for, but what it is for is that somebody looks
        SourceState::Up if source.finding.is_some() => HealthState::Degraded,
        SourceState::Up | SourceState::Pushed | SourceState::Removed => HealthState::Healthy,
        SourceState::Stale => HealthState::Degraded,
        SourceState::Down => HealthState::Unhealthy,
    };
    ServiceHealth {
        status,
        reason: match source.state {
            SourceState::Up => source
                .finding
                .map(|finding| format!("it works, and finds what it watches down: {finding}")),
            _ => source.reason,
        },
        class: source.class,
        fix: source.fix,
    }
}

/// How the worst of them does; healthy if there are none.
pub(crate) fn worst(services: &BTreeMap<String, ServiceHealth>) -> HealthState {
    services
        .values()
        .map(|service| service.status)
        .max()
        .unwrap_or(HealthState::Healthy)
}

/// Keeps the worse of two under one name.
pub(crate) fn put(
    services: &mut BTreeMap<String, ServiceHealth>,
    name: &str,
    health: ServiceHealth,
) {
    match services.get_mut(name) {
        Some(before) if before.status >= health.status => {}
        Some(before) => *before = health,
        None => {
            services.insert(name.to_owned(), health);
        }
    }
}

async fn within<T, E: std::fmt::Display>(
    what: &str,
    asked: impl Future<Output = Result<T, E>>,
) -> ServiceHealth {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(_)) => ServiceHealth::new(HealthState::Healthy, None),
        Ok(Err(e)) => {
            warn!("the {what} is not well: {e}");
            unhealthy(format!("the {what} failed: {e}"))
        }
        Err(_) => unhealthy(format!(
            "the {what} did not answer within {} s",
            PATIENCE.as_secs()
        )),
    }
}

fn unhealthy(reason: String) -> ServiceHealth {
    ServiceHealth::new(HealthState::Unhealthy, Some(reason))
}

fn degraded(reason: &str) -> ServiceHealth {
    ServiceHealth::new(HealthState::Degraded, Some(reason.to_owned()))
}
