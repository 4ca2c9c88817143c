use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, request::Parts},
};
use ipnet::IpNet;

use crate::{ApiError, tls::OverTls};

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// From where and how a request came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Client {
    /// The address of the client, or of a proxy that is not trusted.
    pub(crate) address: IpAddr,
    /// Whether the client came by HTTPS, which a trusted proxy says.
    pub(crate) is_secure: bool,
    /// Whether the address is none of the internet.
    pub(crate) is_local: bool,
    /// Whether a proxy passed the request on.
    pub(crate) proxy: Proxy,
}

/// Whether a proxy passed a request on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proxy {
    /// None, as far as can be seen.
    No,
    /// One of those that are believed.
    Trusted,
    /// Another one, or a client that pretends to be one: the address says nothing about who asks.
    Stranger,
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .copied()
            .ok_or_else(|| ApiError::internal(&"a request came around the guard"))
    }
}

/// Which addresses are believed and which are near.
#[derive(Debug)]
pub(super) struct Networks {
    trusted: Vec<IpNet>,
    own: Vec<IpAddr>,
    neighbours: Vec<[u16; 4]>,
}

impl Networks {
    pub(super) fn new(trusted: &[IpNet], own: &[IpAddr]) -> Self {
        Self {
            trusted: trusted.to_vec(),
            own: own.to_vec(),
            neighbours: own
                .iter()
                .filter_map(|address| match address {
                    IpAddr::V6(v6) => Some(prefix(*v6)),
                    IpAddr::V4(_) => None,
                })
                .collect(),
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    pub(super) fn client(&self, request: &Request) -> Client {
        let peer = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| {
                peer.ip().to_canonical()
            });
        let headers = request.headers();
        let is_proxied = headers.contains_key(FORWARDED_FOR) || headers.contains_key(FORWARDED);
        let is_proxy_trusted = self.trusts(peer);
        let address = if is_proxy_trusted {
            self.forwarded_for(headers).unwrap_or(peer)
        } else {
            peer
        };
        Client {
            address,
            is_secure: request.extensions().get::<OverTls>().is_some()
                || (is_proxy_trusted && forwarded_https(headers)),
            is_local: is_private(address) || self.is_near(address),
            proxy: match (is_proxied, is_proxy_trusted) {
                (false, _) => Proxy::No,
                (true, true) => Proxy::Trusted,
                (true, false) => Proxy::Stranger,
            },
        }
    }

    /// The last address that no trusted proxy has: what stands before it, the client may have made up.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut chain: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        let mut nearest = None;
        while let Some(entry) = chain.pop() {
            let Some(address) = address_of(entry) else {
                break;
            };
            nearest = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        nearest
    }

    /// What this machine says to itself goes over no network, whatever its address. Machines at home that speak IPv6
    /// have public addresses, all of one /64.
    fn is_near(&self, address: IpAddr) -> bool {
        self.own.contains(&address)
            || matches!(address, IpAddr::V6(v6) if self.neighbours.contains(&prefix(v6)))
    }
}

fn prefix(address: Ipv6Addr) -> [u16; 4] {
    let [a, b, c, d, ..] = address.segments();
    [a, b, c, d]
}

/// An address, with or without a port.
fn address_of(entry: &str) -> Option<IpAddr> {
    entry
        .parse::<IpAddr>()
        .or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

/// The proxy next to us says how its client came; an earlier entry is hearsay.
fn forwarded_https(headers: &HeaderMap) -> bool {
    headers
        .get_all(FORWARDED_PROTO)
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.rsplit(',').next())
        .is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
}

/// Loopback, private, link-local, unique local, and the shared range that carriers and Tailscale use.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn seen(networks: &Networks, peer: &str, headers: &[(&str, &str)]) -> Client {
        let mut request = axum::http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer: IpAddr = peer.parse().unwrap();
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::new(peer, 1234)));
        networks.client(&request)
    }

    #[test]
    fn headers_of_strangers_are_not_believed() {
        let networks = Networks::new(&["10.0.0.0/24".parse().unwrap()], &[]);
        let spoofed = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
        ];
        let client = seen(&networks, "8.8.8.8", &spoofed);
        assert_eq!(client.address, IpAddr::from([8, 8, 8, 8]));
        assert!(!client.is_secure && !client.is_local);
        assert_eq!(client.proxy, Proxy::Stranger);
    }

    #[test]
    fn a_trusted_proxy_says_who_came_and_how() {
        let networks = Networks::new(&["10.0.0.0/24".parse().unwrap()], &[]);
        let client = seen(
            &networks,
            "::ffff:10.0.0.1",
            &[
                ("x-forwarded-for", "6.6.6.6, 1.2.3.4:555"),
                ("x-forwarded-for", "10.0.0.9"),
                ("x-forwarded-proto", "http, https"),
            ],
        );
        assert_eq!(
            client.address,
            IpAddr::from([1, 2, 3, 4]),
            "what stands before is made up"
        );
        assert!(client.is_secure && !client.is_local);
        assert_eq!(client.proxy, Proxy::Trusted);
        let bare = seen(&networks, "10.0.0.1", &[]);
        assert_eq!(bare.address, IpAddr::from([10, 0, 0, 1]));
        assert!(!bare.is_secure);
        assert_eq!(bare.proxy, Proxy::No);
        let odd = seen(
            &networks,
            "10.0.0.1",
            &[("x-forwarded-for", "1.2.3.4, nonsense")],
        );
        assert_eq!(odd.address, IpAddr::from([10, 0, 0, 1]));
    }

    #[test]
    fn what_is_near_is_local() {
        let own = [
            "2001:db8:1:2::1".parse().unwrap(),
            "203.0.113.5".parse().unwrap(),
        ];
        let networks = Networks::new(&[], &own);
        for near in [
            "127.0.0.1",
            "::1",
            "192.168.0.7",
            "10.1.2.3",
            "172.31.0.1",
            "169.254.1.1",
            "100.100.1.1",
            "fe80::1",
            "fd00::1",
            "2001:db8:1:2::77",
            "203.0.113.5",
            "::ffff:192.168.1.1",
        ] {
            assert!(seen(&networks, near, &[]).is_local, "{near}");
        }
        for far in [
            "8.8.8.8",
            "203.0.113.6",
            "172.32.0.1",
            "100.128.0.1",
            "2001:db8:1:3::1",
            "::ffff:8.8.8.8",
            "0.0.0.0",
        ] {
            assert!(!seen(&networks, far, &[]).is_local, "{far}");
        }
    }
}
