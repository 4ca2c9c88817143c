//! Sources that a watched service asks for, such as a container by its labels: from words to a source that can be started.
//!
//! Whoever can write such words can have requests made from this machine. So a kind says which of its options they may set
//! ([`Integration::FROM_LABELS`](crate::integration::Integration::FROM_LABELS)), a secret never is among them, and
//! an integration that reads files or runs programs has none.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use schemas::{
    SourceName,
    name::excerpt,
    time::{format_duration, parse_duration},
};

use crate::{
    Context, SourceConfig, integration::Registration, integrations, scheduler::DEFAULT_TIMEOUT,
};

const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(10);

/// What the name of an option holds that must not be written where others read it.
const SECRETS: [&str; 6] = [
    "password", "token", "secret", "api_key", "username", "_file",
];

/// A source as it is asked for: words, none of them checked.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Ask {
    pub(crate) kind: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) interval: Option<String>,
    pub(crate) timeout: Option<String>,
    /// Everything else.
    pub(crate) options: BTreeMap<String, String>,
}

impl Ask {
    /// The source that is meant. `finder` is whom it was found by, `default_name` what it is called if the words name none.
    ///
    /// # Errors
    /// What is wrong with the words and what to write, without a value that may be secret.
    pub(crate) fn check(
        &self,
        finder: &Context,
        default_name: &str,
    ) -> Result<SourceConfig, String> {
        let registration = self.registration()?;
        let name = self.name.as_deref().unwrap_or(default_name);
        let name = SourceName::new(name)
            .map_err(|e| format!("`name`: `{}` is no name: use {}", e.shown, e.rule))?;
        let interval = duration("interval", self.interval.as_deref(), &INTERVAL)?
            .unwrap_or_else(|| registration.default_interval());
        let timeout =
            duration("timeout", self.timeout.as_deref(), &TIMEOUT)?.unwrap_or(DEFAULT_TIMEOUT);
        let mut options = toml::Table::new();
        for (key, text) in &self.options {
            allowed(registration, key)?;
            options.insert(key.clone(), value(text));
        }
        let integration = registration.parse(options).map_err(|e| {
            if e.key.is_empty() {
                e.message
            } else {
                format!("`{}`: {}", e.key, e.message)
            }
        })?;
        let context = Context {
            source: name.clone(),
            ..finder.clone()
        };
        integration.check(&context).map_err(|e| e.to_string())?;
        Ok(SourceConfig {
            name,
            interval,
            timeout,
            integration,
        })
    }

    fn registration(&self) -> Result<&'static dyn Registration, String> {
        let usable = || {
            let kinds: Vec<_> = integrations::all()
                .iter()
                .filter(|known| !known.label_options().is_empty())
                .map(|known| known.kind())
                .collect();
            kinds.join(", ")
        };
        let Some(kind) = self.kind.as_deref() else {
            return Err(format!("`kind` is missing: set it to one of {}", usable()));
        };
        let known = integrations::find(kind).ok_or_else(|| {
            format!(
                "`kind`: there is no kind `{}`: it can be one of {}",
                excerpt(kind),
                usable()
            )
        })?;
        if known.label_options().is_empty() {
            return Err(format!(
                "`kind`: a source of kind `{kind}` needs the configuration, since it has secrets or looks at this machine"
            ));
        }
        Ok(known)
    }
}

fn allowed(registration: &dyn Registration, key: &str) -> Result<(), String> {
    if registration.label_options().contains(&key) {
        return Ok(());
    }
    let shown = excerpt(key);
    if SECRETS.iter().any(|part| key.contains(part)) {
        return Err(format!(
            "`{shown}`: secrets do not belong here, where everybody who may read the service sees them: write this source into the configuration"
        ));
    }
    Err(format!(
        "`{shown}` cannot be set here: of kind `{}` only {} can",
        registration.kind(),
        registration.label_options().join(", ")
    ))
}

/// Text, unless it is written as something else in TOML: `true`, `7`, `["a", "b"]`, `"7"`.
fn value(text: &str) -> toml::Value {
    let literal = text.starts_with(['[', '"'])
        || matches!(text, "true" | "false")
        || text.parse::<i64>().is_ok();
    literal
        .then(|| format!("value = {text}").parse::<toml::Table>().ok())
        .flatten()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

fn duration(
    key: &str,
    text: Option<&str>,
    bounds: &RangeInclusive<Duration>,
) -> Result<Option<Duration>, String> {
    let Some(text) = text else { return Ok(None) };
    parse_duration(text)
        .ok()
        .and_then(|ms| u64::try_from(ms).ok())
        .map(Duration::from_millis)
        .filter(|duration| bounds.contains(duration))
        .map(Some)
        .ok_or_else(|| {
            format!(
                "`{key}`: `{}` is not a time from {} to {}: write `30s` or `5m`",
                excerpt(text),
                format_duration(*bounds.start()),
                format_duration(*bounds.end())
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn ask(pairs: &[(&str, &str)]) -> Ask {
        let mut ask = Ask::default();
        for (key, text) in pairs {
            let text = (*text).to_owned();
            match *key {
                "kind" => ask.kind = Some(text),
                "name" => ask.name = Some(text),
                "interval" => ask.interval = Some(text),
                "timeout" => ask.timeout = Some(text),
                key => drop(ask.options.insert(key.to_owned(), text)),
            }
        }
        ask
    }

    fn check(pairs: &[(&str, &str)]) -> Result<SourceConfig, String> {
        ask(pairs).check(&testing::context("here.docker"), "here.docker.web")
    }

    #[test]
    fn words_become_a_source() {
        let found = check(&[
            ("kind", "http_check"),
            ("url", "http://web:8080/health"),
            ("expect_status", "[401, \"300-399\"]"),
            ("follow_redirects", "true"),
            ("interval", "30s"),
        ])
        .unwrap();
        assert_eq!(found.name.as_str(), "here.docker.web");
        assert_eq!(found.interval, Duration::from_secs(30));
        assert_eq!(found.timeout, DEFAULT_TIMEOUT);
        assert_eq!(found.integration.kind().as_str(), "http_check");
        let named = check(&[
            ("kind", "prometheus"),
            ("url", "http://web:9100/metrics"),
            ("name", "web"),
        ])
        .unwrap();
        assert_eq!(named.name.as_str(), "web");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_write() {
        let url = ("url", "http://web");
        for (pairs, words) in [
            (&[url][..], "`kind` is missing: set it to one of http_check"),
            (&[("kind", "htpcheck"), url], "there is no kind `htpcheck`"),
            (&[("kind", "host")], "needs the configuration"),
            (
                &[("kind", "docker"), ("url", "tcp://x")],
                "needs the configuration",
            ),
            (&[("kind", "http_check"), ("url", "web")], "`url`"),
            (&[("kind", "http_check")], "url"),
            (
                &[("kind", "http_check"), url, ("colour", "red")],
                "`colour` cannot be set here",
            ),
            (
                &[("kind", "http_check"), url, ("name", "a b")],
                "is no name",
            ),
            (
                &[("kind", "http_check"), url, ("interval", "often")],
                "write `30s`",
            ),
            (
                &[("kind", "http_check"), url, ("interval", "1ms")],
                "from 1s to",
            ),
            (
                &[("kind", "http_check"), url, ("follow_redirects", "perhaps")],
                "`follow_redirects`",
            ),
        ] {
            let refused = check(pairs).unwrap_err();
            assert!(refused.contains(words), "{pairs:?}: {refused}");
        }
    }

    #[test]
    fn no_secret_is_taken_or_repeated() {
        let url = ("url", "http://web");
        for key in ["password", "token", "token_file", "api_key", "username"] {
            let refused = check(&[("kind", "prometheus"), url, (key, "hunter2")]).unwrap_err();
            assert!(refused.contains("secrets do not belong here"), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        let in_url = check(&[("kind", "http_check"), ("url", "http://me:hunter2@web")]);
        assert!(!in_url.unwrap_err().contains("hunter2"));
    }

    /// A label must not make this machine read its files, run a program, or send a secret of its own.
    #[test]
    fn no_kind_lets_others_set_what_is_dangerous() {
        for known in integrations::all() {
            for option in known.label_options() {
                let dangerous = option.split('_').any(|word| {
                    [
                        "command", "devices", "dir", "file", "key", "password", "path", "secret",
                        "tls", "token", "username",
                    ]
                    .contains(&word)
                });
                assert!(!dangerous, "{}.{option}", known.kind());
            }
        }
    }
}
