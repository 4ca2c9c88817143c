//! Starts every mock service of the home.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, atomic::AtomicU64},
};

use anyhow::Context;
use chrono::{DateTime, Local, Utc};
use schemas::time::Timestamp;
use supervision::Supervisor;
use tokio::net::TcpListener;

use crate::{
    described::Described,
    fault::{FaultRate, Faults},
    nut::{self, Nut},
    server::{self, Hosted},
    service::{
        Service,
        docker::Docker,
        home_assistant::{self, HomeAssistant},
        http_json::{self, HttpJson},
        pihole_v5::{self, PiholeV5},
        pihole_v6::PiholeV6,
        prometheus::Prometheus,
        proxmox::{self, Proxmox},
        qnap::Qnap,
        synology::Synology,
    },
    tls::Tls,
    world::{World, chance},
};

/// What is simulated, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the services listen.
    pub listen: IpAddr,
    /// The port of the first; the others follow. 0: any that are free.
    pub base_port: u16,
    /// The same seed is the same home.
    pub seed: u64,
    /// How far east of UTC the home is, in seconds: its nights follow from it.
    pub offset_seconds: i32,
    /// What goes wrong from the beginning.
    pub faults: Vec<FaultRate>,
}

/// How far east of UTC this machine is now, in seconds.
pub fn local_offset_seconds() -> i32 {
    let now = DateTime::<Utc>::from_timestamp_millis(Timestamp::now().as_millis());
    now.unwrap_or_default()
        .with_timezone(&Local)
        .offset()
        .local_minus_utc()
}

/// What is needed to start one.
struct Start<'a> {
    options: &'a Options,
    supervisor: &'a Supervisor,
    next: u16,
}

impl Start<'_> {
    /// The next port.
    async fn listen(&mut self, name: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
        let port = match self.options.base_port {
            0 => 0,
            base => base.checked_add(self.next).with_context(|| {
                format!("there is no port for {name}: choose a lower --base-port")
            })?,
        };
        self.next += 1;
        let address = SocketAddr::new(self.options.listen, port);
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("{name} cannot listen on {address}: choose another --base-port")
        })?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    /// The password of a service.
    fn password(&self, name: &str) -> String {
        let digits = chance::digits(self.options.seed, &format!("{name}/password"), 12);
        format!("simulated-{digits}")
    }

    fn faults(&self, name: &str) -> Faults {
        Faults::new(self.options.seed, name, self.options.faults.iter().copied())
    }

    /// Serves HTTP; where it is then.
    async fn http(
        &mut self,
        name: &'static str,
        service: Arc<dyn Service>,
        tls: Tls,
        plain: bool,
    ) -> anyhow::Result<String> {
        let (listener, address) = self.listen(name).await?;
        let hosted = Hosted {
            name,
            service,
            faults: self.faults(name),
            tls: Some(tls),
            plain,
            requests: AtomicU64::new(0),
            cut: Mutex::default(),
        };
        server::serve(self.supervisor, listener, Arc::new(hosted));
        Ok(format!(
            "{}://{}",
            if plain { "http" } else { "https" },
            shown(address)
        ))
    }
}

/// An address as one connects to it.
fn shown(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn text(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}

/// Whom to believe: a certificate by its fingerprint.
fn pinned(fingerprint: &str) -> toml::Value {
    let digits = fingerprint.replace(':', "").to_lowercase();
    let mut table = toml::Table::new();
    table.insert("fingerprint".to_owned(), text(&format!("sha256:{digits}")));
    toml::Value::Table(table)
}

/// Starts all services; each answers when this returns.
///
/// # Errors
/// A port is taken, or no certificate can be made.
pub async fn start(options: &Options, supervisor: &Supervisor) -> anyhow::Result<Vec<Described>> {
    let world = World::new(options.seed, options.offset_seconds);
    let mut start = Start {
        options,
        supervisor,
        next: 0,
    };
    let mut all = storage(&mut start, world).await?;
    all.push(cluster(&mut start, world).await?);
    all.extend(dns(&mut start, world).await?);
    all.push(home(&mut start, world).await?);
    all.extend(own(&mut start, world).await?);
    all.push(ups(&mut start, world).await?);
    Ok(all)
}

/// The network storage: two with DSM and one with QTS.
async fn storage(start: &mut Start<'_>, world: World) -> anyhow::Result<Vec<Described>> {
    let mut all = Vec::new();
    for (name, kind) in [("nas1", "synology"), ("nas2", "synology"), ("nas3", "qnap")] {
        let password = start.password(name);
        let service: Arc<dyn Service> = match name {
            "nas1" => Arc::new(Synology::dsm7(world, &password)),
            "nas2" => Arc::new(Synology::dsm6(world, &password)),
            _ => Arc::new(Qnap::new(world, &password)),
        };
        let url = start.http(name, service, Tls::new(kind)?, true).await?;
        all.push(Described {
            username: Some("homelog".to_owned()),
            options: vec![
                ("url", text(&url)),
                ("username", text("homelog")),
                ("password", text(&password)),
            ],
            password: Some(password),
            ..described(name, kind, url)
        });
    }
    Ok(all)
}

async fn cluster(start: &mut Start<'_>, world: World) -> anyhow::Result<Described> {
    let tls = Tls::new("pve1.home.arpa")?;
    let fingerprint = tls.fingerprint.clone();
    let password = start.password("pve");
    let service = Proxmox::new(world, &password, &fingerprint);
    let url = start.http("pve", Arc::new(service), tls, false).await?;
    let secret = proxmox::secret(world.seed());
    Ok(Described {
        username: Some(proxmox::USER.to_owned()),
        password: Some(password),
        token: Some(format!("{}={secret}", proxmox::TOKEN)),
        options: vec![
            ("url", text(&url)),
            ("token_id", text(proxmox::TOKEN)),
            ("token_secret", text(&secret)),
            ("tls", pinned(&fingerprint)),
        ],
        ..described("pve", "proxmox", url)
    })
}

/// Two Pi-holes: an old one and a new one.
async fn dns(start: &mut Start<'_>, world: World) -> anyhow::Result<Vec<Described>> {
    let mut all = Vec::new();
    for name in ["dns1", "dns2"] {
        let password = start.password(name);
        // the old one knows a token, the new one takes the password
        let token = (name == "dns1").then(|| pihole_v5::token(&password));
        let service: Arc<dyn Service> = match token {
            Some(_) => Arc::new(PiholeV5::new(world, &password)),
            None => Arc::new(PiholeV6::new(world, &password)),
        };
        let url = start
            .http(name, service, Tls::new("pi.hole")?, true)
            .await?;
        let secret = token.clone().unwrap_or_else(|| password.clone());
        all.push(Described {
            password: Some(password),
            token,
            options: vec![("url", text(&url)), ("password", text(&secret))],
            ..described(name, "pihole", url)
        });
    }
    Ok(all)
}

async fn home(start: &mut Start<'_>, world: World) -> anyhow::Result<Described> {
    let service = Arc::new(HomeAssistant::new(world));
    let tls = Tls::new("homeassistant.local")?;
    let url = start.http("home", service, tls, true).await?;
    let token = home_assistant::token(world.seed());
    Ok(Described {
        options: vec![("url", text(&url)), ("token", text(&token))],
        token: Some(token),
        ..described("home", "home_assistant", url)
    })
}

/// The engine of the containers, and what runs there that somebody wrote.
async fn own(start: &mut Start<'_>, world: World) -> anyhow::Result<Vec<Described>> {
    let service = Arc::new(Docker::new(world));
    let tls = Tls::new("docker1.home.arpa")?;
    let url = start.http("docker1", service, tls, true).await?;
    let tcp = url.replacen("http://", "tcp://", 1);
    let engine = Described {
        options: vec![("url", text(&tcp))],
        ..described("docker1", "docker", tcp)
    };

    let service = Arc::new(Prometheus::new(world));
    let tls = Tls::new("shop.home.arpa")?;
    let base = start.http("shop", service, tls, true).await?;
    let url = format!("{base}/metrics");
    let metrics = Described {
        options: vec![("url", text(&url))],
        ..described("shop", "prometheus", url)
    };

    let service = Arc::new(HttpJson::new(world));
    let tls = Tls::new("shop.home.arpa")?;
    let base = start.http("shop-status", service, tls, true).await?;
    let url = format!("{base}/api/status");
    let token = http_json::token(world.seed());
    let status = Described {
        options: vec![
            ("url", text(&url)),
            ("token", text(&token)),
            ("entity", shop_entities()?),
        ],
        token: Some(token),
        ..described("shop-status", "http_json", url)
    };
    Ok(vec![engine, metrics, status])
}

/// What of the shop's status is told.
fn shop_entities() -> anyhow::Result<toml::Value> {
    let text = r#"
        entity = [
            { type = "shop", id = "/service", labels = { version = "/version" }, field = [
                { name = "open_orders", at = "/orders/open" },
                { name = "requests_total", at = "/requests/total", kind = "counter" },
                { name = "memory_bytes", at = "/memory/residentBytes" },
                { name = "rack_celsius", at = "/rack/temperatureFahrenheit", unit = "°F" },
            ] },
            { type = "queue", items = "/queues", id = "/name", field = [
                { name = "waiting", at = "/waiting" },
                { name = "done_total", at = "/done", kind = "counter" },
            ] },
        ]
    "#;
    let mut table: toml::Table = text.parse()?;
    table
        .remove("entity")
        .context("the mapping has no entities")
}

async fn ups(start: &mut Start<'_>, world: World) -> anyhow::Result<Described> {
    let password = start.password("ups");
    let (listener, address) = start.listen("ups").await?;
    let service = Nut::new(world, &password, start.faults("ups"));
    nut::serve(start.supervisor, listener, Arc::new(service));
    let url = format!("tcp://{}", shown(address));
    Ok(Described {
        username: Some(nut::USER.to_owned()),
        // reading needs nobody's name
        options: vec![("url", text(&url))],
        password: Some(password),
        ..described("ups", "nut", url)
    })
}

/// A service without credentials and options.
fn described(name: &str, kind: &'static str, url: String) -> Described {
    Described {
        name: name.to_owned(),
        kind,
        url,
        username: None,
        password: None,
        token: None,
        options: Vec::new(),
    }
}
