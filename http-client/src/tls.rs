use std::{fs::File, io::Read, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::{
    BuildError, Fingerprint, Identity,
    verifier::{Explained, Trust},
};

/// Largest file of authorities, in bytes.
const CA_BYTES: u64 = 4 * 1024 * 1024;

/// Which server is believed to be the one that is meant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Tls {
    /// One whose certificate an authority of this system has signed for its name.
    #[default]
    System,
    /// The one with this certificate, whoever signed it, whatever name and dates it bears.
    Fingerprint(Fingerprint),
    /// One whose certificate an authority in this file (PEM) has signed for its name.
    Ca(PathBuf),
    /// Any. Whoever sits on the way reads and changes everything.
    Insecure,
}

impl Tls {
    /// Whether a plain connection would break what this promises.
    pub(crate) const fn needs_tls(&self) -> bool {
        matches!(self, Self::Fingerprint(_) | Self::Ca(_))
    }

    /// What rustls works with, for connections of HTTP/1.1. Reads the file of authorities, and the certificate by which the
    /// client shows who it is.
    ///
    /// # Errors
    /// A file cannot be used, or TLS does not start.
    pub fn client_config(&self, identity: Option<&Identity>) -> Result<ClientConfig, BuildError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let trust = match self {
            Self::System => Trust::Signed(system(&provider)?),
            Self::Ca(path) => Trust::Signed(own(path, &provider)?),
            Self::Fingerprint(fingerprint) => Trust::Pinned(*fingerprint),
            Self::Insecure => Trust::Any,
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| BuildError::Tls(e.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Explained::new(trust, &provider)));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.read()?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|e| identity.mismatched(&e))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn system(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, BuildError> {
    rustls_platform_verifier::Verifier::new(Arc::clone(provider))
        .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
        .map_err(|e| BuildError::Tls(e.to_string()))
}

fn own(
    path: &std::path::Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, BuildError> {
    let failed = |cause: String| BuildError::Ca {
        path: path.to_owned(),
        cause,
    };
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(CA_BYTES).read_to_end(&mut pem))
        .map_err(|e| failed(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| failed(e.to_string()))?;
        roots.add(certificate).map_err(|e| failed(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("it holds no certificate in PEM".to_owned()));
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
        .map_err(|e| failed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_told_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        for (bytes, words) in [(None, "ca.pem"), (Some("no PEM"), "no certificate")] {
            if let Some(bytes) = bytes {
                std::fs::write(&path, bytes).unwrap();
            }
            let error = Tls::Ca(path.clone())
                .client_config(None)
                .unwrap_err()
                .to_string();
            assert!(error.contains(words) && error.contains("ca.pem"), "{error}");
        }
    }
}
