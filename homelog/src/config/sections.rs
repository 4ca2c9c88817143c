//! The sections of the file.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    address::{Agent, Brokers, HttpUrl, Name, Prefix},
    findings::Fault,
    kind::{ControlKind, LogKind, Mechanism, StoreKind},
    network::HostName,
    quantity::{Count, Size},
    secret::{PostgresUrl, Secret},
    section::section,
    setting::{Setting, Value},
    tls::{CaFile, KeyFile, Tls},
};

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
        /// Where it is kept: "embedded" is a file in the data directory, "kafka" is Apache Kafka, "http" is another Homelog (a
        /// hub) that `homelog collect` sends its events to.
        kind: LogKind = LogKind::Embedded,
        /// Brokers of the cluster.
        brokers: Brokers = Brokers::default() => ["kafka"] needed "\"kafka-1:9092,kafka-2:9092\"",
        /// What the names of its topics begin with: homelog.events, homelog.dead-letters …
        topics: Prefix = Prefix::from("homelog") => ["kafka"] optional "\"homelog\"",
        /// Partitions of the topic of events where it is made: the most ingest workers that can share the work.
        partitions: Count<1, 64> = Count::new(6) => ["kafka"] optional "6",
        /// Copies of each partition where topics are made: 3 on a cluster of three brokers or more survives the loss of one.
        replication: Count<1, 15> = Count::new(1) => ["kafka"] optional "1",
        /// Name to log in with; without one nobody logs in.
        username: Option<Name> = None => ["kafka"] optional "\"homelog\"",
        /// Its password.
        password: Option<Secret> = None => ["kafka"] optional "\"…\"",
        /// How the password is proved: "scram-sha-512", "scram-sha-256" or "plain".
        mechanism: Mechanism = Mechanism::ScramSha512 => ["kafka"] optional "\"scram-sha-512\"",
        /// Address of the hub.
        url: HttpUrl = HttpUrl::default() => ["http"] needed "\"https://hub.home.arpa:3001\"",
        /// Token of this agent: `homelog token create` on the hub makes one.
        token: Secret = Secret::default() => ["http"] needed "\"…\"",
        /// How the server's certificate is judged: { ca = "file.pem" }, { fingerprint = "sha256:…" } or
        /// { insecure = true } (these two with http alone); true is what this machine trusts. Kafka has no TLS unless it is set.
        tls: Tls = Tls::Default => ["kafka", "http"] optional "{ ca = \"/etc/homelog/ca.pem\" }",
    }
}

section! {
    /// The time-series store: what charts are drawn from.
    Store as "store" {
        /// Where it is kept: "embedded" is a file in the data directory, "influxdb" is InfluxDB 2.
        kind: StoreKind = StoreKind::Embedded,
        /// Address of the server.
        url: HttpUrl = HttpUrl::default() => ["influxdb"] needed "\"http://influxdb:8086\"",
        /// The organisation.
        org: Name = Name::default() => ["influxdb"] needed "\"homelab\"",
        /// The bucket; it is made if the token may do that.
        bucket: Name = Name::from("homelog") => ["influxdb"] optional "\"homelog\"",
        /// A token that may read and write the bucket.
        token: Secret = Secret::default() => ["influxdb"] needed "\"…\"",
        /// How the certificate of an https server is judged: { ca = "file.pem" }, { fingerprint = "sha256:…" } or
        /// { insecure = true }; unless set by what this machine trusts.
        tls: Tls = Tls::Default => ["influxdb"] optional "{ ca = \"/etc/homelog/ca.pem\" }",
    }
}

section! {
    /// The control store: users, sessions, tokens and preferences.
    Control as "control" {
        /// Where it is kept: "embedded" is a file in the data directory, "postgres" is PostgreSQL.
        kind: ControlKind = ControlKind::Embedded,
        /// Address of the database.
        url: PostgresUrl = PostgresUrl::default() => ["postgres"] needed "\"postgres://homelog:password@postgres:5432/homelog\"",
        /// Authorities that the server's certificate must come from; with ?sslmode=require in the address.
        ca: Option<CaFile> = None => ["postgres"] optional "\"/etc/homelog/ca.pem\"",
    }
}

section! {
    /// Collecting for a log that is elsewhere. Events wait in a spool in the data directory until the log has taken them.
    Collect as "collect" {
        /// Name of this agent, which owns the sources that it collects; unless set the name of this machine.
        agent: Option<Agent> = None => [] optional "\"nas1\"",
        /// Address and port of /metrics and /health of `homelog collect`; unless set it listens nowhere.
        listen: Option<SocketAddr> = None => [] optional "\"127.0.0.1:3003\"",
        /// The spool grows to this size while the log cannot be reached; then the oldest events go, which is told.
        spool_max_size: Size = Size(1 << 30),
        /// Events that wait longer than this go, which is told.
        spool_max_age: Age = Age(Duration::from_hours(7 * 24)),
        /// Events stay this long after the log has taken them, to be sent again if it loses them.
        spool_keep: Age = Age(Duration::from_hours(24)),
    }
}

section! {
    /// The workers that take events from a log that is shared into the store.
    Ingest as "ingest" {
        /// Address and port of /metrics and /health of `homelog ingest`; unless set it listens nowhere.
        listen: Option<SocketAddr> = None => [] optional "\"127.0.0.1:3002\"",
        /// Workers of one group share the work. On the brokers its name begins as those of the topics do.
        group: Prefix = Prefix::from("ingest"),
        /// Workers in this process.
        workers: Count<1, 16> = Count::new(1),
    }
}

section! {
    /// The dashboard and the HTTP API.
    Api as "api" {
        /// Address and port; "0.0.0.0:3001" is reached from the whole network.
        listen: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3001),
        /// Address and port of InfluxDB's write API at its root, for clients that cannot put /influxdb before their paths;
        /// unless set only those paths are served.
        influxdb_listen: Option<SocketAddr> = None => [] optional "\"127.0.0.1:8086\"",
        /// Certificate (PEM, followed by those of its authorities) where no proxy shows one; then it speaks https.
        certificate: Option<CaFile> = None => [] optional "\"/etc/homelog/cert.pem\"",
        /// Key of the certificate (PEM).
        key: Option<KeyFile> = None => [] optional "\"/etc/homelog/key.pem\"",
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
        /// Events in the log: what can be replayed. What the embedded store has not taken over yet always stays.
        events: Age = Age(Duration::from_hours(7 * 24)),
        /// Points in the store: what charts are drawn from.
        raw: Age = Age(Duration::from_hours(30 * 24)),
    }
}
