//! Where upsd listens.

use std::fmt;

const USUAL_PORT: u16 = 3493;
/// Longest name of a host.
const LONGEST: usize = 253;

/// A host and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads `nut://host`, `nut://host:port`, the same with `tcp`, or without a scheme; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// Anything else, with what to write.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("{why}: write `nut://host` or `nut://host:3493`");
        let authority = match url.split_once("://") {
            None => url,
            Some(("nut" | "tcp", authority)) => authority,
            Some(_) => return Err(refused("upsd speaks neither HTTP nor another protocol")),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains('@') {
            return Err(refused("reading needs no user"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest
                .split_once(']')
                .ok_or_else(|| refused("the bracket is not closed"))?,
            None => match authority.find(':') {
                Some(colon) => authority.split_at(colon),
                None => (authority, ""),
            },
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => USUAL_PORT,
            None => return Err(refused("there is more than a host and a port")),
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| refused("the port is no number up to 65535"))?,
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
        if host.is_empty() || host.len() > LONGEST || !host.chars().all(fits) {
            return Err(refused(
                "the host is missing or has characters that no host has",
            ));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_port() {
        for (url, shown) in [
            ("nut://nas1", "nas1:3493"),
            ("nut://nas1:3494/", "nas1:3494"),
            ("tcp://192.0.2.1", "192.0.2.1:3493"),
            ("192.0.2.1", "192.0.2.1:3493"),
            ("nut://[2001:db8::1]", "[2001:db8::1]:3493"),
            ("[::1]:7", "[::1]:7"),
        ] {
            assert_eq!(Address::parse(url).unwrap().to_string(), shown);
        }
        for wrong in [
            "",
            "nut://",
            "http://nas1",
            "nut://me:pw@nas1",
            "nut://nas1:0",
            "nut://nas1:70000",
            "nut://nas1/ups",
            "nut://[::1",
            "nut://[::1]x",
            "nut://a b",
        ] {
            let why = Address::parse(wrong).unwrap_err();
            assert!(why.contains("nut://host:3493"), "{wrong}: {why}");
            assert!(!why.contains("pw"), "{why}");
        }
    }
}
