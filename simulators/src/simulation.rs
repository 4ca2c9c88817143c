//! Starts every mock service of the home.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::AtomicU64},
};

use anyhow::Context;
use chrono::{DateTime, Local, Utc};
use schemas::time::Timestamp;
use supervision::Supervisor;
use tokio::net::TcpListener;

use crate::{
    described::Described,
    fault::{FaultRate, Faults},
    server::{self, Hosted},
    service::{
        Service,
        pihole_v5::{self, PiholeV5},
        pihole_v6::PiholeV6,
        proxmox::{self, Proxmox},
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
    let mut table = toml::Table::new();
    table.insert("fingerprint".to_owned(), text(fingerprint));
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
    let password = |name: &str| format!("simulated-{}", chance::digits(options.seed, name, 10));
    let mut all = Vec::new();

    for (name, dsm7) in [("nas1", true), ("nas2", false)] {
        let password = password(name);
        let service = if dsm7 {
            Synology::dsm7(world, &password)
        } else {
            Synology::dsm6(world, &password)
        };
        let tls = Tls::new("synology")?;
        let url = start.http(name, Arc::new(service), tls, true).await?;
        all.push(Described {
            name: name.to_owned(),
            kind: "synology",
            username: Some("homelog".to_owned()),
            token: None,
            options: vec![
                ("url", text(&url)),
                ("username", text("homelog")),
                ("password", text(&password)),
            ],
            password: Some(password),
            url,
        });
    }

    let tls = Tls::new("pve1.home.arpa")?;
    let fingerprint = tls.fingerprint.clone();
    let pve_password = password("pve");
    let service = Proxmox::new(world, &pve_password, &fingerprint);
    let url = start.http("pve", Arc::new(service), tls, false).await?;
    let secret = proxmox::secret(options.seed);
    all.push(Described {
        name: "pve".to_owned(),
        kind: "proxmox",
        username: Some(proxmox::USER.to_owned()),
        password: Some(pve_password),
        token: Some(format!("{}={secret}", proxmox::TOKEN)),
        options: vec![
            ("url", text(&url)),
            ("token_id", text(proxmox::TOKEN)),
            ("token_secret", text(&secret)),
            ("tls", pinned(&fingerprint)),
        ],
        url,
    });

    let dns1 = password("dns1");
    let token = pihole_v5::token(&dns1);
    let service = PiholeV5::new(world, &dns1);
    let url = start
        .http("dns1", Arc::new(service), Tls::new("pi.hole")?, true)
        .await?;
    all.push(Described {
        name: "dns1".to_owned(),
        kind: "pihole",
        username: None,
        password: Some(dns1),
        options: vec![("url", text(&url)), ("password", text(&token))],
        token: Some(token),
        url,
    });

    let dns2 = password("dns2");
    let service = PiholeV6::new(world, &dns2);
    let url = start
        .http("dns2", Arc::new(service), Tls::new("pi.hole")?, true)
        .await?;
    all.push(Described {
        name: "dns2".to_owned(),
        kind: "pihole",
        username: None,
        options: vec![("url", text(&url)), ("password", text(&dns2))],
        password: Some(dns2),
        token: None,
        url,
    });

    Ok(all)
}
