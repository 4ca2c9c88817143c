//! What the engine's event stream says about containers.

use std::collections::HashMap;

use bollard::{
    models::{EventMessage, EventMessageTypeEnum},
    query_parameters::EventsOptions,
};
use schemas::Timestamp;

use super::identity::Who;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Start,
    Die { exit_code: Option<i64> },
    OutOfMemory,
    Health(String),
    Pause,
    Unpause,
    Rename { old_name: String },
    Destroy,
}

impl Action {
    /// Its name in a change event.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Die { .. } => "die",
            Self::OutOfMemory => "oom",
            Self::Health(_) => "health_status",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Rename { .. } => "rename",
            Self::Destroy => "destroy",
        }
    }
}

/// One event of the stream that is of interest.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) engine_id: String,
    pub(super) at: Timestamp,
    pub(super) nanos: i64,
    pub(super) action: Action,
    pub(super) who: Who,
    pub(super) image: String,
}

/// Longest id, name or image that is taken; an engine's own are far shorter.
const LONGEST: usize = 512;

impl Notice {
    /// Reads a message; `None` for what is of no interest, such as the probes of a health check.
    pub(super) fn of(message: EventMessage) -> Option<Self> {
        if message
            .typ
            .is_some_and(|typ| typ != EventMessageTypeEnum::CONTAINER)
        {
            return None;
        }
        let nanos = nanos_of(&message);
        let actor = message.actor?;
        let engine_id = actor
            .id
            .filter(|id| !id.is_empty() && id.len() <= LONGEST)?;
        let attributes: HashMap<String, String> = actor.attributes.unwrap_or_default();
        let attribute = |key: &str| {
            attributes
                .get(key)
                .map(String::as_str)
                .filter(|value| value.len() <= LONGEST)
        };
        let said = message.action?;
        let (verb, rest) = match said.split_once(':') {
            Some((verb, rest)) => (verb, rest.trim()),
            None => (said.as_str(), ""),
        };
        let action = match verb {
            "create" => Action::Create,
            "start" => Action::Start,
            "die" => Action::Die {
                exit_code: attribute("exitCode").and_then(|code| code.parse().ok()),
            },
            "oom" => Action::OutOfMemory,
            "health_status" => Action::Health(rest.chars().take(32).collect()),
            "pause" => Action::Pause,
            "unpause" => Action::Unpause,
            "rename" => Action::Rename {
                old_name: attribute("oldName")?.trim_start_matches('/').to_owned(),
            },
            "destroy" => Action::Destroy,
            _ => return None,
        };
        let nanos = nanos?;
        let at = Timestamp::from_millis(nanos / 1_000_000);
        Some(Self {
            who: Who::new(attribute("name").unwrap_or_default(), attribute),
            image: attribute("image").unwrap_or_default().to_owned(),
            engine_id,
            at,
            nanos,
            action,
        })
    }
}

/// Whether an event says that an image came, went, or got another tag.
pub(super) fn is_about_images(message: &EventMessage) -> bool {
    message.typ == Some(EventMessageTypeEnum::IMAGE)
}

/// When it happened by the engine's clock, in Unix nanoseconds.
pub(super) fn nanos_of(message: &EventMessage) -> Option<i64> {
    message
        .time_nano
        .or_else(|| message.time?.checked_mul(1_000_000_000))
        .filter(|nanos| *nanos > 0)
}

/// Asks for what is of interest only: the probes of health checks would flood a small machine.
pub(super) fn wanted(since_nanos: i64) -> EventsOptions {
    let list = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let filters = HashMap::from([
        ("type".to_owned(), list(&["container", "image"])),
        (
            "event".to_owned(),
            list(&[
                "create",
                "start",
                "die",
                "oom",
                "health_status",
                "pause",
                "unpause",
                "rename",
                "destroy",
                "delete",
                "import",
                "load",
                "pull",
                "tag",
                "untag",
            ]),
        ),
    ]);
    EventsOptions {
        since: Some(format!(
            "{}.{:09}",
            since_nanos / 1_000_000_000,
            since_nanos % 1_000_000_000
        )),
        until: None,
        filters: Some(filters),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn notice(action: &str, attributes: &Value) -> Option<Notice> {
        let message = json!({"Type": "container", "Action": action, "scope": "local", "time": 1_795_392_185,
            "timeNano": 1_795_392_185_542_899_543_i64, "Actor": {"ID": "6de0", "Attributes": attributes}});
        Notice::of(serde_json::from_value(message).unwrap())
    }

    #[test]
    fn a_death_has_its_code_and_its_own_time() {
        let died = notice(
            "die",
            &json!({"exitCode": "137", "image": "a:1", "name": "web"}),
        )
        .unwrap();
        assert_eq!(
            died.action,
            Action::Die {
                exit_code: Some(137)
            }
        );
        assert_eq!(died.at.as_millis(), 1_795_392_185_542);
        assert_eq!(
            (died.who.name.as_str(), died.image.as_str()),
            ("web", "a:1")
        );
    }

    #[test]
    fn health_is_read_after_the_colon_and_probes_are_of_no_interest() {
        let health = notice("health_status: unhealthy", &json!({})).unwrap();
        assert_eq!(health.action, Action::Health("unhealthy".to_owned()));
        for other in [
            "exec_create: /bin/sh -c curl",
            "exec_die",
            "top",
            "kill",
            "stop",
            "archive-path",
            "",
        ] {
            assert!(notice(other, &json!({})).is_none(), "{other}");
        }
    }

    #[test]
    fn what_is_missing_or_odd_is_of_no_interest() {
        for odd in [
            json!({}),
            json!({"Action": "die"}),
            json!({"Action": "die", "Actor": {}}),
            json!({"Action": "die", "Actor": {"ID": "a"}}),
            json!({"Action": "die", "Actor": {"ID": "a"}, "timeNano": -5}),
            json!({"Action": "die", "Actor": {"ID": "x".repeat(5000)}, "timeNano": 5}),
        ] {
            assert!(
                Notice::of(serde_json::from_value(odd.clone()).unwrap()).is_none(),
                "{odd}"
            );
        }
        let death = notice("die", &json!({"exitCode": "much"})).unwrap();
        assert_eq!(death.action, Action::Die { exit_code: None });
    }

    #[test]
    fn the_time_to_begin_from_is_seconds_and_nanoseconds() {
        assert_eq!(
            wanted(1_795_392_185_000_000_007).since.as_deref(),
            Some("1795392185.000000007")
        );
    }
}
