//! What can be set about the API, and its bounds.

use std::time::Duration;

use ipnet::IpNet;

use crate::{Probe, ServerTls};

/// Settings and bounds. The defaults fit a home.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Networks that may read `/metrics` without a token. A request that came through a proxy is in none of them.
    pub metrics_from: Vec<IpNet>,
    /// The certificate that is shown; without one the listeners speak plain HTTP.
    pub tls: Option<ServerTls>,
    /// Most connections at once; further ones wait to be accepted.
    pub max_connections: usize,
    /// Most event streams and `WebSocket`s at once.
    pub max_streams: usize,
    /// Most event streams and `WebSocket`s of one user at once.
    pub max_streams_per_user: usize,
    /// Most history queries that are worked on at once; further ones wait a moment, then are told to come back.
    pub max_queries: usize,
    /// Requests per second of one user, or of one address without a token.
    pub requests_per_second: u32,
    /// Most series of one answer.
    pub max_series: usize,
    /// Most values of one answer.
    pub max_values: usize,
    /// How long a request may take until its answer begins.
    pub request_timeout: Duration,
    /// How long a client may take to send the head of a request, and a connection may rest between requests.
    pub head_timeout: Duration,
    /// How long a read waits for a store that is being rebuilt.
    pub rebuild_wait: Duration,
    /// How often a live stream shows that it is alive, and looks whether its user still may listen.
    pub heartbeat: Duration,
    /// How long a log keeps events that cannot take single ones out.
    pub keep_events: Option<Duration>,
    /// Parts of this process whose state counts for `/health`.
    pub probes: Vec<Probe>,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            metrics_from: vec![
                IpNet::from(std::net::IpAddr::from([127, 0, 0, 1])),
                IpNet::from(std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST)),
            ],
            tls: None,
            max_connections: 512,
            max_streams: 256,
            max_streams_per_user: 64,
            max_queries: 4,
            requests_per_second: 5_000,
            max_series: 500,
            max_values: 1_000_000,
            request_timeout: Duration::from_mins(1),
            head_timeout: Duration::from_secs(30),
            rebuild_wait: Duration::from_secs(2),
            heartbeat: Duration::from_secs(15),
            keep_events: None,
            probes: Vec::new(),
        }
    }
}
