//! The policy of a section as the HTTP client takes it.

use crate::config::Tls;

/// Whom a client of an address in that section trusts.
pub(super) fn policy(tls: &Tls) -> http_client::Tls {
    match tls {
        // without https there is nothing to judge
        Tls::Default | Tls::System | Tls::Off => http_client::Tls::System,
        Tls::Ca(path) => http_client::Tls::Ca(path.clone()),
        Tls::Insecure => http_client::Tls::Insecure,
        Tls::Fingerprint(print) => http_client::Tls::Fingerprint(*print),
    }
}
