//! Certificates that a service makes for itself, as appliances do.

use std::sync::Arc;

use anyhow::Context;
use rcgen::{CertificateParams, DnType, KeyPair};
use sha2::{Digest, Sha256};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

/// What a service proves itself with, and what it shows when it is meant to be somebody else.
pub(crate) struct Tls {
    pub(crate) right: TlsAcceptor,
    pub(crate) wrong: TlsAcceptor,
    /// SHA-256 of the right one, as `AA:BB:…`.
    pub(crate) fingerprint: String,
}

impl Tls {
    /// New certificates for a name.
    ///
    /// # Errors
    /// The key or the certificate cannot be made.
    pub(crate) fn new(name: &str) -> anyhow::Result<Self> {
        let (right, fingerprint) = acceptor(name)?;
        let (wrong, _) = acceptor("somebody-else.example")?;
        Ok(Self {
            right,
            wrong,
            fingerprint,
        })
    }
}

fn acceptor(name: &str) -> anyhow::Result<(TlsAcceptor, String)> {
    let key = KeyPair::generate().context("no key can be made")?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key)?;
    let der = CertificateDer::from(certificate.der().to_vec());
    let digits: Vec<_> = Sha256::digest(&der)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let key = PrivateKeyDer::try_from(key.serialize_der())
        .map_err(|e| anyhow::anyhow!("the key cannot be used: {e}"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![der], key)?;
    Ok((TlsAcceptor::from(Arc::new(config)), digits.join(":")))
}
