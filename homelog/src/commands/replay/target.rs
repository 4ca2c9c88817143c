//! What a replay fills: an empty store or log that is not the configured one.

use std::path::{Path, PathBuf};

use supervision::Supervisor;

use crate::{
    cli::Into,
    commands::state_file::StateFile,
    config::{Config, LogKind, StoreKind},
    data_dir::{self, Lock},
    env::Env,
    outcome::Failure,
    place::{self, Place},
};

/// A target that may be opened.
pub(super) struct Target {
    /// What names it.
    pub(super) config: Config,
    /// Its data directory, if it is embedded.
    pub(super) data: Option<PathBuf>,
    /// In words.
    pub(super) name: String,
    /// How far a replay into it has come.
    pub(super) state: StateFile,
    /// Of what runs in the background for it.
    pub(super) supervisor: Supervisor,
    _lock: Option<Lock>,
}

fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

impl Target {
    /// A config file that names it, or a data directory.
    ///
    /// # Errors
    /// It is the configured one, or cannot be written to.
    pub(super) fn new(path: &Path, into: Into, source: &Place, env: &Env) -> Result<Self, Failure> {
        let is_config = path.is_file() || path.extension().is_some_and(|e| e == "toml");
        let config = if is_config {
            // variables name the stores that are configured here, not the target
            place::load(Some(path), &env.without_settings())?
        } else {
            Config::default()
        };
        let embedded = match into {
            Into::Log => config.log.kind == LogKind::Embedded,
            Into::Store | Into::Stdout => config.store.kind == StoreKind::Embedded,
        };
        if embedded && is_config {
            return Err(Failure::usage(format!(
                "homelog: {} names no server for the {}: name a data directory with --target DIR",
                path.display(),
                word(into)
            )));
        }
        if into == Into::Log && config.log.kind == LogKind::Http {
            return Err(Failure::usage(
                "homelog: a hub's log cannot be filled from here: name Kafka or a data directory with --target",
            ));
        }
        let data = embedded.then(|| path.to_owned());
        if is_configured(into, &config, data.as_deref(), source) {
            return Err(Failure::usage(format!(
                "homelog: --target {} is the configured {}: a replay goes into another one, which is empty",
                path.display(),
                word(into)
            )));
        }
        let (lock, state, name) = if let Some(dir) = &data {
            data_dir::create(dir)?;
            let lock = data_dir::lock(dir)?;
            let state = StateFile::new(dir.join(format!("replay-{}.json", word(into))));
            (Some(lock), state, dir.display().to_string())
        } else {
            let mut state = path.as_os_str().to_owned();
            state.push(format!(".replay-{}.json", word(into)));
            let name = match into {
                Into::Log => config.log_place(),
                Into::Store | Into::Stdout => config.store_place(),
            };
            (None, StateFile::new(PathBuf::from(state)), name)
        };
        Ok(Self {
            config,
            data,
            name,
            state,
            supervisor: Supervisor::new(),
            _lock: lock,
        })
    }
}

/// What is filled.
pub(super) const fn word(into: Into) -> &'static str {
    match into {
        Into::Log => "log",
        Into::Store => "store",
        Into::Stdout => "stdout",
    }
}

fn is_configured(into: Into, target: &Config, data: Option<&Path>, source: &Place) -> bool {
    if let Some(data) = data {
        return source.data.as_deref().is_some_and(|own| same(own, data));
    }
    let own = &source.config;
    match into {
        Into::Log => {
            own.log.kind == LogKind::Kafka
                && own.log.topics == target.log.topics
                && own.log.brokers.overlaps(&target.log.brokers)
        }
        Into::Store | Into::Stdout => {
            own.store.kind == StoreKind::Influxdb
                && own.store.url == target.store.url
                && own.store.org == target.store.org
                && own.store.bucket == target.store.bucket
        }
    }
}
