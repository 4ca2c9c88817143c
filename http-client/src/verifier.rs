use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    },
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::{
    Fingerprint,
    certificate::{not_after, subject},
};

/// Which certificates are good.
#[derive(Debug)]
pub(crate) enum Trust {
    /// What an authority has signed.
    Signed(Arc<dyn ServerCertVerifier>),
    /// Exactly one.
    Pinned(Fingerprint),
    /// Every one.
    Any,
}

/// A certificate that was refused: its fingerprint is in the error, so that a person can compare and accept it.
#[derive(Debug, thiserror::Error)]
#[error("{why}; its fingerprint is {seen}")]
pub(crate) struct RefusedCertificate {
    pub(crate) seen: Fingerprint,
    pub(crate) pinned: bool,
    pub(crate) subject: Option<String>,
    pub(crate) not_after: Option<i64>,
    pub(crate) why: String,
}

/// Checks certificates, and says of each that is refused which one it was.
#[derive(Debug)]
pub(crate) struct Explained {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Explained {
    pub(crate) fn new(trust: Trust, provider: &CryptoProvider) -> Self {
        Self {
            trust,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

fn refused(certificate: &CertificateDer<'_>, pinned: bool, why: String) -> Error {
    let refused = RefusedCertificate {
        seen: Fingerprint::of(certificate),
        pinned,
        subject: subject(certificate),
        not_after: not_after(certificate),
        why,
    };
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))))
}

impl ServerCertVerifier for Explained {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.trust {
            Trust::Any => Ok(ServerCertVerified::assertion()),
            Trust::Pinned(wanted) if *wanted == Fingerprint::of(end_entity) => {
                Ok(ServerCertVerified::assertion())
            }
            Trust::Pinned(wanted) => Err(refused(
                end_entity,
                true,
                format!("it is not the certificate that was accepted, {wanted}"),
            )),
            Trust::Signed(verifier) => verifier
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|e| refused(end_entity, false, e.to_string())),
        }
    }

    // whoever holds no key to the certificate is refused under every policy

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
