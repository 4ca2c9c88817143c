use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::BuildError;

/// Largest file with a certificate or a key, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The certificate by which a client shows who it is, and its key: two files in PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The certificate, and what stands between it and its authority.
    pub cert: PathBuf,
    /// Its key, without a passphrase.
    pub key: PathBuf,
}

impl Identity {
    /// Reads both files.
    pub(crate) fn read(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), BuildError> {
        let chain = CertificateDer::pem_slice_iter(&content(&self.cert)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| failed(&self.cert, e.to_string()))?;
        if chain.is_empty() {
            return Err(failed(&self.cert, "it holds no certificate in PEM"));
        }
        // the error names no byte of the key
        let key = PrivateKeyDer::from_pem_slice(&content(&self.key)?)
            .map_err(|_| failed(&self.key, "it holds no key in PEM without a passphrase"))?;
        Ok((chain, key))
    }

    /// The certificate does not belong to the key, or is none for TLS.
    pub(crate) fn mismatched(&self, error: &rustls::Error) -> BuildError {
        failed(
            &self.key,
            format!("it does not fit the certificate: {error}"),
        )
    }
}

fn content(path: &Path) -> Result<Vec<u8>, BuildError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .map_err(|e| failed(path, e.to_string()))?;
    Ok(bytes)
}

fn failed(path: &Path, cause: impl Into<String>) -> BuildError {
    BuildError::Identity {
        path: path.to_owned(),
        cause: cause.into(),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::Tls;

    #[test]
    fn a_certificate_and_its_key_are_read_and_what_is_wrong_is_told_with_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec!["homelog".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        std::fs::write(place("cert.pem"), cert.pem()).unwrap();
        std::fs::write(place("key.pem"), key.serialize_pem()).unwrap();
        let other = KeyPair::generate().unwrap().serialize_pem();
        std::fs::write(place("other.pem"), &other).unwrap();
        let with = |cert: &str, key: &str| {
            let identity = Identity {
                cert: place(cert),
                key: place(key),
            };
            Tls::Insecure.client_config(Some(&identity))
        };
        assert!(with("cert.pem", "key.pem").is_ok());
        for (cert, key, named, words) in [
            ("none.pem", "key.pem", "none.pem", "No such file"),
            ("key.pem", "key.pem", "key.pem", "no certificate"),
            ("cert.pem", "cert.pem", "cert.pem", "no key"),
            ("cert.pem", "other.pem", "other.pem", "does not fit"),
        ] {
            let error = with(cert, key).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains(words), "{error}");
            assert!(!error.contains("PRIVATE"), "{error}");
        }
    }
}
