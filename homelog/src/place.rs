//! Which stores a command works on: those that a config file names, or those of a data directory.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use control::ControlStore;
use event_log::EventLog;
use supervision::Supervisor;
use time_series::TimeSeries;

use crate::{
    adapters::{self, Patience},
    cli::PlaceArgs,
    config::{self, Config, ControlKind, LogKind, StoreKind},
    data_dir,
    env::Env,
    outcome::Failure,
};

/// The stores of a command. What runs in the background for them ends with [`Place::leave`].
pub(crate) struct Place {
    /// What names them.
    pub(crate) config: Config,
    /// The data directory, as far as one is needed and there.
    pub(crate) data: Option<PathBuf>,
    /// Of what runs in the background.
    pub(crate) supervisor: Supervisor,
}

/// Which stores a command needs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// The event log.
    pub(crate) log: bool,
    /// The time-series store.
    pub(crate) store: bool,
    /// The control store.
    pub(crate) control: bool,
}

impl Place {
    /// Reads the configuration; a data directory that is needed must be there, unless it may be `made`.
    pub(crate) fn new(
        args: &PlaceArgs,
        needs: Needs,
        made: bool,
        env: &Env,
    ) -> Result<Self, Failure> {
        let config = load(args.config.as_deref(), env)?;
        if needs.log && config.log.kind == LogKind::Http {
            return Err(Failure::usage(
                "homelog: with [log] kind = \"http\" the log is the hub's: run this command there",
            ));
        }
        let embedded = (needs.log && config.log.kind == LogKind::Embedded)
            || (needs.store && config.store.kind == StoreKind::Embedded)
            || (needs.control && config.control.kind == ControlKind::Embedded);
        let given = args.data.data.as_deref();
        let data = match (embedded, made) {
            (false, _) => None,
            (true, true) => Some(data_dir::locate(given, env)?),
            (true, false) => Some(data_dir::existing(given, env)?),
        };
        Ok(Self {
            config,
            data,
            supervisor: Supervisor::new(),
        })
    }

    fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// The log, to be read beside whoever writes it.
    pub(crate) async fn log(&self) -> anyhow::Result<Arc<dyn EventLog>> {
        adapters::log::open_to_read(&self.config, self.data(), &self.supervisor).await
    }

    /// The store, to be read beside whoever writes it.
    pub(crate) async fn store(&self) -> anyhow::Result<Arc<dyn TimeSeries>> {
        adapters::store::open_to_read(&self.config, self.data(), &self.supervisor).await
    }

    /// The control store.
    pub(crate) async fn control(&self) -> anyhow::Result<Arc<dyn ControlStore>> {
        adapters::control::open(&self.config.control, self.data(), Patience::Once).await
    }

    /// Ends what runs in the background.
    pub(crate) async fn leave(&self) {
        self.supervisor
            .drain(std::time::Duration::from_secs(3))
            .await;
    }
}

/// Reads a config file, or the environment alone.
pub(crate) fn load(path: Option<&Path>, env: &Env) -> Result<Config, Failure> {
    let loaded = config::load(path, env)
        .map_err(|problems| Failure::usage(problems.render(crate::style())))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.config)
}
