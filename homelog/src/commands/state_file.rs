//! How far a long command has come: a small file that a crash leaves as it was or as it is to be.

use std::{
    fmt,
    fs::File,
    io::{Read, Write},
    path::PathBuf,
};

use anyhow::Context;
use serde::{Serialize, de::DeserializeOwned};

/// A state of more bytes is not one of ours.
const LARGEST: u64 = 1024 * 1024;

/// Where the state is.
pub(crate) struct StateFile(PathBuf);

impl StateFile {
    /// At that path.
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The state that an earlier run left, if there was one; `damaged` says what to do with a file that holds none.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read<S: DeserializeOwned>(&self, damaged: &str) -> anyhow::Result<Option<S>> {
        let mut text = String::new();
        match File::open(&self.0) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened
                .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
                .with_context(|| format!("{self} cannot be read"))?,
        };
        let state = serde_json::from_str(&text).with_context(|| format!("{self} {damaged}"))?;
        Ok(Some(state))
    }

    /// Writes it, so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write<S: Serialize>(&self, state: &S) -> anyhow::Result<()> {
        let new = self.0.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&new)?;
            serde_json::to_writer(&mut file, state)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&new, &self.0)
        };
        write().with_context(|| format!("{self} cannot be written"))
    }
}

impl fmt::Display for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
