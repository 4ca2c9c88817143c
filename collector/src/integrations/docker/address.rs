use std::{fmt, io, path::PathBuf, time::Duration};

use rustix::net::sockopt;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use super::transport::Io;

/// Where a Docker Engine listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Address {
    Unix(PathBuf),
    Tcp { host: String, port: u16, tls: bool },
}

const PLAIN_PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

impl Address {
    /// Reads `unix:///path`, `tcp://host[:port]`, `http://host[:port]` or `https://host[:port]`; `tls` says that options for TLS
    /// are given.
    ///
    /// # Errors
    /// Anything else, with what to write.
    pub(super) fn parse(url: &str, tls: bool) -> Result<Self, String> {
        let refused = |why: &str| {
            format!(
                "{why}: write `unix:///var/run/docker.sock`, `tcp://host:2375`, or `https://host:2376` for TLS"
            )
        };
        match url.split_once("://") {
            Some(("unix" | "http", _)) if tls => Err(refused(
                "there is no TLS at such an address, but `tls` is set",
            )),
            Some(("unix", path)) if path.starts_with('/') && !path.contains('\0') => {
                Ok(Self::Unix(PathBuf::from(path)))
            }
            Some(("unix", _)) => Err(refused("a socket needs its absolute path")),
            Some((scheme @ ("tcp" | "http" | "https"), authority)) => {
                let tls = tls || scheme == "https";
                let authority = authority.trim_end_matches('/');
                let (host, port) = match authority.rsplit_once(':') {
                    Some((host, port)) if !port.ends_with(']') => (
                        host,
                        port.parse()
                            .map_err(|_| refused("the port is no number up to 65535"))?,
                    ),
                    _ if tls => (authority, TLS_PORT),
                    _ => (authority, PLAIN_PORT),
                };
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
                if bare.is_empty() || !bare.chars().all(fits) {
                    return Err(refused(
                        "the host is missing or has characters that no host has",
                    ));
                }
                Ok(Self::Tcp {
                    host: bare.to_owned(),
                    port,
                    tls,
                })
            }
            Some(("ssh" | "npipe" | "fd", _)) => Err(refused("only sockets and TCP are read")),
            _ => Err(refused("this is no address of a Docker Engine")),
        }
    }

    /// Whether it is spoken to over TLS.
    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }

    /// Opens a connection, with TLS where a connector is given.
    pub(super) async fn connect(&self, tls: Option<&TlsConnector>) -> io::Result<Box<dyn Io>> {
        match self {
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Tcp { host, port, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                // the event stream is silent for days: only this tells that the other side is gone
                sockopt::set_socket_keepalive(&stream, true)?;
                sockopt::set_tcp_keepidle(&stream, Duration::from_secs(30))?;
                sockopt::set_tcp_keepintvl(&stream, Duration::from_secs(10))?;
                sockopt::set_tcp_keepcnt(&stream, 3)?;
                let Some(tls) = tls else {
                    return Ok(Box::new(stream));
                };
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Ok(Box::new(tls.connect(name, stream).await?))
            }
        }
    }

    /// What goes into the `Host` header.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "docker".to_owned(),
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { tls: true, .. } => write!(f, "https://{}", self.authority()),
            Self::Tcp { .. } => write!(f, "tcp://{}", self.authority()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_with_what_to_write() {
        for (url, shown) in [
            ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
            ("tcp://proxy:2375", "tcp://proxy:2375"),
            ("tcp://10.0.0.7", "tcp://10.0.0.7:2375"),
            ("http://[fd00::7]:99/", "tcp://[fd00::7]:99"),
            ("tcp://[fd00::7]", "tcp://[fd00::7]:2375"),
            ("https://nas1", "https://nas1:2376"),
        ] {
            assert_eq!(Address::parse(url, false).unwrap().to_string(), shown);
        }
        // as `docker -H tcp://… --tls` has it
        let secured = Address::parse("tcp://nas1:99", true).unwrap();
        assert_eq!(secured.to_string(), "https://nas1:99");
        for plain in ["unix:///var/run/docker.sock", "http://nas1"] {
            let refused = Address::parse(plain, true).unwrap_err();
            assert!(refused.contains("`tls` is set"), "{refused}");
        }
        for bad in [
            "",
            "docker",
            "unix://docker.sock",
            "tcp://",
            "tcp://h:99999",
            "tcp://a b:1",
            "ssh://h",
            "tcp://user@h:1",
            "tcp://h/path",
        ] {
            let refused = Address::parse(bad, false).unwrap_err();
            assert!(refused.contains("write `unix://"), "{bad}: {refused}");
        }
    }
}
