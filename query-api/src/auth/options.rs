use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

/// What can be set about identity and access. The defaults fit a home.
#[derive(Clone, Debug)]
pub struct AuthOptions {
    /// How long an access token is good.
    pub access_ttl: Duration,
    /// How long a session lives without being used.
    pub idle: Duration,
    /// How long a session lives at most.
    pub absolute: Duration,
    /// How long the repeated use of a refresh token is taken for a race of two tabs or a lost answer.
    pub refresh_grace: Duration,
    /// How soon a ticket must be used.
    pub ticket_ttl: Duration,
    /// Names under which browsers may reach this server, besides addresses, own names, and those that only exist at home.
    pub hosts: Vec<String>,
    /// Name of this machine.
    pub hostname: Option<String>,
    /// Fingerprint of the certificate that this server shows itself: `sha256:…`; agents are enrolled with it.
    pub fingerprint: Option<String>,
    /// Addresses of this machine; IPv6 neighbours of these count as local although their addresses are public.
    pub own_addresses: Vec<IpAddr>,
    /// Reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for AuthOptions {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            access_ttl: Duration::from_mins(15),
            idle: Duration::from_secs(14 * DAY),
            absolute: Duration::from_secs(90 * DAY),
            refresh_grace: Duration::from_secs(20),
            ticket_ttl: Duration::from_secs(30),
            hosts: Vec::new(),
            hostname: None,
            fingerprint: None,
            own_addresses: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

/// Whole milliseconds of a duration.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
