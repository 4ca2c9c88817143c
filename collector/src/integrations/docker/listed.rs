//! One container as the engine lists it.

use super::{identity::Who, labels::Asked, wire::Row};

/// Longest word for a state; an engine's own have ten letters.
const LONGEST_STATE: usize = 32;

/// What a list tells about a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) engine_id: String,
    pub(super) who: Who,
    pub(super) image: String,
    pub(super) image_id: String,
    pub(super) state: String,
    pub(super) health: Option<String>,
    /// Unix seconds.
    pub(super) created: i64,
    /// The source that its labels ask for.
    pub(super) asked: Option<Asked>,
}

impl Listed {
    /// Reads a row; one without an id or name is none.
    pub(super) fn of(row: Row) -> Option<Self> {
        let engine_id = row.id.filter(|id| !id.is_empty())?;
        // names with more slashes are links that others made to it
        let name = row
            .names
            .as_ref()?
            .iter()
            .map(|name| name.trim_start_matches('/'))
            .find(|name| !name.is_empty() && !name.contains('/'))?;
        let labels = row.labels.unwrap_or_default();
        Some(Self {
            who: Who::new(name, |key| labels.get(key).map(String::as_str)),
            engine_id,
            image: row.image.unwrap_or_default(),
            image_id: row.image_id.unwrap_or_default(),
            state: row
                .state
                .unwrap_or_default()
                .chars()
                .filter(|c| !c.is_control())
                .take(LONGEST_STATE)
                .collect(),
            health: row.status.as_deref().and_then(health_in),
            created: row.created.unwrap_or_default(),
            asked: Asked::of(&labels),
        })
    }

    /// Whether it has processes whose use can be read.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused")
    }
}

/// The health in a status such as `Up 2 minutes (unhealthy)` or `Up 3 seconds (health: starting)`.
fn health_in(status: &str) -> Option<String> {
    let inside = status.rsplit_once('(')?.1.strip_suffix(')')?;
    let health = inside.strip_prefix("health: ").unwrap_or(inside);
    matches!(health, "healthy" | "unhealthy" | "starting").then(|| health.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn health_is_read_out_of_the_status() {
        for (status, health) in [
            ("Up 2 minutes (unhealthy)", Some("unhealthy")),
            ("Up 3 seconds (health: starting)", Some("starting")),
            ("Up 2 hours (healthy)", Some("healthy")),
            ("Exited (137) 4 seconds ago", None),
            ("Up 3 seconds (Paused)", None),
            ("", None),
        ] {
            assert_eq!(health_in(status).as_deref(), health, "{status}");
        }
    }

    #[test]
    fn a_link_is_not_the_name() {
        let row = json!({"Id": "a", "Names": ["/app/db", "/db"], "State": "running", "Created": 5});
        let listed = Listed::of(serde_json::from_value(row).unwrap()).unwrap();
        assert_eq!((listed.who.name.as_str(), listed.is_alive()), ("db", true));
        for nameless in [
            json!({"Id": "a"}),
            json!({"Id": "a", "Names": []}),
            json!({"Id": "", "Names": ["/x"]}),
        ] {
            assert_eq!(Listed::of(serde_json::from_value(nameless).unwrap()), None);
        }
    }

    #[test]
    fn a_state_that_nobody_heard_of_is_told_as_it_is() {
        let row = json!({"Id": "a", "Names": ["/db"], "State": "hibernating", "Created": "now"});
        let listed = Listed::of(serde_json::from_value(row).unwrap()).unwrap();
        assert_eq!((listed.state.as_str(), listed.created), ("hibernating", 0));
        assert!(!listed.is_alive());
    }
}
