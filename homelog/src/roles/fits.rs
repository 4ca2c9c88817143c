//! Which kinds a role can work with.

use crate::{
    config::{Config, ControlKind, LogKind, StoreKind},
    outcome::Failure,
};

fn refused(text: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("homelog: {text}"))
}

/// The roles that a configuration fits.
pub(crate) fn fitting(config: &Config) -> Vec<&'static str> {
    type Look = fn(&Config) -> Result<(), Failure>;
    let roles: [(&str, Look); 4] = [
        ("up", up),
        ("collect", collect),
        ("ingest", ingest),
        ("api", api),
    ];
    roles
        .into_iter()
        .filter(|(_, fits)| fits(config).is_ok())
        .map(|(name, _)| name)
        .collect()
}

/// `homelog up` works with every kind but a hub's log.
pub(super) fn up(config: &Config) -> Result<(), Failure> {
    if config.log.kind == LogKind::Http {
        return Err(refused(
            "with [log] kind = \"http\" the events go to a hub, and there is nothing to serve here: use `homelog collect`",
        ));
    }
    Ok(())
}

/// An agent needs a log that is elsewhere.
pub(super) fn collect(config: &Config) -> Result<(), Failure> {
    if config.log.kind == LogKind::Embedded {
        return Err(refused(
            "`homelog collect` sends events to a log that is elsewhere: set [log] kind = \"kafka\" or \"http\" for that, or give --hub with what `homelog token create --agent NAME` prints on the hub; or use `homelog up`, which does everything in one process",
        ));
    }
    Ok(())
}

/// Workers share a log and write a store that both are servers.
pub(super) fn ingest(config: &Config) -> Result<(), Failure> {
    shared(config, "ingest")
}

/// An API of its own has no state of its own.
pub(super) fn api(config: &Config) -> Result<(), Failure> {
    shared(config, "api")?;
    if config.control.kind == ControlKind::Embedded {
        return Err(refused(
            "`homelog api` keeps no users of its own: set [control] kind = \"postgres\", or use `homelog up`, which does everything in one process",
        ));
    }
    Ok(())
}

fn shared(config: &Config, role: &str) -> Result<(), Failure> {
    let kafka = config.log.kind == LogKind::Kafka;
    let influxdb = config.store.kind == StoreKind::Influxdb;
    if kafka && influxdb {
        return Ok(());
    }
    let missing = match (kafka, influxdb) {
        (false, false) => "[log] kind = \"kafka\" and [store] kind = \"influxdb\"",
        (false, true) => "[log] kind = \"kafka\"",
        _ => "[store] kind = \"influxdb\"",
    };
    Err(refused(format!(
        "`homelog {role}` is a process of its own and needs a log and a store that processes share: set {missing}, or use `homelog up`, which does everything in one process"
    )))
}
