use std::time::Duration;

use crate::Tls;

/// What a client follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Redirects {
    /// Nothing: an answer that points elsewhere is an error that names where.
    #[default]
    Refused,
    /// Nothing: an answer that points elsewhere comes back as any other.
    Shown,
    /// That many hops, each to the same scheme, host and port.
    SameHost(usize),
}

/// How a client works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whom it trusts.
    pub tls: Tls,
    /// How long a connection may take to be made, with TLS.
    pub connect_timeout: Duration,
    /// How long the server may stay silent in the middle of an answer.
    pub read_timeout: Duration,
    /// How long a request may take from its begin to the last byte of its answer.
    pub timeout: Duration,
    /// How long a connection that nobody uses stays open.
    pub idle_timeout: Duration,
    /// Most bytes of an answer, after decompression; [`crate::Response::bytes_up_to`] may lower it.
    pub max_body: usize,
    /// What is followed.
    pub redirects: Redirects,
    /// Whether addresses are refused that only mean something on this machine's own link, as 169.254.169.254, where clouds
    /// hand out credentials: no service that is watched lives there.
    pub refuse_link_local: bool,
    /// Whether every request makes a connection of its own, with a whole TLS handshake: how long it takes and the certificate
    /// ([`crate::Response::not_after`]) are then those of now.
    pub fresh_connections: bool,
    /// How it introduces itself.
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: Tls::System,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(1),
            max_body: 8 * 1024 * 1024,
            redirects: Redirects::Refused,
            refuse_link_local: false,
            fresh_connections: false,
            user_agent: concat!("homelog/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
