//! Where each service that Homelog knows usually listens, and by what it is recognised without logging in.

use super::answer::Answer;

/// One kind of service.
pub(super) struct Service {
    /// Kind of the integration that watches it.
    pub(super) kind: &'static str,
    /// What a person calls it.
    pub(super) name: &'static str,
    /// What the name of its source ends in.
    pub(super) label: &'static str,
    /// Where it listens; the better door first.
    pub(super) doors: &'static [Door],
    /// The `url` of a source, from the address that answered.
    pub(super) url: fn(&str) -> String,
    /// What is to be known besides.
    pub(super) note: Option<&'static str>,
}

/// One place where a service may listen.
pub(super) enum Door {
    /// A GET, and how the service is told by its answer.
    Http {
        scheme: &'static str,
        port: u16,
        path: &'static str,
        is_it: fn(&Answer) -> bool,
    },
    /// A line that is said, and how the line begins that is answered.
    Line {
        port: u16,
        says: &'static str,
        begins: &'static str,
    },
}

const fn http(port: u16, path: &'static str, is_it: fn(&Answer) -> bool) -> Door {
    Door::Http {
        scheme: "http",
        port,
        path,
        is_it,
    }
}

const fn https(port: u16, path: &'static str, is_it: fn(&Answer) -> bool) -> Door {
    Door::Http {
        scheme: "https",
        port,
        path,
        is_it,
    }
}

fn as_it_is(address: &str) -> String {
    address.to_owned()
}

fn metrics(address: &str) -> String {
    format!("{address}/metrics")
}

fn engine(address: &str) -> String {
    address.replacen("http://", "tcp://", 1)
}

const SYNOLOGY: &str =
    "/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query&query=SYNO.API.Auth";
const QNAP: &str = "/cgi-bin/authLogin.cgi";
const PIHOLE_6: &str = "/api/auth";
const PIHOLE_5: &str = "/admin/api.php?type&version";

fn is_synology(answer: &Answer) -> bool {
    answer.at("/data/SYNO.API.Auth").is_object()
}

fn is_qnap(answer: &Answer) -> bool {
    answer.says("<QDocRoot")
}

fn is_proxmox(answer: &Answer) -> bool {
    answer.status == 401 && answer.server.starts_with("pve-api-daemon")
}

fn is_pihole_6(answer: &Answer) -> bool {
    matches!(answer.status, 200 | 401) && answer.at("/session/valid").is_boolean()
}

fn is_pihole_5(answer: &Answer) -> bool {
    answer.status == 200 && answer.at("/type") == "FTL" && !answer.at("/version").is_null()
}

fn is_home_assistant(answer: &Answer) -> bool {
    answer.status == 200 && answer.at("/name") == "Home Assistant"
}

fn is_docker(answer: &Answer) -> bool {
    answer.status == 200 && answer.at("/ApiVersion").is_string()
}

fn is_node_exporter(answer: &Answer) -> bool {
    answer.says("Node Exporter")
}

fn is_prometheus(answer: &Answer) -> bool {
    answer.says("Prometheus Server is Healthy") || answer.says("Prometheus is Healthy")
}

fn is_homelog(answer: &Answer) -> bool {
    answer.status == 200
        && answer.at("/status").is_string()
        && answer.at("/services/event_log").is_object()
}

/// All of them, in the order in which they are asked.
pub(super) static SERVICES: &[Service] = &[
    Service {
        kind: "synology",
        name: "Synology DSM",
        label: "synology",
        doors: &[
            https(5001, SYNOLOGY, is_synology),
            http(5000, SYNOLOGY, is_synology),
        ],
        url: as_it_is,
        note: None,
    },
    Service {
        kind: "qnap",
        name: "QNAP QTS",
        label: "qnap",
        doors: &[https(443, QNAP, is_qnap), http(8080, QNAP, is_qnap)],
        url: as_it_is,
        note: None,
    },
    Service {
        kind: "proxmox",
        name: "Proxmox VE",
        label: "proxmox",
        doors: &[https(8006, "/api2/json/version", is_proxmox)],
        url: as_it_is,
        note: None,
    },
    Service {
        kind: "pihole",
        name: "Pi-hole",
        label: "pihole",
        doors: &[
            https(443, PIHOLE_6, is_pihole_6),
            http(80, PIHOLE_6, is_pihole_6),
            http(80, PIHOLE_5, is_pihole_5),
        ],
        url: as_it_is,
        note: None,
    },
    Service {
        kind: "home_assistant",
        name: "Home Assistant",
        label: "home_assistant",
        doors: &[
            http(8123, "/manifest.json", is_home_assistant),
            https(8123, "/manifest.json", is_home_assistant),
        ],
        url: as_it_is,
        note: None,
    },
    Service {
        kind: "docker",
        name: "Docker Engine",
        label: "docker",
        doors: &[http(2375, "/version", is_docker)],
        url: engine,
        note: Some(
            "Whoever reaches this port is root on that host: put a read-only socket proxy before it.",
        ),
    },
    Service {
        kind: "docker",
        name: "Docker Engine with TLS",
        label: "docker_tls",
        doors: &[https(2376, "/version", is_docker)],
        url: |address| address.replacen("https://", "tcp://", 1),
        note: Some(
            "It answers without a certificate of its client: whoever reaches this port is root on that host.",
        ),
    },
    Service {
        kind: "prometheus",
        name: "node_exporter",
        label: "node_exporter",
        doors: &[http(9100, "/", is_node_exporter)],
        url: metrics,
        note: None,
    },
    Service {
        kind: "prometheus",
        name: "Prometheus",
        label: "prometheus",
        doors: &[http(9090, "/-/healthy", is_prometheus)],
        url: metrics,
        note: None,
    },
    Service {
        kind: "nut",
        name: "Network UPS Tools",
        label: "nut",
        doors: &[Door::Line {
            port: 3493,
            says: "VER\n",
            begins: "Network UPS Tools",
        }],
        url: as_it_is,
        note: None,
    },
    Service {
        kind: "prometheus",
        name: "Homelog",
        label: "homelog",
        doors: &[
            http(3001, "/health", is_homelog),
            https(3001, "/health", is_homelog),
        ],
        url: metrics,
        note: Some(
            "Its /metrics want a token, unless its [api] metrics_from names the network of this machine.",
        ),
    },
];
