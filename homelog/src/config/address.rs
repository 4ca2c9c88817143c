//! Addresses of servers, and names on them.

use schemas::name::AgentName;

use super::{
    findings::Fault,
    setting::{Setting, Value, parse, quoted, text},
};

const LONGEST: usize = 2_000;

/// Brokers of a Kafka cluster, each `host:port`, joined by commas.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Brokers(String);

impl Brokers {
    /// Whether both name the same broker.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0
            .split(',')
            .any(|one| other.0.split(',').any(|two| one == two))
    }

    /// As librdkafka takes them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
}

/// One broker with its port, 9092 where none is written.
fn broker(text: &str) -> Option<String> {
    let bracketed = text.starts_with('[');
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !bracketed || host.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, 9092_u16),
    };
    let named = is_host(host) && (bracketed || !host.contains(':')) && port > 0;
    named.then(|| format!("{host}:{port}"))
}

impl Setting for Brokers {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let fix =
            "write host:port, with commas between several, such as \"kafka-1:9092,kafka-2:9092\"";
        parse(value, fix, |text| {
            let mut brokers = Vec::new();
            for part in text.split(',').map(str::trim) {
                let read = broker(part)
                    .filter(|_| text.len() <= LONGEST)
                    .ok_or_else(|| {
                        format!(
                            "`{}` is not the address of a broker",
                            schemas::name::excerpt(part)
                        )
                    })?;
                brokers.push(read);
            }
            Ok(Self(brokers.join(",")))
        })
    }

    fn write(&self) -> String {
        quoted(&self.0)
    }
}

/// The address of a server that speaks HTTP, without a slash at its end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for HttpUrl {
    fn from(url: &str) -> Self {
        Self(url.trim_end_matches('/').to_owned())
    }
}

impl Setting for HttpUrl {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let fix = "write scheme, host and port, such as \"http://influxdb:8086\"; a password or token has its own option";
        parse(value, fix, |text| {
            let trimmed = text.trim_end_matches('/');
            let rest = trimmed
                .strip_prefix("https://")
                .or_else(|| trimmed.strip_prefix("http://"));
            let fits = trimmed.len() <= LONGEST
                && rest.is_some_and(|rest| {
                    let host = rest.split('/').next().unwrap_or_default();
                    is_host(host) && !rest.contains(['@', '?', '#', ' '])
                });
            if fits {
                Ok(Self(trimmed.to_owned()))
            } else if text.contains('@') {
                // what stands before it may be a password
                Err("it is not the address of a server".to_owned())
            } else {
                Err(format!(
                    "`{}` is not the address of a server",
                    schemas::name::excerpt(text)
                ))
            }
        })
    }

    fn write(&self) -> String {
        quoted(&self.0)
    }
}

/// A name on a server: of a user, an organisation, a bucket, a group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Name(String);

impl Name {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Setting for Name {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        parse(value, "write a name of 1 to 200 characters", |text| {
            let fits =
                !text.trim().is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
            if fits {
                Ok(Self(text.to_owned()))
            } else {
                Err(format!("`{}` is not a name", schemas::name::excerpt(text)))
            }
        })
    }

    fn write(&self) -> String {
        quoted(&self.0)
    }
}

/// Name of an agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent(AgentName);

impl Agent {
    /// The name.
    pub const fn name(&self) -> &AgentName {
        &self.0
    }
}

impl Setting for Agent {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let text = text(value).map_err(|fault| vec![fault])?;
        AgentName::new(text).map(Self).map_err(|e| {
            vec![Fault {
                span: value.span(),
                message: format!("`{}` cannot be the name of an agent", e.shown),
                fix: format!("use {}", e.rule),
            }]
        })
    }

    fn write(&self) -> String {
        quoted(self.0.as_ref())
    }
}

/// What the names of topics and groups begin with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prefix(String);

impl Prefix {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Prefix {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Setting for Prefix {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let fix = "write 1 to 100 letters, digits, `.`, `_` or `-`";
        parse(value, fix, |text| {
            let fits = (1..=100).contains(&text.len())
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            if fits {
                Ok(Self(text.to_owned()))
            } else {
                Err(format!(
                    "`{}` is not a name that Kafka takes",
                    schemas::name::excerpt(text)
                ))
            }
        })
    }

    fn write(&self) -> String {
        quoted(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_has_a_host_and_a_port() {
        let read = |text| broker(text).unwrap_or_default();
        assert_eq!(read("kafka"), "kafka:9092");
        assert_eq!(read("10.0.0.7:19092"), "10.0.0.7:19092");
        assert_eq!(read("[fd00::7]:9092"), "[fd00::7]:9092");
        assert_eq!(read("[fd00::7]"), "[fd00::7]:9092");
        for bad in [
            "",
            ":9092",
            "kafka:",
            "kafka:0",
            "kafka:99999",
            "http://kafka:1",
            "a b",
            "fd00::7",
        ] {
            assert_eq!(broker(bad), None, "{bad}");
        }
    }
}
