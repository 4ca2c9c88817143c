use std::{collections::BTreeSet, net::Ipv6Addr};

use axum::{
    extract::Request,
    http::{StatusCode, header},
};
use schemas::name::excerpt;

use crate::ApiError;

/// Ends of names that only exist at home.
const HOME: &[&str] = &[".local", ".lan", ".home.arpa", ".localhost"];
/// Longest name of a host, in bytes.
const MAX_NAME: usize = 253;

/// To which host a request was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Authority<'a> {
    /// Its name or address, without brackets.
    pub(super) name: &'a str,
    /// The whole, with the port.
    pub(super) whole: &'a str,
}

/// Names under which this server may be reached.
#[derive(Debug)]
pub(super) struct Hosts {
    configured: Vec<String>,
    names: BTreeSet<String>,
}

impl Hosts {
    pub(super) fn new(configured: &[String], hostname: Option<&str>) -> Self {
        let mut names: BTreeSet<_> = configured.iter().map(|name| normal(name)).collect();
        names.insert("localhost".to_owned());
        if let Some(hostname) = hostname.map(normal).filter(|name| !name.is_empty()) {
            if let Some((short, _)) = hostname.split_once('.') {
                names.insert(short.to_owned());
            }
            names.insert(hostname);
        }
        Self {
            configured: configured.to_vec(),
            names,
        }
    }

    /// An address cannot be made to point here by a foreign name, nor can a name that only exists at home.
    pub(super) fn allow(&self, name: &str) -> bool {
        let name = normal(name);
        name.parse::<std::net::IpAddr>().is_ok()
            || HOME.iter().any(|end| name.ends_with(end))
            || self.names.contains(&name)
    }

    /// What to add to the config so that the name is known.
    pub(super) fn refusal(&self, name: &str) -> ApiError {
        let name = excerpt(&normal(name));
        let list = self
            .configured
            .iter()
            .chain([&name])
            .map(|host| format!("\"{host}\""))
            .collect::<Vec<_>>()
            .join(", ");
        ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown_host",
            format!(
                "Homelog does not know the name `{name}` as its own. If it is, put this line into homelog.toml under [api] and start again: hosts = [{list}]"
            ),
        )
    }
}

fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// The host that the request names, in its head or in its target.
///
/// # Errors
/// It names none, several, or what cannot be one.
pub(super) fn of(request: &Request) -> Result<Authority<'_>, ApiError> {
    let bad = |why: &str| ApiError::bad_request("bad_host", format!("the header Host {why}"));
    let mut values = request.headers().get_all(header::HOST).iter();
    let whole = match (request.uri().authority(), values.next()) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(value)) => value.to_str().map_err(|_| bad("is not readable"))?,
        (None, None) => return Err(bad("is missing")),
    };
    if values.next().is_some() {
        return Err(bad("came more than once"));
    }
    parse(whole).ok_or_else(|| bad("is not the name of a host"))
}

/// Parts `name`, `name:port`, `[v6]`, `[v6]:port`.
pub(super) fn parse(whole: &str) -> Option<Authority<'_>> {
    let (name, port) = match whole.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (
                address,
                port.strip_prefix(':')
                    .or_else(|| port.is_empty().then_some("0")),
            )
        }
        None => match whole.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (whole, Some("0")),
        },
    };
    port?.parse::<u16>().ok()?;
    let is_name = !name.is_empty()
        && name.len() <= MAX_NAME
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
    is_name.then_some(Authority { name, whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_home_and_own_names_are_known() {
        let hosts = Hosts::new(
            &["status.example.org".to_owned()],
            Some("Server.example.net"),
        );
        for good in [
            "127.0.0.1",
            "192.168.1.5",
            "::1",
            "localhost",
            "app.localhost",
            "nas.local",
            "NAS.LAN",
            "nas.home.arpa",
            "nas.local.",
            "server",
            "server.local",
            "server.example.net",
            "status.example.org",
        ] {
            assert!(hosts.allow(good), "{good} must be allowed");
        }
        for bad in [
            "evil.example",
            "local",
            "lan",
            "evillan",
            "localhost.evil.example",
            "example.net",
            "127.0.0.1.evil.example",
            "status.example.org.evil.example",
            "1.2.3",
        ] {
            assert!(!hosts.allow(bad), "{bad} must be refused");
        }
    }

    #[test]
    fn the_refusal_holds_the_line_to_add() {
        let hosts = Hosts::new(&["a.example".to_owned()], None);
        let refused = hosts.refusal("b.example");
        assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST);
        assert!(
            refused
                .message()
                .contains(r#"hosts = ["a.example", "b.example"]"#)
        );
    }

    #[test]
    fn hosts_are_parted_from_their_ports() {
        for (whole, name) in [
            ("nas.lan", "nas.lan"),
            ("nas.lan:3001", "nas.lan"),
            ("[fd00::1]:3001", "fd00::1"),
            ("[::1]", "::1"),
        ] {
            assert_eq!(parse(whole).map(|a| a.name), Some(name), "{whole}");
        }
        for bad in [
            "", ":80", "a:b", "a:99999", "[x]", "[::1", "[::1]x", "a b", "a/b", "<x>", "a@b",
            "fd00::1",
        ] {
            assert_eq!(parse(bad), None, "{bad} must be refused");
        }
    }
}
