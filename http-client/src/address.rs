use std::net::{IpAddr, SocketAddr};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use url::Host;

/// Looks names up as the system does, without what is link-local.
pub(crate) struct Resolver;

/// A name that means nothing but addresses of the link.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` has only link-local addresses, where no service is watched")]
struct OnlyLinkLocal(String);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let any = !found.is_empty();
            let kept: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| !is_forbidden(address.ip()))
                .collect();
            if any && kept.is_empty() {
                return Err(OnlyLinkLocal(name).into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the link itself, written as numbers.
pub(crate) fn is_link_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_forbidden(ip.into()),
        Some(Host::Ipv6(ip)) => is_forbidden(ip.into()),
        Some(Host::Domain(_)) | None => false,
    }
}

fn is_forbidden(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local(),
        // fd00:ec2::254 hands out credentials as 169.254.169.254 does
        IpAddr::V6(ip) => {
            ip.is_unicast_link_local() || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_link_are_refused_however_they_are_written() {
        for (url, refused) in [
            ("http://169.254.169.254/latest/meta-data", true),
            ("http://[fe80::1]/", true),
            ("http://[::ffff:169.254.169.254]/", true),
            ("http://2852039166/", true),
            ("http://[fd00:ec2::254]/", true),
            ("http://192.168.1.2/", false),
            ("http://[fd00::2]/", false),
            ("http://nas1/", false),
        ] {
            assert_eq!(is_link_local(&url.parse().unwrap()), refused, "{url}");
        }
    }

    #[test]
    fn a_form_has_no_plus_for_a_space() {
        assert_eq!(
            crate::encode(&[("a b", "c+d"), ("e", "ü&")]),
            "a%20b=c%2Bd&e=%C3%BC%26"
        );
    }
}
