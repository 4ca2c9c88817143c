//! `tls = { … }` of an engine: whom it must be, and who we are.

use std::{path::PathBuf, sync::Arc};

use http_client::Identity;
use serde::Deserialize;
use tokio_rustls::TlsConnector;

use super::address::Address;
use crate::{OpenError, service::TlsParams};

/// What an engine behind TLS wants. By Docker's own names: `ca.pem`, `cert.pem` and `key.pem`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EngineTls {
    /// File of the authority that signed the engine's certificate.
    ca: Option<PathBuf>,
    /// File of our certificate, which the engine's authority signed.
    cert: Option<PathBuf>,
    /// File of its key.
    key: Option<PathBuf>,
    /// SHA-256 of the engine's certificate, instead of an authority.
    fingerprint: Option<String>,
    /// Believes anybody.
    insecure: bool,
}

impl EngineTls {
    /// What makes connections to an address secure; `None` where it is plain. Reads the files.
    pub(super) fn connector(
        params: Option<&Self>,
        address: &Address,
    ) -> Result<Option<TlsConnector>, OpenError> {
        if !address.is_tls() {
            return Ok(None);
        }
        let params = params.cloned().unwrap_or_default();
        if params.insecure {
            tracing::warn!(
                "{address} is believed whoever answers (tls.insecure): name its authority with tls = {{ ca = \"file\" }} instead"
            );
        }
        let identity = match (params.cert, params.key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(Identity { cert, key }),
            (Some(_), None) => {
                return Err(OpenError::at("tls", "`cert` needs the file of its `key`"));
            }
            (None, Some(_)) => {
                return Err(OpenError::at("tls", "`key` needs the file of its `cert`"));
            }
        };
        let trust = TlsParams {
            ca: params.ca,
            fingerprint: params.fingerprint,
            insecure: params.insecure,
        };
        let config = trust
            .policy()?
            .client_config(identity.as_ref())
            .map_err(|e| OpenError::at("tls", e.to_string()))?;
        Ok(Some(TlsConnector::from(Arc::new(config))))
    }
}
