//! How far a move has come: a small file in the directory that is moved.

use schemas::Position;
use serde::{Deserialize, Serialize};

use crate::commands::state_file::StateFile;

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

impl State {
    /// What an earlier move to the same places left, or a new one.
    ///
    /// # Errors
    /// The file is of a move to elsewhere, or cannot be read.
    pub(super) fn left(file: &StateFile, places: &str) -> anyhow::Result<Self> {
        let left: Option<Self> =
            file.read("does not say how far the move has come: remove it to begin anew")?;
        let state = left.unwrap_or_else(|| Self {
            places: places.to_owned(),
            ..Self::default()
        });
        anyhow::ensure!(
            state.places == places,
            "a move to elsewhere began ({}): go on with that, or remove {file} to begin one to {places}",
            state.places
        );
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_to_elsewhere_does_not_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let file = StateFile::new(dir.path().join("migrate.json"));
        let mut state = State::left(&file, "kafka-1").unwrap();
        state.events_before = Some(Position::start(1));
        file.write(&state).unwrap();
        assert_eq!(State::left(&file, "kafka-1").unwrap(), state);
        let refused = State::left(&file, "kafka-2").unwrap_err().to_string();
        assert!(refused.contains("kafka-1"), "{refused}");
    }
}
