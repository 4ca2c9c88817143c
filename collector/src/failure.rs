//! Why a poll failed, in classes that a person and a program can act on.

use std::time::Duration;

use http_client::Fingerprint;

/// Why a source is down. The names are stable: they stand in events and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FailureClass {
    /// No connection.
    Unreachable,
    /// A connection, but no answer in time.
    Timeout,
    /// The certificate is not what is expected, or TLS failed.
    Tls,
    /// The service does not accept the credentials.
    BadCredentials,
    /// The credentials are fine, but may not do this.
    NoPermission,
    /// The service asks for fewer requests.
    RateLimited,
    /// An answer that cannot be understood.
    BadAnswer,
    /// Anything else.
    Other,
}

impl FailureClass {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Tls,
        Self::BadCredentials,
        Self::NoPermission,
        Self::RateLimited,
        Self::BadAnswer,
        Self::Other,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::BadCredentials => "bad_credentials",
            Self::NoPermission => "no_permission",
            Self::RateLimited => "rate_limited",
            Self::BadAnswer => "bad_answer",
            Self::Other => "other",
        }
    }

    /// What a person does about it; the message of a failure says what it is about. Empty where only that can say it.
    pub const fn fix(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "check that the service runs, and that this machine reaches it: host, port, firewall"
            }
            Self::Timeout => {
                "look what keeps the service or the network busy; raise `timeout` if it is always that slow"
            }
            Self::Tls => {
                "compare the certificate with what the service itself shows, and name it in `tls`: \
                 `homelog check --connect` prints the line"
            }
            Self::BadCredentials => {
                "set the right user, password or token; they are tried at once when the configuration changes, else after \
                 15 minutes"
            }
            Self::NoPermission => {
                "give the user or token the right to read that its page in the documentation names"
            }
            Self::RateLimited => {
                "wait; if it comes back, raise `interval`, or see who else asks the service"
            }
            Self::BadAnswer => {
                "check that `url` is the address of such a service, and that its version is one that is known"
            }
            Self::Other => "",
        }
    }

    /// The shortest wait before the next try. A password that was refused is not tried again soon: services ban for that.
    pub(crate) const fn patience(self) -> Duration {
        match self {
            Self::BadCredentials => Duration::from_mins(15),
            Self::RateLimited => Duration::from_secs(30),
            Self::Unreachable
            | Self::Timeout
            | Self::Tls
            | Self::NoPermission
            | Self::BadAnswer
            | Self::Other => Duration::ZERO,
        }
    }
}

/// A poll that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PollError {
    /// Why, as a class.
    pub class: FailureClass,
    /// Why and what to do, in words.
    pub message: String,
    /// When the service wants to be asked again.
    pub retry_after: Option<Duration>,
    /// The certificate that was refused, for a person to accept.
    pub certificate: Option<Box<CertificateShown>>,
}

/// What a certificate says of itself, and what tells it from every other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateShown {
    /// Its SHA-256.
    pub fingerprint: Fingerprint,
    /// Whose it says it is.
    pub subject: Option<String>,
    /// When it ends, as Unix time in seconds.
    pub not_after: Option<i64>,
    /// Whether another one was accepted before.
    pub pinned: bool,
}

impl PollError {
    /// A failure of a class; the message says what failed, where, and what to do.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            retry_after: None,
            certificate: None,
        }
    }

    /// A poll that was not over in its time.
    pub(crate) fn too_slow(timeout: Duration) -> Self {
        Self::new(
            FailureClass::Timeout,
            format!(
                "no complete answer within {}: the service or the way to it is slow; raise `timeout` if this is usual",
                schemas::time::format_duration(timeout)
            ),
        )
    }
}

/// Parameters that are well-formed, but with which nothing can be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {message}")]
pub struct OpenError {
    /// The key of the configuration that must change; empty where it is not one key.
    pub key: String,
    /// What is wrong with it and what to do.
    pub message: String,
}

impl From<schemas::name::InvalidName> for OpenError {
    fn from(e: schemas::name::InvalidName) -> Self {
        Self::at("", e.to_string())
    }
}

impl OpenError {
    /// An error at a key.
    pub fn at(key: &str, message: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            message: message.into(),
        }
    }
}
