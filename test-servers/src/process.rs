use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;

use crate::{Guarded, container::Container, wait::wait_until};

/// A server that runs.
#[derive(Debug)]
pub enum Process {
    /// A process of this machine.
    Native(Guarded),
    /// In a container.
    Container(Arc<Container>),
}

impl Process {
    /// Its process id on this machine.
    ///
    /// # Errors
    /// The engine does not know it any more.
    pub fn pid(&self) -> Result<u32> {
        match self {
            Self::Native(process) => Ok(process.pid()),
            Self::Container(container) => container.pid(),
        }
    }

    /// Sends a signal by name, such as `STOP`, `CONT` or `TERM`.
    ///
    /// # Errors
    /// It cannot be sent.
    pub fn signal(&self, name: &str) -> Result<()> {
        match self {
            Self::Native(process) => process.signal(name),
            Self::Container(container) => container.signal(name),
        }
    }

    /// The end of what it printed.
    pub fn last_words(&self) -> String {
        match self {
            Self::Native(process) => process.last_words(),
            Self::Container(container) => container.last_words(),
        }
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(self) -> Result<()> {
        match self {
            Self::Native(process) => process.kill(),
            Self::Container(container) => container.kill(),
        }
    }

    /// Asks it to stop and waits, then kills it.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn stop(self, patience: Duration) -> Result<()> {
        match self {
            Self::Native(process) => process.stop(patience),
            Self::Container(container) => container.kill(),
        }
    }

    fn has_printed(&self, words: &str) -> bool {
        match self {
            Self::Native(process) => process.has_printed(words),
            Self::Container(container) => container.has_printed(words),
        }
    }

    fn ended(&mut self) -> Result<Option<String>> {
        match self {
            Self::Native(process) => process.ended(),
            Self::Container(container) => container.ended(),
        }
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// It ended, or it is not so in time.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        patience: Duration,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Result<()> {
        wait_until(
            what,
            patience,
            self,
            |process| is_so(process),
            Self::ended,
            Self::last_words,
        )
    }

    /// Waits until it prints some words.
    ///
    /// # Errors
    /// It ended, or it does not print them in time.
    pub(crate) fn wait_for_words(&mut self, words: &str, patience: Duration) -> Result<()> {
        self.wait_until(&format!("it prints `{words}`"), patience, |process| {
            process.has_printed(words)
        })
    }
}

/// What a server is started from, also again after it was killed.
#[derive(Debug)]
pub(crate) enum Program {
    Native { command: Vec<String>, log: PathBuf },
    Container(Arc<Container>),
}

impl Program {
    pub(crate) fn start(&self) -> Result<Process> {
        match self {
            Self::Native { command, log } => {
                let words: Vec<&str> = command.iter().map(String::as_str).collect();
                Ok(Process::Native(Guarded::start(&words, &[], log)?))
            }
            Self::Container(container) => {
                container.start()?;
                Ok(Process::Container(Arc::clone(container)))
            }
        }
    }
}
