//! How far a replay into a target has come: a small file beside it.

use event_log::Filter;
use schemas::Position;
use serde::{Deserialize, Serialize};

use crate::{commands::state_file::StateFile, outcome::Failure};

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

    /// What an earlier replay of the same events left, if there was one.
    ///
    /// # Errors
    /// It is of other events, or cannot be read.
    pub(super) fn left(file: &StateFile, filter: &Filter) -> Result<Option<Self>, Failure> {
        let state: Option<Self> =
            file.read("does not say how far a replay has come: remove it and empty the target")?;
        match &state {
            Some(state) if state.selection != Selection::of(filter) => Err(anyhow::anyhow!(
                "a replay of other events began there ({file}): give the same --from, --to, --source and --entity as instants to go on, or another target"
            )
            .into()),
            _ => Ok(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::Timestamp;

    use super::*;

    #[test]
    fn a_state_is_found_by_the_same_replay_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replay-log.json");
        let file = StateFile::new(path.clone());
        let filter = Filter {
            from: Some(Timestamp::from_millis(1_000)),
            to: Some(Timestamp::from_millis(2_000)),
            ..Filter::default()
        };
        assert_eq!(State::left(&file, &filter).unwrap(), None);
        let state = State::begin(&filter, Position::start(3));
        file.write(&state).unwrap();
        assert_eq!(State::left(&file, &filter).unwrap(), Some(state));
        let other = Filter {
            sources: vec![schemas::SourceName::new("nas1").unwrap()],
            ..filter.clone()
        };
        assert!(State::left(&file, &other).is_err());
        std::fs::write(&path, "{}").unwrap();
        assert!(State::left(&file, &filter).is_err());
    }
}
