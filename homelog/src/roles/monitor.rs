//! The small listener of a role without an API.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
};

use prometheus_client::registry::Registry;
use query_api::{Monitor, Probe};
use supervision::Supervisor;
use tracing::info;

use super::port;

/// Takes the port early, so that a taken one is told before anything else begins.
pub(super) fn listener(
    address: Option<SocketAddr>,
    section: &str,
) -> anyhow::Result<Option<TcpListener>> {
    address
        .map(|address| port::listen(address, &format!("`listen` in [{section}]")))
        .transpose()
}

/// Serves metrics and health there, if anywhere.
pub(super) fn start(
    supervisor: &Supervisor,
    listener: Option<TcpListener>,
    registry: Arc<Mutex<Registry>>,
    probes: Vec<Probe>,
) -> anyhow::Result<()> {
    let Some(listener) = listener else {
        return Ok(());
    };
    let (listener, address) = port::served(listener)?;
    info!(listen.address = %address, "metrics and health are at http://{address}");
    Monitor { registry, probes }.serve(listener, supervisor)
}
