//! Takes the port; when it is taken, says by whom.

use std::{
    fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

use anyhow::Context;

use crate::config::Api;

/// Opens the socket to listen on.
///
/// # Errors
/// With who holds the port and which flag or option chooses another.
pub(super) fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).map_err(|e| match e.kind() {
        ErrorKind::AddrInUse => {
            let holder = holder(address.port()).map_or_else(
                || "another program".to_owned(),
                |(pid, name)| format!("{name} (pid {pid})"),
            );
            let other = SocketAddr::new(address.ip(), address.port().wrapping_add(1).max(1024));
            anyhow::anyhow!(
                "{holder} already listens on port {}: stop it, or choose another port with {setting} {other}",
                address.port()
            )
        }
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "this user may not listen on port {}: choose a port above 1023 with {setting}, such as {}",
            address.port(),
            SocketAddr::new(address.ip(), 3001)
        ),
        ErrorKind::AddrNotAvailable => anyhow::anyhow!(
            "{} is not an address of this machine: choose another with {setting}, such as 0.0.0.0:{} for all of them",
            address.ip(),
            address.port()
        ),
        _ => anyhow::Error::new(e).context(format!("cannot listen on {address}")),
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Where an API is served.
pub(super) struct Ports {
    /// All of it.
    pub(super) api: TcpListener,
    /// InfluxDB's write API alone.
    pub(super) influxdb: Option<TcpListener>,
}

impl Ports {
    /// Opens the sockets that a configuration names.
    ///
    /// # Errors
    /// As [`listen`].
    pub(super) fn open(api: &Api) -> anyhow::Result<Self> {
        let influxdb = api
            .influxdb_listen
            .map(|address| listen(address, "[api] influxdb_listen"));
        Ok(Self {
            api: listen(api.listen, "--listen")?,
            influxdb: influxdb.transpose()?,
        })
    }
}

/// Gives the socket to the runtime, with the address that it has.
///
/// # Errors
/// The runtime cannot wait for it, or it has no address.
pub(super) fn served(
    listener: TcpListener,
) -> anyhow::Result<(tokio::net::TcpListener, SocketAddr)> {
    let listener =
        tokio::net::TcpListener::from_std(listener).context("the listener cannot be used")?;
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    Ok((listener, address))
}

/// Pid and name of the process that listens on a port, as far as this user may see it.
fn holder(port: u16) -> Option<(u32, String)> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| inode_of_listener(&table, port))?;
    let socket = format!("socket:[{inode}]");
    let pid = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| {
            fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|fds| {
                fds.flatten().any(|fd| {
                    fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == socket.as_str())
                })
            })
        })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some((pid, name.trim().to_owned()))
}

/// Lines of the table: `sl local_address rem_address st … inode`, addresses in hexadecimal, state 0A is listening.
fn inode_of_listener(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let local = columns.nth(1)?;
        let state = columns.nth(1)?;
        let inode = columns.nth(5)?;
        let (_, hex) = local.rsplit_once(':')?;
        (state == "0A" && u16::from_str_radix(hex, 16).ok()? == port).then(|| inode.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_port_is_found() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let (pid, _) = holder(address.port()).unwrap();
        assert_eq!(pid, std::process::id());
        let refused = listen(address, "--listen").unwrap_err().to_string();
        assert!(
            refused.contains(&format!("(pid {pid})")) && refused.contains("--listen 127.0.0.1:"),
            "{refused}"
        );
    }

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0000 100 0 0 10 0\n   1: 0100007F:0BBA 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 7 1 0000 100 0 0 10 0\n";
        assert_eq!(inode_of_listener(table, 3001), Some(4242));
        assert_eq!(inode_of_listener(table, 3002), None, "not listening");
    }
}
