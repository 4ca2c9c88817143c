use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::{Guarded, place::server};

const PATIENCE: Duration = Duration::from_mins(1);

/// A Telegraf with a configuration. It has the inputs `cpu`, `mem` and `file` (line protocol) and the outputs `influxdb` and
/// `influxdb_v2`.
#[derive(Debug)]
pub struct Telegraf {
    // before the directory: it goes first
    process: Guarded,
    directory: TempDir,
}

impl Telegraf {
    /// Starts one that goes on.
    ///
    /// # Errors
    /// It is not built or cannot be started.
    pub fn start(config: &str) -> Result<Self> {
        Self::start_with(config, &[])
    }

    /// Starts one that reads its inputs once, writes and ends; waits for that and returns what it printed.
    ///
    /// # Errors
    /// It is not built, cannot be started or does not end.
    pub fn once(config: &str) -> Result<String> {
        let mut telegraf = Self::start_with(config, &["--once"])?;
        let end = Instant::now() + PATIENCE;
        while telegraf.process.ended()?.is_none() {
            ensure!(
                Instant::now() < end,
                "it still runs after {PATIENCE:?}: {}",
                telegraf.process.last_words()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        telegraf.printed()
    }

    fn start_with(config: &str, arguments: &[&str]) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("hl-telegraf-").tempdir()?;
        let program = server("telegraf-1.37.2-2")?.display().to_string();
        let file = directory.path().join("telegraf.conf");
        std::fs::write(&file, config)?;
        let file = file.display().to_string();
        let mut command = vec![program.as_str(), "--config", &file];
        command.extend(arguments);
        let log = directory.path().join("telegraf.log");
        Ok(Self {
            process: Guarded::start(&command, &[], &log)?,
            directory,
        })
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("telegraf.log")
    }

    /// All that it printed until now.
    ///
    /// # Errors
    /// That cannot be read.
    pub fn printed(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(self.log())?).into_owned())
    }

    /// Has it write what it still holds and end; returns all that it printed.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(self) -> Result<String> {
        let Self { process, directory } = self;
        let log = directory.path().join("telegraf.log");
        process.stop(Duration::from_secs(10))?;
        Ok(String::from_utf8_lossy(&std::fs::read(log)?).into_owned())
    }
}
