//! How far a replay into a target has come: a small file beside it.

use std::{
    fs::File,
    io::{Read, Write},
    path::PathBuf,
};

use anyhow::Context;
use event_log::Filter;
use schemas::Position;
use serde::{Deserialize, Serialize};

use crate::outcome::Failure;

/// A state of more bytes is not one of ours.
const LARGEST: u64 = 1024 * 1024;

/// What was asked for, and how far it is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    selection: Selection,
    /// Everything before it is in the target.
    pub(super) position: Position,
    /// Events that went into the target.
    pub(super) events: u64,
    /// Whether it came to the end.
    pub(super) complete: bool,
}

/// Which events.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    sources: Vec<String>,
    entities: Vec<String>,
    from: i64,
    to: i64,
}

impl Selection {
    fn of(filter: &Filter) -> Self {
        Self {
            sources: filter.sources.iter().map(ToString::to_string).collect(),
            entities: filter.entities.iter().map(ToString::to_string).collect(),
            from: filter.from.map_or(i64::MIN, schemas::Timestamp::as_millis),
            to: filter.to.map_or(i64::MAX, schemas::Timestamp::as_millis),
        }
    }
}

impl State {
    /// Nothing is there yet.
    pub(super) fn begin(filter: &Filter, position: Position) -> Self {
        Self {
            selection: Selection::of(filter),
            position,
            events: 0,
            complete: false,
        }
    }
}

/// Where the state is.
pub(super) struct StateFile(PathBuf);

impl StateFile {
    /// At that path.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The state that an earlier replay of the same events left, if there was one.
    ///
    /// # Errors
    /// It is of other events, or cannot be read.
    pub(super) fn read(&self, filter: &Filter) -> Result<Option<State>, Failure> {
        let shown = self.0.display();
        let mut text = String::new();
        match File::open(&self.0) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened
                .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
                .with_context(|| format!("{shown} cannot be read"))?,
        };
        let state: State = serde_json::from_str(&text).with_context(|| {
            format!(
                "{shown} does not say how far a replay has come: remove it and empty the target"
            )
        })?;
        if state.selection != Selection::of(filter) {
            return Err(anyhow::anyhow!(
                "a replay of other events began there ({shown}): give the same --from, --to, --source and --entity as instants to go on, or another target"
            )
            .into());
        }
        Ok(Some(state))
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
    use schemas::Timestamp;

    use super::*;

    #[test]
    fn a_state_is_found_by_the_same_replay_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(dir.path().join("replay-log.json"));
        let filter = Filter {
            from: Some(Timestamp::from_millis(1_000)),
            to: Some(Timestamp::from_millis(2_000)),
            ..Filter::default()
        };
        assert_eq!(file.read(&filter).unwrap(), None);
        let state = State::begin(&filter, Position::start(3));
        file.write(&state).unwrap();
        assert_eq!(file.read(&filter).unwrap(), Some(state));
        let other = Filter {
            sources: vec![schemas::SourceName::new("nas1").unwrap()],
            ..filter.clone()
        };
        assert!(file.read(&other).is_err());
        std::fs::write(&file.0, "{}").unwrap();
        assert!(file.read(&filter).is_err());
    }
}
