use axum::http::{HeaderMap, header};
use control::TokenSecret;

use crate::guard::{Client, Proxy};

/// The command that enrols an agent with this hub, by the address under which its admin reached it.
///
/// The certificate is pinned where this server shows one itself; behind a proxy the agent trusts what its system trusts.
pub(super) fn command(
    headers: &HeaderMap,
    client: Client,
    fingerprint: Option<&str>,
    token: &TokenSecret,
) -> String {
    // the guard let this host in
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let scheme = if client.is_secure { "https" } else { "http" };
    let pin = fingerprint
        .filter(|_| client.is_secure && client.proxy == Proxy::No)
        .and_then(|fingerprint| fingerprint.strip_prefix("sha256:"))
        .map(|digits| format!("sha256={digits}&"))
        .unwrap_or_default();
    format!(
        "echo '{scheme}://{host}#{pin}token={}' | homelog collect --hub -",
        token.reveal()
    )
}
