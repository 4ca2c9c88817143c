use std::{path::PathBuf, time::Duration};

use schemas::Epoch;
use secrecy::SecretString;

use super::Metrics;

/// How a log on Kafka is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the cluster is found: `host:port,host:port`.
    pub brokers: String,
    /// What the names of its topics and groups begin with.
    pub prefix: String,
    /// Partitions of the topic of events, when it is made.
    pub partitions: usize,
    /// Copies of each topic, when it is made.
    pub replication: usize,
    /// How long events are kept, when the topic is made.
    pub retention: Duration,
    /// How brokers are spoken to.
    pub security: Security,
    /// Name of this client, as the brokers' logs and quotas know it.
    pub client_id: String,
    /// The epoch of the sequences that this handle assigns; a random one when there is none.
    pub epoch: Option<Epoch>,
    /// Whether it reads all partitions all the time, so that [`newest`](crate::EventLog::newest) tells of what others append and
    /// reads are answered from memory. A handle that only appends or only has members of groups needs none of that.
    pub follow: bool,
    /// A member of a group that is not heard of for so long has left it.
    pub session: Duration,
    /// A member that does not ask for deliveries for so long gives its partitions up.
    pub patience: Duration,
    /// What it counts of itself.
    pub metrics: Metrics,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".to_owned(),
            prefix: "homelog".to_owned(),
            partitions: 3,
            replication: 1,
            retention: Duration::from_hours(7 * 24),
            security: Security::default(),
            client_id: "homelog".to_owned(),
            epoch: None,
            follow: true,
            session: Duration::from_secs(10),
            patience: Duration::from_mins(2),
            metrics: Metrics::default(),
        }
    }
}

/// How brokers are spoken to; by default in the clear and without a name.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// Encryption.
    pub tls: Option<Tls>,
    /// A name and its password.
    pub sasl: Option<Sasl>,
}

/// Encryption of the way to the brokers.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Certificates of the authorities to trust, as a PEM file; by default those of the system.
    pub ca: Option<PathBuf>,
}

/// A name and its password.
#[derive(Clone, Debug)]
pub struct Sasl {
    /// How the password is shown.
    pub mechanism: Mechanism,
    /// The name.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// How a password is shown to a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// As it is: use it with TLS only.
    Plain,
    /// By a challenge, with SHA-256.
    ScramSha256,
    /// By a challenge, with SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// The name that brokers use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Options {
    pub(super) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    pub(super) fn group(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// What is wrong with them, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.brokers.trim().is_empty() {
            return Some("no brokers are named: give host:port,host:port".to_owned());
        }
        if self.prefix.is_empty() || self.prefix.len() > 200 || !self.prefix.chars().all(word) {
            return Some(format!(
                "topics cannot begin with `{}`: use 1 to 200 of A-Z a-z 0-9 . _ -",
                schemas::name::excerpt(&self.prefix)
            ));
        }
        if !(1..=1000).contains(&self.partitions) || !(1..=100).contains(&self.replication) {
            return Some("a topic has 1 to 1000 partitions and 1 to 100 copies".to_owned());
        }
        None
    }
}
