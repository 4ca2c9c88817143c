//! `homelog discover`: a config for the services that named hosts have.

use std::fmt::Write;

use collector::{CertificateShown, Found, integrations, name_of_host};
use futures::{StreamExt, stream};

use super::user::say;
use crate::{cli::DiscoverArgs, outcome::Failure};

/// Hosts that are asked at a time.
const TOGETHER: usize = 4;
/// More hosts are a scan, which this is not.
const MOST_HOSTS: usize = 32;

pub(crate) async fn run(args: &DiscoverArgs) -> Result<(), Failure> {
    if args.hosts.len() > MOST_HOSTS {
        return Err(Failure::usage(format!(
            "homelog: discover asks at most {MOST_HOSTS} hosts: name those that have services"
        )));
    }
    let hosts = args
        .hosts
        .iter()
        .map(|host| as_host(host))
        .collect::<Result<Vec<_>, _>>()?;
    let mut asked = std::pin::pin!(
        stream::iter(&hosts)
            .map(|host| async move { (host, collector::discover(host).await) })
            .buffered(TOGETHER)
    );
    let mut any = false;
    while let Some((host, found)) = asked.next().await {
        let found = found.map_err(anyhow::Error::new)?;
        if found.is_empty() {
            say(&format!(
                "# {host}: none of the known services answers at its usual port\n"
            ))?;
        }
        for service in &found {
            any = true;
            say(&source(host, service))?;
        }
    }
    if any {
        return Ok(());
    }
    Err(anyhow::anyhow!(
        "nothing was found: are the names right, and does a firewall stand between?"
    )
    .into())
}

/// A host as it stands in an address. Ranges and whole networks are refused: nothing is asked that nobody named.
fn as_host(text: &str) -> Result<String, Failure> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<std::net::IpAddr>() {
        return Ok(match address {
            std::net::IpAddr::V4(address) => address.to_string(),
            std::net::IpAddr::V6(address) => format!("[{address}]"),
        });
    }
    let is_name = !text.is_empty()
        && text.len() <= 253
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && text.chars().any(|c| c.is_ascii_alphabetic());
    if is_name {
        return Ok(text.to_owned());
    }
    Err(Failure::usage(format!(
        "homelog: `{}` is no host: name each by its name or its address, without port or path; networks and ranges are not asked",
        schemas::name::excerpt(text)
    )))
}

/// The section of one service, with what is to be filled in as comments.
fn source(host: &str, found: &Found) -> String {
    let Found {
        kind,
        name,
        label,
        url,
        certificate,
        note,
    } = found;
    let mut text = format!("# {name} at {url}\n");
    let mut line = |line: &str| {
        // writing to a String does not fail
        let _written = writeln!(text, "{line}");
    };
    if let Some(note) = note {
        line(&format!("# {note}"));
    }
    let Some(registration) = integrations::find(kind) else {
        line(&format!(
            "# This Homelog has no integration for it (`{kind}`)."
        ));
        return text;
    };
    let host = name_of_host(host.trim_start_matches('[').trim_end_matches(']'));
    line("[[source]]");
    line(&format!("name = \"{host}.{label}\""));
    line(&format!("kind = \"{kind}\""));
    for example in registration.example().lines() {
        if example.starts_with("# url = ") {
            line(&format!("url = \"{url}\""));
        } else if example.starts_with("# tls = ")
            && let Some(certificate) = certificate
        {
            line(&approval(certificate));
        } else {
            line(example);
        }
    }
    text
}

/// A certificate at first sight. It is for a person to say that it is the right one.
fn approval(certificate: &CertificateShown) -> String {
    let CertificateShown {
        fingerprint,
        subject,
        ..
    } = certificate;
    let subject = subject.as_deref().unwrap_or("nobody");
    format!(
        "# No authority that this machine knows has signed its certificate, which is of {subject}. Compare it with what the\n\
         # service itself shows; if it is that one, take the # away:\n# tls = {{ fingerprint = \"{fingerprint}\" }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_hosts_are_asked() {
        for (text, host) in [
            ("nas1", "nas1"),
            ("nas.home.arpa", "nas.home.arpa"),
            ("192.168.1.10", "192.168.1.10"),
            ("fd00::1", "[fd00::1]"),
            ("[fd00::1]", "[fd00::1]"),
        ] {
            assert_eq!(as_host(text).unwrap(), host);
        }
        for range in [
            "192.168.1.0/24",
            "192.168.1.1-20",
            "192.168.1.*",
            "10.0.0",
            "nas1:5000",
            "http://nas1",
            "a,b",
            "",
        ] {
            assert!(as_host(range).is_err(), "{range}");
        }
    }

    #[test]
    fn what_is_found_becomes_a_source_that_says_what_is_missing() {
        let found = |kind, url: &str| Found {
            kind,
            name: "Proxmox VE",
            label: "proxmox",
            url: url.to_owned(),
            certificate: None,
            note: None,
        };
        let text = source("pve1", &found("proxmox", "https://pve1:8006"));
        assert!(
            text.contains("\nname = \"pve1.proxmox\"\nkind = \"proxmox\"\n"),
            "{text}"
        );
        assert!(text.contains("\nurl = \"https://pve1:8006\"\n"), "{text}");
        assert!(text.contains("\n# token_id = "), "{text}");
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["source"].as_array().unwrap().len(), 1);
        let text = source("pve1", &found("of_tomorrow", "https://pve1:1"));
        assert!(text.parse::<toml::Table>().unwrap().is_empty(), "{text}");
    }
}
