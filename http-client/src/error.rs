use std::{error::Error as StdError, io, path::PathBuf, time::Duration};

use rustls::AlertDescription;

use crate::{Fingerprint, verifier::RefusedCertificate};

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The file of authorities.
    #[error("the certificate authorities in {path} cannot be used: {cause}", path = path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The certificate of the client, or its key.
    #[error("the client certificate cannot be used: {path}: {cause}", path = path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// TLS does not start.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Another option.
    #[error("the HTTP client cannot be set up: {0}")]
    Options(String),
}

/// Why a request has no answer, or an answer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address of a web server.
    #[error(
        "`{url}` is no address of a server: write http:// or https://, a host, and the port where it is not the usual one"
    )]
    Address {
        /// What was given, without what may be secret.
        url: String,
    },
    /// A header or body that HTTP cannot carry.
    #[error("the request to {host} cannot be written: {cause}")]
    Request {
        /// The server.
        host: String,
        /// What cannot be written.
        cause: String,
    },
    /// A certificate is to be checked, but the connection has none.
    #[error("{host} is reached without TLS, while a certificate is set for it: write https://")]
    Plain {
        /// The server.
        host: String,
    },
    /// An address of the link itself.
    #[error(
        "{host} is an address of the link itself (link-local), where no service is watched: set the address that it has in your network"
    )]
    LinkLocal {
        /// The server.
        host: String,
    },
    /// Nobody answers.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable {
        /// The server.
        host: String,
        /// What the system says.
        cause: String,
    },
    /// It is another server than the one that is trusted.
    #[error("the certificate of {host} is refused: {why}; it is {seen}: {todo}", todo = if *pinned {
        "if its certificate was replaced on purpose, set this fingerprint, else somebody else answers"
    } else {
        "if that is your server, accept it with tls = { fingerprint = \"…\" } or name its authority with tls = { ca = \"file\" }"
    })]
    Certificate {
        /// The server.
        host: String,
        /// Fingerprint of the certificate that it showed.
        seen: Fingerprint,
        /// Whether another one was expected.
        pinned: bool,
        /// Whose it says it is, as `CN=nas1, O=Home`.
        subject: Option<String>,
        /// When it ends, as Unix time in seconds.
        not_after: Option<i64>,
        /// What is wrong with it.
        why: String,
    },
    /// It does not speak TLS as we do.
    #[error("no TLS with {host}: {cause}; is it a port for http:// ?")]
    Tls {
        /// The server.
        host: String,
        /// What rustls says.
        cause: String,
    },
    /// It wants to know who we are.
    #[error(
        "{host} does not accept who we are ({cause}): set a client certificate that its authority has signed, and the key of it"
    )]
    ClientCertificate {
        /// The server.
        host: String,
        /// What it says.
        cause: String,
    },
    /// It took too long.
    #[error("{host} did not answer within {} s", .after.as_secs_f32())]
    Timeout {
        /// The server.
        host: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection to {host} broke: {cause}")]
    Broken {
        /// The server.
        host: String,
        /// What the system says.
        cause: String,
    },
    /// It points to another address.
    #[error(
        "{host} points to another address ({to}), which is not followed: set that address if it is right"
    )]
    Redirect {
        /// The server.
        host: String,
        /// Where it points.
        to: String,
    },
    /// More than may be read.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// The server.
        host: String,
        /// The bound.
        limit: usize,
    },
    /// Not what was asked for.
    #[error("the answer of {host} is not what it should be: {cause}")]
    Malformed {
        /// The server.
        host: String,
        /// What is wrong.
        cause: String,
    },
}

impl Error {
    /// Whether the same request may succeed later by itself.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. }
        )
    }

    /// Reads out of reqwest's error what a person can use.
    pub(crate) fn explain(host: &str, error: &reqwest::Error, after: Duration) -> Self {
        let host = host.to_owned();
        if error.is_timeout() {
            return Self::Timeout { host, after };
        }
        let mut innermost: Option<String> = None;
        let mut next: Option<&(dyn StdError + 'static)> = error.source();
        while let Some(current) = next {
            if let Some(tls) = tls_in(current) {
                return Self::of_tls(host, tls);
            }
            if current
                .downcast_ref::<io::Error>()
                .is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
            {
                return Self::Timeout { host, after };
            }
            if let Some(refused) = current.downcast_ref::<OtherHost>() {
                return Self::Redirect {
                    host,
                    to: refused.0.clone(),
                };
            }
            innermost = Some(plain(&current.to_string()));
            next = current.source();
        }
        let cause = innermost.unwrap_or_else(|| {
            // without the address, which may hold what is secret
            if error.is_body() || error.is_decode() {
                "its answer ended too early".to_owned()
            } else {
                "the connection ended".to_owned()
            }
        });
        if error.is_builder() {
            Self::Request { host, cause }
        } else if error.is_connect() {
            Self::Unreachable { host, cause }
        } else {
            Self::Broken { host, cause }
        }
    }

    /// What TLS said, if that is why a connection failed that was made without a [`crate::Client`].
    pub fn in_connection(host: &str, error: &(dyn StdError + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| (*error).source())
            .find_map(tls_in)
            .map(|tls| Self::of_tls(host.to_owned(), tls))
    }

    fn of_tls(host: String, error: &rustls::Error) -> Self {
        if let rustls::Error::AlertReceived(alert) = error
            && about_our_certificate(*alert)
        {
            return Self::ClientCertificate {
                host,
                cause: error.to_string(),
            };
        }
        if let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) = error
            && let Some(refused) = other.0.downcast_ref::<RefusedCertificate>()
        {
            return Self::Certificate {
                host,
                seen: refused.seen,
                pinned: refused.pinned,
                subject: refused.subject.clone(),
                not_after: refused.not_after,
                why: refused.why.clone(),
            };
        }
        Self::Tls {
            host,
            cause: error.to_string(),
        }
    }
}

/// Without the address of a library's manual, which helps nobody here.
fn plain(cause: &str) -> String {
    let cause = cause.split(": https://docs.rs/").next().unwrap_or(cause);
    cause.to_owned()
}

/// Whether a server that ends a connection so has looked at the client's certificate, or misses it.
const fn about_our_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            // signed by another authority of the same name
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied
    )
}

/// What rustls said, also where it is wrapped in errors of the system, which hide it from [`StdError::source`].
fn tls_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    tls_in(inner)
}

/// A redirect that leads away.
#[derive(Debug, thiserror::Error)]
#[error("a redirect to {0} is not followed")]
pub(crate) struct OtherHost(pub(crate) String);
