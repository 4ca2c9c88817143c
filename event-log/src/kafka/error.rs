//! What Kafka's errors mean, and what to do.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

use crate::{AppendError, ReadError};

/// Why a log on Kafka cannot be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// No broker answers.
    #[error(
        "no kafka broker answers at {brokers} ({cause}): check that it runs, and the addresses in `brokers`"
    )]
    Unreachable {
        /// Where it was looked for.
        brokers: String,
        /// What was seen last.
        cause: String,
    },
    /// The name or password is wrong, or another way to show it is wanted.
    #[error(
        "kafka at {brokers} refuses the login ({cause}): check user name, password and SASL mechanism"
    )]
    Login {
        /// Who refused.
        brokers: String,
        /// Its words.
        cause: String,
    },
    /// One side speaks TLS and the other does not, or the certificate is not trusted.
    #[error(
        "kafka at {brokers} cannot be spoken to over this kind of connection ({cause}): check `tls` and its CA file"
    )]
    Tls {
        /// Who.
        brokers: String,
        /// What failed.
        cause: String,
    },
    /// A right is missing.
    #[error("kafka does not allow to {what} `{name}`: {fix}")]
    NotAllowed {
        /// What was tried.
        what: &'static str,
        /// On what.
        name: String,
        /// Who has to do what.
        fix: &'static str,
    },
    /// The brokers lack something that is needed.
    #[error("kafka at {brokers} is too old ({cause}): Homelog needs Kafka 2.1 or later")]
    TooOld {
        /// Who.
        brokers: String,
        /// What they lack.
        cause: String,
    },
    /// A topic cannot be made as asked.
    #[error("topic `{name}` cannot be made: {cause}")]
    Topic {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        cause: String,
    },
    /// The options are wrong.
    #[error("{0}")]
    Options(String),
    /// It was reached but cannot be used.
    #[error("kafka at {brokers} cannot be used: {cause}")]
    Failed {
        /// Who.
        brokers: String,
        /// What failed.
        cause: String,
    },
}

impl OpenError {
    /// Whether opening again later may succeed without a change of the configuration.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Failed { .. })
    }

    /// What an error means that came while opening; `seen` is what the client said last of its connections.
    pub(super) fn of(brokers: &str, error: &KafkaError, seen: Option<(Code, String)>) -> Self {
        let (code, cause) = seen.unwrap_or_else(|| (code(error), error.to_string()));
        let brokers = brokers.to_owned();
        match code {
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism => Self::Login { brokers, cause },
            Code::SSL => Self::Tls { brokers, cause },
            _ if is_other_protocol(&cause) => Self::Tls { brokers, cause },
            Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::UnsupportedCompressionType => Self::TooOld { brokers, cause },
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue => Self::Unreachable { brokers, cause },
            _ => match error {
                KafkaError::ClientConfig(_, what, key, _) => {
                    Self::Options(format!("kafka's `{key}`: {what}"))
                }
                KafkaError::ClientCreation(what) => Self::Options(format!("kafka client: {what}")),
                _ => Self::Failed { brokers, cause },
            },
        }
    }
}

/// What librdkafka says of a broker that closes the connection because it expected another protocol.
fn is_other_protocol(cause: &str) -> bool {
    [
        "incorrect security.protocol",
        "SSL listener",
        "PLAINTEXT broker listener",
    ]
    .iter()
    .any(|words| cause.contains(words))
}

/// Whether waiting for it to pass is in vain: the first thing that tells what is wrong.
pub(super) const fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::SSL
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
    )
}

pub(super) fn code(error: &KafkaError) -> Code {
    error.rdkafka_error_code().unwrap_or(Code::Fail)
}

/// Why a read failed.
pub(super) fn read(brokers: &str, what: &str, error: &KafkaError) -> ReadError {
    ReadError::Failed {
        path: brokers.to_owned(),
        cause: format!("{what}: {}", words(error)),
        passes: true,
    }
}

pub(super) fn read_failed(brokers: &str, cause: impl Into<String>) -> ReadError {
    ReadError::Failed {
        path: brokers.to_owned(),
        cause: cause.into(),
        passes: true,
    }
}

/// Why something could not be written.
pub(super) fn write(brokers: &str, what: &str, error: &KafkaError) -> AppendError {
    match code(error) {
        Code::QueueFull
        | Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::TimedOutQueue
        | Code::BrokerTransportFailure
        | Code::AllBrokersDown => AppendError::Busy,
        _ => AppendError::Broken {
            path: brokers.to_owned(),
            cause: format!("{what}: {}", words(error)),
        },
    }
}

pub(super) fn from_read(error: ReadError) -> AppendError {
    match error {
        ReadError::Closed => AppendError::Closed,
        ReadError::PositionGone { .. } => AppendError::Busy,
        ReadError::Failed { path, cause, .. } => AppendError::Broken { path, cause },
    }
}

/// What a code means to a person, with the fix where there is one.
pub(super) fn words(error: &KafkaError) -> String {
    let fix = match code(error) {
        Code::TopicAuthorizationFailed => "allow this user to read and write the topic",
        Code::GroupAuthorizationFailed => "allow this user to read the group",
        Code::ClusterAuthorizationFailed => "allow this user idempotent writes (IDEMPOTENT_WRITE)",
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownTopicId => {
            "the topic is gone: start homelog again to make it anew"
        }
        Code::BrokerTransportFailure | Code::AllBrokersDown => "check that the brokers run",
        Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress => {
            "the group has members: stop its workers first"
        }
        Code::Unknown => "the broker failed inside itself, its log tells why",
        _ => return error.to_string(),
    };
    format!("{error}: {fix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Code, words: &str) -> OpenError {
        let error = KafkaError::MetadataFetch(Code::BrokerTransportFailure);
        OpenError::of("k:9092", &error, Some((code, words.to_owned())))
    }

    #[test]
    fn each_cause_has_its_line_and_says_whether_to_try_again() {
        let cases = [
            (
                of(Code::AllBrokersDown, "1/1 brokers are down"),
                "check that it runs",
                true,
            ),
            (
                of(Code::Authentication, "bad password"),
                "user name, password",
                false,
            ),
            (of(Code::SSL, "certificate verify failed"), "CA file", false),
            (
                of(
                    Code::BrokerTransportFailure,
                    "Disconnected: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?)",
                ),
                "check `tls`",
                false,
            ),
            (
                of(Code::UnsupportedFeature, "no idempotence"),
                "Kafka 2.1 or later",
                false,
            ),
        ];
        for (error, wanted, again) in cases {
            let line = error.to_string();
            assert!(line.contains(wanted) && !line.contains('\n'), "{line}");
            assert_eq!(error.is_transient(), again, "{line}");
        }
    }
}
