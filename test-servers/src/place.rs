use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU16, Ordering},
    },
};

use anyhow::{Context, Result, bail, ensure};

use crate::container::has_image;

/// Below the ports that the kernel gives to outgoing connections: a client that tries again and again to reach a server that
/// is down would else sooner or later get its port, and the server could not come back.
const FIRST_PORT: u16 = 12_000;
const PORTS: u16 = 20_000;

/// A port that nobody listens on now, and that this process never gave before.
///
/// # Errors
/// The machine has none left.
pub fn free_port() -> Result<u16> {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // another process begins elsewhere
    let next = NEXT.get_or_init(|| {
        let random = RandomState::new().hash_one(std::process::id()) % u64::from(PORTS);
        AtomicU16::new(u16::try_from(random).unwrap_or_default())
    });
    for _ in 0..PORTS {
        let port = FIRST_PORT + next.fetch_add(1, Ordering::Relaxed) % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!(
        "no port between {FIRST_PORT} and {} is free",
        FIRST_PORT + PORTS
    )
}

/// An address of this machine alone that no other process takes, for servers that are looked for at their usual ports.
pub fn own_address() -> Ipv4Addr {
    let random = RandomState::new().hash_one(std::process::id());
    let [a, b, c, ..] = random.to_le_bytes();
    // 127.0 is everybody's, and the last number neither 0 nor 255
    Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254))
}

/// The directory of the native servers: `HOMELOG_SERVERS`, else where `scripts/build-servers` puts them.
///
/// # Errors
/// Neither that variable nor a home directory is known.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by their environment"
)]
pub fn servers() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("HOMELOG_SERVERS") {
        return Ok(named.into());
    }
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => Path::new(&std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(cache.join("homelog/servers"))
}

/// A file or directory below [`servers`].
pub(crate) fn server(name: &str) -> Result<PathBuf> {
    let path = servers()?.join(name);
    ensure!(
        path.exists(),
        "{} is not there: run scripts/build-servers",
        path.display()
    );
    Ok(path)
}

/// Whether a server comes from a container: `HOMELOG_SERVERS_FROM=containers|native`; native unless it is said.
///
/// # Errors
/// The variable has another value, or names containers and the image is not there.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by their environment"
)]
pub(crate) fn from_container(image: &str) -> Result<bool> {
    match std::env::var("HOMELOG_SERVERS_FROM").as_deref() {
        Ok("native") | Err(_) => Ok(false),
        Ok("containers") => {
            ensure!(
                has_image(image),
                "no Docker Engine answers that has the image {image}: run scripts/server-images, or set HOMELOG_SERVERS_FROM=native"
            );
            Ok(true)
        }
        Ok(other) => bail!("HOMELOG_SERVERS_FROM is `{other}`, not `containers` or `native`"),
    }
}
