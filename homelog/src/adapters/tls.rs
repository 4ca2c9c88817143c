//! The policy of a section as the HTTP client takes it.

use anyhow::Context;

use crate::config::Tls;

/// Whom a client of an address in that section trusts.
pub(super) fn policy(tls: &Tls) -> anyhow::Result<http_client::Tls> {
    Ok(match tls {
        // without https there is nothing to judge
        Tls::Default | Tls::System | Tls::Off => http_client::Tls::System,
        Tls::Ca(path) => http_client::Tls::Ca(path.clone()),
        Tls::Insecure => http_client::Tls::Insecure,
        Tls::Fingerprint(text) => http_client::Tls::Fingerprint(
            text.parse()
                .with_context(|| format!("fingerprint {text}"))?,
        ),
    })
}
