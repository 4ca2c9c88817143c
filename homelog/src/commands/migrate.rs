//! `homelog migrate`: moves what an embedded directory holds to servers, then reads both anew and compares.

mod compare_events;
mod compare_points;
mod control;
mod days;
mod events;
mod points;
mod state;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use event_log::EventLog;
use prometheus_client::registry::Registry;
use supervision::Supervisor;
use time_series::{PartitionedStore, TimeSeries};

use super::{state_file::StateFile, user::say};
use crate::{
    adapters::{self, Patience},
    cli::{Destinations, MigrateArgs},
    config::{Config, ControlKind, LogKind, StoreKind},
    data_dir,
    env::Env,
    outcome::Failure,
    place,
};
use state::State;

/// Differences that are printed; the rest is counted.
const SHOWN: usize = 100;

pub(crate) async fn run(args: &MigrateArgs, env: &Env) -> Result<(), Failure> {
    let config = place::load(Some(&args.config), env)?;
    fits(&config, args.to)?;
    let data = data_dir::existing(args.data.data.as_deref(), env)?;
    // nothing may change while it is moved
    let lock = data_dir::lock(&data)?;
    let supervisor = Supervisor::new();
    let house = House::open(&config, args.to, data, &supervisor).await?;
    let moved = house.all(args.verify_only).await;
    house.close().await;
    supervisor.drain(std::time::Duration::from_secs(3)).await;
    drop(lock);
    let differences = moved?;
    for difference in differences.iter().take(SHOWN) {
        eprintln!("homelog: {difference}");
    }
    if differences.len() > SHOWN {
        eprintln!(
            "homelog: and {} more differences",
            differences.len() - SHOWN
        );
    }
    if !differences.is_empty() {
        return Err(Failure::Told);
    }
    let config = args.config.display();
    say(&format!(
        "everything is there: start it with `homelog up --config {config}`, or each role by itself"
    ))
}

fn fits(config: &Config, to: Destinations) -> Result<(), Failure> {
    for (wanted, named, section, kind) in [
        (to.kafka, config.log.kind == LogKind::Kafka, "log", "kafka"),
        (
            to.influxdb,
            config.store.kind == StoreKind::Influxdb,
            "store",
            "influxdb",
        ),
        (
            to.postgres,
            config.control.kind == ControlKind::Postgres,
            "control",
            "postgres",
        ),
    ] {
        if wanted && !named {
            return Err(Failure::usage(format!(
                "homelog: the config file names no {kind} to move to: set [{section}] kind = \"{kind}\", or leave it out of --to"
            )));
        }
    }
    Ok(())
}

/// What is moved from where to where.
struct House<'a> {
    config: &'a Config,
    to: Destinations,
    data: PathBuf,
    state: StateFile,
    log: Option<(Arc<dyn EventLog>, Arc<dyn EventLog>)>,
    store: Option<(Arc<dyn TimeSeries>, Arc<dyn PartitionedStore>)>,
}

impl<'a> House<'a> {
    async fn open(
        config: &'a Config,
        to: Destinations,
        data: PathBuf,
        supervisor: &Supervisor,
    ) -> anyhow::Result<Self> {
        let mut registry = Registry::default();
        let log = if to.kafka {
            let there = adapters::log::Opener::to_share(config, None, &mut registry)?;
            let there = there.open(supervisor, Patience::Once).await?.events;
            let here: Arc<dyn EventLog> = Arc::new(event_log::Embedded::open_read_only(&data)?);
            Some((here, there))
        } else {
            None
        };
        let store = if to.influxdb {
            let there = adapters::store::Opener::new(config, None, &mut registry)?;
            let there = there.open(supervisor, Patience::Once).await?;
            let there = there.shared.context("the store cannot be shared")?;
            let path = data.join(time_series::Embedded::FILE);
            let here: Arc<dyn TimeSeries> = Arc::new(time_series::Embedded::open_read_only(path)?);
            Some((here, there))
        } else {
            None
        };
        Ok(Self {
            config,
            to,
            state: StateFile::new(data.join("migrate.json")),
            data,
            log,
            store,
        })
    }

    /// Moves what is not there yet and compares all of it. Returns the differences.
    async fn all(&self, verify_only: bool) -> Result<Vec<String>, Failure> {
        let mut state = State::left(&self.state, &self.places())?;
        let mut differences = Vec::new();
        if self.to.postgres {
            control::copy(&self.data, self.config, verify_only, &mut differences).await?;
        }
        if let Some((here, there)) = &self.log {
            if !verify_only {
                events::copy(&**here, &**there, &self.state, &mut state).await?;
            }
            compare_events::compare(&**here, &**there, &mut differences).await?;
        }
        if let Some((here, there)) = &self.store {
            let keep = self.config.retention.raw.0;
            if !verify_only {
                points::copy(&**here, &**there, keep, &self.state, &mut state).await?;
            }
            compare_points::compare(&**here, &**there, keep, &mut differences).await?;
        }
        Ok(differences)
    }

    /// Where it goes, in words.
    fn places(&self) -> String {
        format!(
            "{} · {}",
            self.config.log_place(),
            self.config.store_place()
        )
    }

    async fn close(&self) {
        if let Some((_, there)) = &self.log
            && let Err(e) = there.close().await
        {
            tracing::warn!("the event log did not close cleanly: {e}");
        }
        if let Some((_, there)) = &self.store
            && let Err(e) = there.close().await
        {
            tracing::warn!("the time-series store did not close cleanly: {e}");
        }
    }
}
