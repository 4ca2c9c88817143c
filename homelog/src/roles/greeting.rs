//! What a start tells on stdout, so that a stranger knows what to do next.

use std::{
    collections::BTreeSet,
    fmt::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use secrecy::{ExposeSecret, SecretString};

/// What there is to tell.
pub(super) struct Greeting<'a> {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// The token of the one-time link, until the first admin exists.
    pub(super) setup: Option<&'a SecretString>,
    /// Where the data is: labels and places.
    pub(super) places: &'a [(&'static str, String)],
    /// Addresses of this machine in its networks.
    pub(super) own: &'a BTreeSet<IpAddr>,
}

impl Greeting<'_> {
    /// The text.
    pub(super) fn render(&self) -> String {
        let mut out = format!("\nHomelog {} is running.\n\n", env!("CARGO_PKG_VERSION"));
        let urls = self.urls();
        match (self.setup, urls.as_slice()) {
            (Some(token), [first, ..]) => {
                let token = token.expose_secret();
                line(&mut out, "Set up", &format!("{first}/setup#token={token}"));
                line(
                    &mut out,
                    "",
                    "Open this link once and make the first admin. Until then each start prints a new one.",
                );
            }
            (_, urls) => {
                for (nth, url) in urls.iter().enumerate() {
                    line(&mut out, if nth == 0 { "Dashboard" } else { "" }, url);
                }
            }
        }
        for (label, place) in self.places {
            line(&mut out, label, place);
        }
        line(&mut out, "Stop", "Ctrl-C");
        out.push('\n');
        if self.address.ip().is_loopback() {
            let port = self.address.port();
            out.push_str(
                "  Only this machine reaches it. For all machines of your network start it with\n",
            );
            let _written = writeln!(out, "    homelog up --listen 0.0.0.0:{port}\n");
        } else if self.setup.is_some() && urls.len() > 1 {
            out.push_str("  From other machines of your network the same link begins with\n");
            for url in urls.iter().skip(1) {
                let _written = writeln!(out, "    {url}");
            }
            out.push('\n');
        }
        out
    }

    /// Where a browser reaches it: on this machine first.
    fn urls(&self) -> Vec<String> {
        let port = self.address.port();
        let url = |ip: IpAddr| format!("{}://{}", self.scheme, SocketAddr::new(ip, port));
        let ip = self.address.ip();
        if !ip.is_unspecified() {
            return vec![url(ip)];
        }
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let both = ip.is_ipv6();
        std::iter::once(loopback)
            .chain(self.own.iter().copied().filter(|own| both || own.is_ipv4()))
            .map(url)
            .collect()
    }
}

fn line(out: &mut String, label: &str, text: &str) {
    // writing to a String does not fail
    let _written = writeln!(out, "  {label:<10} {text}");
}

/// Addresses by which other machines reach this one.
pub(super) fn own_addresses() -> BTreeSet<IpAddr> {
    // without them there is less to tell
    let Ok(networks) = sysinfo::Networks::new_with_refreshed_list() else {
        return BTreeSet::new();
    };
    networks
        .values()
        .flat_map(sysinfo::NetworkData::ip_networks)
        .map(|network| network.addr)
        .filter(|ip| match ip {
            IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
            IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(listen: &str, setup: bool) -> String {
        let token = SecretString::from("TOKEN");
        Greeting {
            address: listen.parse().unwrap(),
            scheme: "http",
            setup: setup.then_some(&token),
            places: &[("Data", "/home/a/.local/share/homelog".to_owned())],
            own: &["192.168.1.7".parse().unwrap(), "fd00::7".parse().unwrap()].into(),
        }
        .render()
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn a_first_start_tells_what_to_do() {
        insta::assert_snapshot!(render("127.0.0.1:3001", true));
    }

    #[test]
    fn a_first_start_for_the_network_tells_its_addresses() {
        insta::assert_snapshot!(render("0.0.0.0:3001", true));
    }

    #[test]
    fn a_later_start_tells_where_the_dashboard_is() {
        insta::assert_snapshot!(render("0.0.0.0:8080", false));
    }
}
