//! What the engine answers, as far as it is of interest. A value that is not what it should be is absent and loses nothing else.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// A value of another type, or a word that is new, is none.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).ok())
}

macro_rules! answer {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, rename_all = "PascalCase")]
        pub(super) struct $name {
            $($(#[$attribute])* #[serde(deserialize_with = "lenient")] pub(super) $field: Option<$type>,)+
        }
    };
}

answer! {
    /// A container in a list.
    Row {
        id: String,
        names: Vec<String>,
        image: String,
        #[serde(rename = "ImageID")]
        image_id: String,
        state: String,
        status: String,
        created: i64,
        labels: HashMap<String, String>,
    }
}

answer! {
    /// A container by itself.
    Inspected {
        restart_count: u64,
        state: InspectedState,
        host_config: HostConfig,
        config: Config,
    }
}

answer! {
    /// How it is.
    InspectedState {
        started_at: String,
        exit_code: i64,
        #[serde(rename = "OOMKilled")]
        oom_killed: bool,
        health: Health,
    }
}

answer! {
    /// What its health check says.
    Health {
        failing_streak: u64,
    }
}

answer! {
    /// How it is to be run.
    HostConfig {
        nano_cpus: i64,
        cpu_quota: i64,
        cpu_period: i64,
        restart_policy: RestartPolicy,
    }
}

answer! {
    /// When it is started again.
    RestartPolicy {
        name: String,
        maximum_retry_count: u64,
    }
}

answer! {
    /// What it was made of.
    Config {
        image: String,
    }
}

answer! {
    /// An image in a list.
    ImageRow {
        id: String,
        repo_tags: Vec<String>,
        created: i64,
        size: u64,
    }
}

answer! {
    /// The engine's own words.
    Info {
        name: String,
        images: i64,
        #[serde(rename = "MemTotal")]
        memory_total: i64,
        #[serde(rename = "NCPU")]
        cpus: i64,
        operating_system: String,
        kernel_version: String,
        system_time: String,
    }
}

impl RestartPolicy {
    /// As the command line writes it: `no`, `always`, `unless-stopped`, `on-failure:3`.
    pub(super) fn in_words(&self) -> Option<String> {
        let name = self.name.as_deref()?;
        Some(match (name, self.maximum_retry_count) {
            // how engines say that none was chosen
            ("", _) => "no".to_owned(),
            (name, Some(most)) if most > 0 => format!("{name}:{most}"),
            (name, _) => name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_odd_value_loses_nothing_else() {
        let inspected: Inspected = serde_json::from_value(json!({
            "RestartCount": "many", "Config": 7, "HostConfig": null,
            "State": {"ExitCode": 3, "OOMKilled": 1, "Health": {"FailingStreak": 2, "Status": "never heard of"}},
            "Unknown": {"Deep": [1]}
        }))
        .unwrap();
        let state = inspected.state.unwrap();
        assert_eq!((state.exit_code, state.oom_killed), (Some(3), None));
        assert_eq!(state.health.unwrap().failing_streak, Some(2));
        assert!(inspected.restart_count.is_none() && inspected.config.is_none());
    }

    #[test]
    fn a_restart_policy_is_told_as_it_is_written() {
        for (policy, words) in [
            (json!({"Name": "no", "MaximumRetryCount": 0}), Some("no")),
            (json!({"Name": ""}), Some("no")),
            (
                json!({"Name": "on-failure", "MaximumRetryCount": 3}),
                Some("on-failure:3"),
            ),
            (json!({"Name": "unless-stopped"}), Some("unless-stopped")),
            (json!({}), None),
        ] {
            let read: RestartPolicy = serde_json::from_value(policy).unwrap();
            assert_eq!(read.in_words().as_deref(), words);
        }
    }
}
