//! One container as the engine lists it.

use bollard::models::ContainerSummary;

use super::identity::Who;

/// What a list tells about a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) engine_id: String,
    pub(super) who: Who,
    pub(super) image: String,
    pub(super) state: String,
    pub(super) health: Option<String>,
    /// Unix seconds.
    pub(super) created: i64,
}

impl Listed {
    /// Reads a summary; one without an id or name is none.
    pub(super) fn of(summary: &ContainerSummary) -> Option<Self> {
        let engine_id = summary.id.clone().filter(|id| !id.is_empty())?;
        // names with more slashes are links that others made to it
        let name = summary
            .names
            .as_ref()?
            .iter()
            .map(|name| name.trim_start_matches('/'))
            .find(|name| !name.is_empty() && !name.contains('/'))?;
        let labels = summary.labels.as_ref();
        Some(Self {
            who: Who::new(name, |key| {
                labels
                    .and_then(|labels| labels.get(key))
                    .map(String::as_str)
            }),
            engine_id,
            image: summary.image.clone().unwrap_or_default(),
            state: summary
                .state
                .map(|state| state.to_string())
                .unwrap_or_default(),
            health: summary.status.as_deref().and_then(health_in),
            created: summary.created.unwrap_or_default(),
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
        let summary =
            json!({"Id": "a", "Names": ["/app/db", "/db"], "State": "running", "Created": 5});
        let listed = Listed::of(&serde_json::from_value(summary).unwrap()).unwrap();
        assert_eq!((listed.who.name.as_str(), listed.is_alive()), ("db", true));
        for nameless in [
            json!({"Id": "a"}),
            json!({"Id": "a", "Names": []}),
            json!({"Id": "", "Names": ["/x"]}),
        ] {
            assert_eq!(Listed::of(&serde_json::from_value(nameless).unwrap()), None);
        }
    }
}
