//! A process of a home that grew: one role of the real binary, or an agent of the tests.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use test_servers::Guarded;

use crate::lab::binary;

/// One process; it ends with the test, however that ends.
#[derive(Debug)]
pub struct Role {
    name: String,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    process: Option<Guarded>,
}

/// How long a role has to stop when it is asked to.
const STOP: Duration = Duration::from_secs(15);

impl Role {
    /// A role of the real binary that reads a config file; `place` is a directory of its own.
    ///
    /// # Errors
    /// The binary is not built, or the directory is not there.
    pub fn homelog(
        name: &str,
        role: &str,
        config: &str,
        more: &[&str],
        place: &Path,
    ) -> Result<Self> {
        let file = place.join("homelog.toml");
        std::fs::write(&file, config)?;
        let mut command = vec![
            binary()?.display().to_string(),
            role.to_owned(),
            "--config".to_owned(),
            file.display().to_string(),
        ];
        command.extend(more.iter().map(ToString::to_string));
        Ok(Self::new(name, command, place))
    }

    /// Any program; what it prints goes to `output.log` in `place`.
    pub fn new(name: &str, command: Vec<String>, place: &Path) -> Self {
        Self {
            name: name.to_owned(),
            command,
            environment: Vec::new(),
            log: place.join("output.log"),
            process: None,
        }
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it if it does not run.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&mut self) -> Result<()> {
        if self.process.is_none() {
            let command: Vec<&str> = self.command.iter().map(String::as_str).collect();
            let environment: Vec<(&str, &str)> = self
                .environment
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            self.process = Some(Guarded::start(&command, &environment, &self.log)?);
        }
        Ok(())
    }

    /// Kills it as `kill -9` does, if it runs.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), Guarded::kill)
    }

    /// Asks it to stop and waits.
    ///
    /// # Errors
    /// It does not run, or does not stop in time.
    pub fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("not running")?;
        process.signal("TERM")?;
        let end = std::time::Instant::now() + STOP;
        while process.ended()?.is_none() {
            if std::time::Instant::now() > end {
                bail!(
                    "{} runs {STOP:?} after SIGTERM:\n{}",
                    self.name,
                    process.last_words()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// That it did not end by itself.
    ///
    /// # Errors
    /// It did; with its last words.
    pub fn lives(&mut self) -> Result<()> {
        if let Some(process) = &mut self.process {
            let ended = process.ended()?;
            ensure!(
                ended.is_none(),
                "{} ended: {ended:?}\n{}",
                self.name,
                process.last_words()
            );
        }
        Ok(())
    }

    /// Its process id, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Guarded::pid)
    }

    /// Its name and the end of what it printed.
    pub fn last_words(&self) -> String {
        let words = self.process.as_ref().map(Guarded::last_words);
        format!("{}:\n{}", self.name, words.unwrap_or_default())
    }
}
