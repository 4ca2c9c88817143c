//! How a client of Kafka is set up, whatever it does.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::{
    ClientConfig, ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext,
    error::KafkaError, types::RDKafkaErrorCode as Code,
};
use secrecy::ExposeSecret;
use tracing::{debug, warn};

use super::{error::is_final, options::Options};

/// What every client has in common: where its words go.
#[derive(Clone, Default)]
pub(super) struct Context {
    /// What was last said of a connection: the first that tells what is wrong stays.
    seen: Arc<Mutex<Option<(Code, String)>>>,
}

impl Context {
    pub(super) fn seen(&self) -> Option<(Code, String)> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Code, String)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                warn!(facility, "kafka client: {message}");
            }
            // it says every failed attempt to connect; what it means for us is said where it is handled
            _ => debug!(facility, "kafka client: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = super::error::code(&error);
        debug!(error = %error, "kafka client: {reason}");
        let mut seen = self.lock();
        let kept = seen.as_ref().is_some_and(|(kept, _)| is_final(*kept));
        let says_more = code != Code::AllBrokersDown || seen.is_none();
        if is_final(code) || (!kept && says_more) {
            *seen = Some((code, plain(reason)));
        }
    }
}

impl ConsumerContext for Context {}

/// A reason on one line, without the client's own names and numbers in front.
fn plain(reason: &str) -> String {
    let reason = reason.lines().next().unwrap_or_default();
    let mut text = reason
        .split_once("/bootstrap: ")
        .map_or(reason, |(_, rest)| rest)
        .trim_end_matches('.')
        .to_owned();
    if let Some(at) = text.find(" (after ") {
        text.truncate(at);
    }
    text
}

/// What every client is told.
pub(super) fn config(options: &Options) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.brokers)
        .set("client.id", &options.client_id)
        // a broker that comes back is found again soon
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("topic.metadata.refresh.interval.ms", "60000")
        .set_log_level(RDKafkaLogLevel::Warning);
    let security = &options.security;
    config.set(
        "security.protocol",
        match (&security.tls, &security.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        },
    );
    if let Some(tls) = &security.tls {
        match &tls.ca {
            Some(file) => config.set("ssl.ca.location", file.display().to_string()),
            None => config.set("ssl.ca.location", "probe"),
        };
    }
    if let Some(sasl) = &security.sasl {
        config
            .set("sasl.mechanism", sasl.mechanism.as_str())
            .set("sasl.username", &sasl.username)
            .set("sasl.password", sasl.password.expose_secret());
    }
    config
}

/// What every client that reads is told; `memory` bounds what it fetches ahead, in KiB.
pub(super) fn consumer(options: &Options, memory: usize) -> ClientConfig {
    let mut config = config(options);
    config
        // assigning partitions by hand needs a group too, though it is never joined
        .set("group.id", options.group("reader"))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        .set("check.crcs", "true")
        .set("isolation.level", "read_uncommitted")
        .set("queued.min.messages", "2000")
        .set("queued.max.messages.kbytes", memory.to_string())
        // compressed: what it becomes is many times as much
        .set("fetch.message.max.bytes", "262144")
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.error.backoff.ms", "100")
        .set("fetch.wait.max.ms", "100");
    config
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::kafka::options::{Mechanism, Sasl, Security, Tls};

    #[test]
    fn a_password_is_never_shown() {
        let options = Options {
            security: Security {
                tls: Some(Tls::default()),
                sasl: Some(Sasl {
                    mechanism: Mechanism::ScramSha512,
                    username: "homelog".to_owned(),
                    password: SecretString::from("hunter2"),
                }),
            },
            ..Options::default()
        };
        let config = config(&options);
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("sasl.password"), Some("hunter2"));
        // the library knows TLS and this mechanism
        config
            .create::<rdkafka::consumer::BaseConsumer>()
            .expect("it is a client");
        assert!(!format!("{options:?} {config:?}").contains("hunter2"));
    }
}
