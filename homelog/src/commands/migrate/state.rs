//! How far a move has come: a small file in the directory that is moved.

use std::{
    fs::File,
    io::{Read, Write},
    path::PathBuf,
};

use anyhow::Context;
use schemas::Position;
use serde::{Deserialize, Serialize};

/// A state of more bytes is not one of ours.
const LARGEST: u64 = 1024 * 1024;

/// How far it is.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Where it goes.
    places: String,
    /// Every event before it is there.
    pub(super) events_before: Option<Position>,
    /// Whether the store was empty and points of this move are in it since.
    #[serde(default)]
    pub(super) points_begun: bool,
    /// Every point of this entity and of those before it is there.
    pub(super) entity: Option<String>,
}

/// Where the state is.
pub(super) struct StateFile(PathBuf);

impl StateFile {
    /// At that path.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// What an earlier move to the same places left, or a new one.
    ///
    /// # Errors
    /// The file is of a move to elsewhere, or cannot be read.
    pub(super) fn read(&self, places: &str) -> anyhow::Result<State> {
        let shown = self.0.display();
        let mut text = String::new();
        match File::open(&self.0) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(State {
                    places: places.to_owned(),
                    ..State::default()
                });
            }
            opened => opened
                .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
                .with_context(|| format!("{shown} cannot be read"))?,
        };
        let state: State = serde_json::from_str(&text).with_context(|| {
            format!("{shown} does not say how far the move has come: remove it to begin anew")
        })?;
        anyhow::ensure!(
            state.places == places,
            "a move to elsewhere began ({}): go on with that, or remove {shown} to begin one to {places}",
            state.places
        );
        Ok(state)
    }

    /// Writes it, so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, state: &State) -> anyhow::Result<()> {
        let new = self.0.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&new)?;
            serde_json::to_writer(&mut file, state)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&new, &self.0)
        };
        write().with_context(|| format!("{} cannot be written", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_to_elsewhere_does_not_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(dir.path().join("migrate.json"));
        let mut state = file.read("kafka-1").unwrap();
        state.events_before = Some(Position::start(1));
        file.write(&state).unwrap();
        assert_eq!(file.read("kafka-1").unwrap(), state);
        let refused = file.read("kafka-2").unwrap_err().to_string();
        assert!(refused.contains("kafka-1"), "{refused}");
    }
}
