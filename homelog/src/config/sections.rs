//! The sections of the file.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    findings::Fault,
    network::HostName,
    section::section,
    setting::{Setting, Value, quoted, text},
    suggest,
};

/// Where a part of Homelog keeps its data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// In a file of the data directory.
    Embedded,
}

/// Kinds that a reader of the documentation may try.
const ELSEWHERE: [&str; 4] = ["kafka", "http", "influxdb", "postgres"];

impl Setting for Kind {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let text = text(value).map_err(|fault| vec![fault])?;
        let (message, fix) = match text {
            "embedded" => return Ok(Self::Embedded),
            other if ELSEWHERE.contains(&other) => (
                format!("`{other}` is not part of this release"),
                "write \"embedded\", or leave it out".to_owned(),
            ),
            other => (
                format!("`{}` is not a kind", schemas::name::excerpt(other)),
                suggest::fix(other, ["embedded"]),
            ),
        };
        Err(vec![Fault {
            span: value.span(),
            message,
            fix,
        }])
    }

    fn write(&self) -> String {
        match self {
            Self::Embedded => quoted("embedded"),
        }
    }
}

/// How long data is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Age(pub Duration);

const HOUR: Duration = Duration::from_hours(1);

impl Setting for Age {
    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        let age = Duration::read(value)?;
        if age < HOUR {
            return Err(vec![Fault {
                span: value.span(),
                message: format!(
                    "{} is shorter than an hour",
                    schemas::time::format_duration(age)
                ),
                fix: "write \"1h\" or more".to_owned(),
            }]);
        }
        Ok(Self(age))
    }

    fn write(&self) -> String {
        self.0.write()
    }
}

section! {
    /// The event log: every observation, in the order in which it came.
    Log as "log" {
        /// Where it is kept; "embedded" is a file in the data directory.
        kind: Kind = Kind::Embedded,
    }
}

section! {
    /// The time-series store: what charts are drawn from.
    Store as "store" {
        /// Where it is kept; "embedded" is a file in the data directory.
        kind: Kind = Kind::Embedded,
    }
}

section! {
    /// The control store: users, sessions, tokens and preferences.
    Control as "control" {
        /// Where it is kept; "embedded" is a file in the data directory.
        kind: Kind = Kind::Embedded,
    }
}

section! {
    /// The dashboard and the HTTP API.
    Api as "api" {
        /// Address and port; "0.0.0.0:3001" is reached from the whole network.
        listen: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3001),
        /// More names by which a browser may call it. Addresses, this machine's own name and names that end in
        /// .local, .lan or .home.arpa need not be listed.
        hosts: Vec<HostName> = Vec::new(),
        /// Networks that read /metrics without a token.
        metrics_from: Vec<IpNet> = vec![
            IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ],
        /// Networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
        trusted_proxies: Vec<IpNet> = Vec::new(),
    }
}

section! {
    /// How long data is kept.
    Retention as "retention" {
        /// Events in the log: what can be replayed. What the store has not taken over yet always stays.
        events: Age = Age(Duration::from_hours(7 * 24)),
        /// Points in the store: what charts are drawn from.
        raw: Age = Age(Duration::from_hours(30 * 24)),
    }
}
