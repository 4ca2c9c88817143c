use std::{fmt, path::PathBuf};

use tokio::net::{TcpStream, UnixStream};

use super::transport::Io;

/// Where a Docker Engine listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Address {
    Unix(PathBuf),
    Tcp { host: String, port: u16 },
}

const PLAIN_PORT: u16 = 2375;

impl Address {
    /// Reads `unix:///path`, `tcp://host[:port]` or `http://host[:port]`.
    ///
    /// # Errors
    /// Anything else, with what to write.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let refused =
            |why: &str| format!("{why}: write `unix:///var/run/docker.sock` or `tcp://host:2375`");
        match url.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') && !path.contains('\0') => {
                Ok(Self::Unix(PathBuf::from(path)))
            }
            Some(("unix", _)) => Err(refused("a socket needs its absolute path")),
            Some(("tcp" | "http", authority)) => {
                let authority = authority.trim_end_matches('/');
                let (host, port) = match authority.rsplit_once(':') {
                    Some((host, port)) if !port.ends_with(']') => (
                        host,
                        port.parse()
                            .map_err(|_| refused("the port is no number up to 65535"))?,
                    ),
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
                })
            }
            Some(("https", _)) => Err(refused(
                "an engine behind TLS cannot be read directly, a socket proxy beside it can",
            )),
            Some(("ssh" | "npipe" | "fd", _)) => Err(refused("only sockets and TCP are read")),
            _ => Err(refused("this is no address of a Docker Engine")),
        }
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> std::io::Result<Box<dyn Io>> {
        match self {
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                // the event stream is silent for days: only this tells that the other side is gone
                rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
                rustix::net::sockopt::set_tcp_keepidle(
                    &stream,
                    std::time::Duration::from_secs(30),
                )?;
                Ok(Box::new(stream))
            }
        }
    }

    /// What goes into the `Host` header.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "docker".to_owned(),
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
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
        ] {
            assert_eq!(Address::parse(url).unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "docker",
            "unix://docker.sock",
            "tcp://",
            "tcp://h:99999",
            "tcp://a b:1",
            "https://h:2376",
            "ssh://h",
            "tcp://user@h:1",
            "tcp://h/path",
        ] {
            let refused = Address::parse(bad).unwrap_err();
            assert!(refused.contains("write `unix://"), "{bad}: {refused}");
        }
    }
}
