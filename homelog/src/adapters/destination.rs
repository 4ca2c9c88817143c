//! Where an agent ships to.

use std::sync::Arc;

use event_log::{Destination, LogDestination, http};
use schemas::name::AgentName;

use super::{log::Log, tls};
use crate::config;

/// A hub.
///
/// # Errors
/// The configuration cannot work.
pub(crate) fn hub(config: &config::Log) -> anyhow::Result<Arc<dyn Destination>> {
    let options = http::Options::new(http::Enrolment {
        url: config.url.as_str().to_owned(),
        tls: tls::policy(&config.tls),
        token: config.token.get().clone(),
    });
    Ok(Arc::new(http::Hub::open(options)?))
}

/// A log that is open.
pub(crate) fn log(name: &str, agent: AgentName, log: &Log) -> Arc<dyn Destination> {
    let destination = LogDestination::new(name, agent, Arc::clone(&log.events));
    Arc::new(match &log.claims {
        Some(claims) => destination.with_claims(Arc::clone(claims)),
        None => destination,
    })
}
