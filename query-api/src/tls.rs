use std::{io, sync::Arc};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs},
};

/// The certificate that this server shows, where no proxy does it.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    fingerprint: Arc<str>,
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTls {
    /// The certificate.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// The key.
    #[error("the key of the certificate cannot be used: {0}")]
    Key(String),
}

impl ServerTls {
    /// Reads a certificate, followed by those of its authorities if there are any, and its key, both PEM.
    ///
    /// # Errors
    /// One of them is not what it should be, or they do not belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, InvalidTls> {
        let chain = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| InvalidTls::Certificate(e.to_string()))?;
        let first = chain
            .first()
            .ok_or_else(|| InvalidTls::Certificate("there is none in PEM".to_owned()))?;
        let fingerprint = fingerprint(first);
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| InvalidTls::Key(e.to_string()))?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|e| InvalidTls::Certificate(e.to_string()))?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(|e| InvalidTls::Key(e.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            fingerprint: fingerprint.into(),
        })
    }

    /// `sha256:…` of the certificate: agents are enrolled with it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) async fn accept(
        &self,
        stream: tokio::net::TcpStream,
    ) -> io::Result<tokio_rustls::server::TlsStream<tokio::net::TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.config))
            .accept(stream)
            .await
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(certificate);
    digest.iter().fold("sha256:".to_owned(), |mut text, byte| {
        // a text takes whatever is written to it
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServerTls").field(&self.fingerprint).finish()
    }
}

/// Marks a request that came over TLS to this server itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverTls;
