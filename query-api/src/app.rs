//! What every handler works with.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use axum::extract::FromRef;
use control::ControlStore;
use event_log::{Claims, EventLog};
use prometheus_client::registry::Registry;
use schemas::{Catalog, SourceName};
use supervision::Supervisor;
use time_series::TimeSeries;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};

use crate::{
    ApiError, ApiOptions, auth::Auth, health::HealthCache, metrics::ApiMetrics, owners::Owners,
    rate::RateLimit, streams::Streams,
};

/// The parts of Homelog that the API serves.
#[derive(Clone)]
pub struct Services {
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// The time-series store.
    pub store: Arc<dyn TimeSeries>,
    /// Users, sessions, tokens, preferences.
    pub control: Arc<dyn ControlStore>,
    /// Who asks, and what they may do.
    pub auth: Arc<Auth>,
    /// Unit, kind and type of every metric.
    pub catalog: Arc<Catalog>,
    /// Metrics of every room; the API adds its own.
    pub registry: Arc<Mutex<Registry>>,
    /// True once the store has everything that the log held at start.
    pub caught_up: watch::Receiver<bool>,
    /// Sources that this process collects itself: nobody may push under their names.
    pub claimed: watch::Receiver<HashSet<SourceName>>,
    /// Who has which source, where the log remembers that for those that write to it themselves.
    pub claims: Option<Arc<dyn Claims>>,
}

/// Shared state of the handlers; a handle.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) services: Services,
    pub(crate) options: ApiOptions,
    pub(crate) metrics: ApiMetrics,
    pub(crate) supervisor: Supervisor,
    pub(crate) streams: Arc<Streams>,
    pub(crate) rate: RateLimit,
    pub(crate) health: HealthCache,
    pub(crate) owners: Owners,
    queries: Semaphore,
    purges: Arc<Semaphore>,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl FromRef<App> for Arc<Auth> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.services.auth)
    }
}

impl App {
    pub(crate) fn new(services: Services, options: ApiOptions, supervisor: Supervisor) -> Self {
        let metrics = {
            let mut registry = services
                .registry
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            ApiMetrics::register(&mut registry)
        };
        Self(Arc::new(Inner {
            metrics,
            supervisor,
            streams: Arc::new(Streams::new(
                options.max_streams,
                options.max_streams_per_user,
            )),
            rate: RateLimit::new(options.requests_per_second),
            health: HealthCache::default(),
            owners: Owners::default(),
            queries: Semaphore::new(options.max_queries),
            purges: Arc::new(Semaphore::new(1)),
            services,
            options,
        }))
    }

    /// Waits a moment for a store that is being rebuilt from the log.
    ///
    /// # Errors
    /// 503 if it takes longer.
    pub(crate) async fn rebuilt(&self) -> Result<(), ApiError> {
        let mut caught_up = self.services.caught_up.clone();
        if *caught_up.borrow() {
            return Ok(());
        }
        let wait = caught_up.wait_for(|done| *done);
        match tokio::time::timeout(self.options.rebuild_wait, wait).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ApiError::unavailable(
                "rebuilding",
                "the time-series store is being rebuilt from the event log after a start: try again in a moment",
                2,
            )),
        }
    }

    /// Takes the place of the one purge that may be under way, if it is free.
    pub(crate) fn purging(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.purges).try_acquire_owned().ok()
    }

    /// Takes one of the few places for costly queries.
    ///
    /// # Errors
    /// 503 if none becomes free in a while.
    pub(crate) async fn query_place(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        let wait = std::time::Duration::from_secs(10);
        match tokio::time::timeout(wait, self.queries.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(ApiError::unavailable(
                "busy",
                "too many history queries are being worked on: try again in a moment",
                2,
            )),
        }
    }
}
