//! The collector: turns what services tell about themselves into events.
//!
//! Its only output is [`event_log::EventLog::append`]; it knows no store. Each kind of service is one file in
//! `integrations/` and one name in the list there; integrations do not know each other.
//!
//! - [`integration`]: the port that an integration implements
//! - [`integrations`]: the ones that exist
//! - [`failure`]: why a poll failed, in classes
//! - [`scheduler`]: starts and stops sources, each a supervised task
//! - [`sources`]: which should run, while they do
//! - [`own_metrics`]: what the collector tells about itself

mod backoff;
mod batch;
mod cost;
mod credentials;
mod defaults;
mod discover;
pub mod failure;
pub(crate) mod found;
pub mod integration;
pub mod integrations;
mod outbox;
pub mod own_metrics;
mod pace;
mod pattern;
mod present;
pub mod scheduler;
mod service;
mod source;
pub mod sources;
mod states;
mod status;
#[cfg(test)]
mod testing;
mod trial;
mod wire;

pub use batch::{Batch, Finding};
pub use defaults::{DockerHost, default_sources, find_docker, name_of_host};
pub use discover::{Found, discover};
pub use failure::{CertificateShown, FailureClass, OpenError, PollError};
pub use integration::{Configured, Context, Given, ParamsError, Registration};
pub use own_metrics::CollectorMetrics;
pub use scheduler::{Environment, SourceConfig, start};
pub use sources::{Sources, Supplier};
pub use trial::{FIRST_ANSWERS, Seen, Trial, try_once};

use schemas::MetricDef;

/// Every metric that a collected event may carry: of all integrations, and of the sources themselves.
pub fn catalog() -> impl Iterator<Item = &'static MetricDef> {
    integrations::all()
        .iter()
        .flat_map(|integration| integration.metrics())
        .chain(status::METRICS)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn each_metric_means_one_thing_and_says_what() {
        let mut seen = HashMap::new();
        for def in catalog() {
            // kinds that tell the same of the same kind of thing say the same of it
            let what = (def.unit, def.kind, def.value);
            let before = *seen.entry((def.entity_type, def.field)).or_insert(what);
            assert_eq!(before, what, "{}.{}", def.entity_type, def.field);
            assert!(def.help.len() > 5, "{}.{}", def.entity_type, def.field);
            assert!(!def.help.ends_with('.'), "{}", def.help);
        }
    }
}
