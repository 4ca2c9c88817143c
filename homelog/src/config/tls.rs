//! Whom a connection trusts.

use std::path::{Path, PathBuf};

use http_client::Fingerprint;
use toml::de::DeTable;

use super::{
    findings::Fault,
    setting::{Setting, Value, quoted, text, type_name},
    suggest,
};

/// A bundle of certificates is not larger, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// How the certificate of a server is judged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Tls {
    /// As the kind or the scheme of the address has it.
    #[default]
    Default,
    /// No TLS.
    Off,
    /// By the authorities that this machine trusts.
    System,
    /// By the authorities of a PEM file.
    Ca(PathBuf),
    /// It must be the one with this SHA-256 fingerprint.
    Fingerprint(Fingerprint),
    /// Not at all.
    Insecure,
}

const FIX: &str = "write { ca = \"file.pem\" }, { fingerprint = \"sha256:…\" } or { insecure = true }, or true for what this machine trusts";

fn fault(value: &Value<'_>, message: impl Into<String>, fix: impl Into<String>) -> Vec<Fault> {
    vec![Fault {
        span: value.span(),
        message: message.into(),
        fix: fix.into(),
    }]
}

impl Setting for Tls {
    const PATH: bool = true;

    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        if let Ok(on) = bool::read(value) {
            return Ok(if on { Self::System } else { Self::Off });
        }
        match value.get_ref().as_table() {
            Some(table) => read_table(value, table),
            None => Err(fault(
                value,
                format!("expected a table, found {}", type_name(value.get_ref())),
                FIX,
            )),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Default => String::new(),
            Self::Off => "false".to_owned(),
            Self::System => "true".to_owned(),
            Self::Ca(path) => format!("{{ ca = {} }}", quoted(&path.display().to_string())),
            Self::Fingerprint(print) => {
                format!("{{ fingerprint = {} }}", quoted(&print.to_string()))
            }
            Self::Insecure => "{ insecure = true }".to_owned(),
        }
    }
}

fn read_table(value: &Value<'_>, table: &DeTable<'_>) -> Result<Tls, Vec<Fault>> {
    let mut entries = table.iter();
    let (Some((key, option)), None) = (entries.next(), entries.next()) else {
        return Err(fault(
            value,
            "there must be exactly one way to judge the server's certificate",
            FIX,
        ));
    };
    match key.get_ref().as_ref() {
        "ca" => CaFile::read(option).map(|ca| Tls::Ca(ca.0)),
        "fingerprint" => fingerprint(option),
        "insecure" => Ok(if bool::read(option)? {
            Tls::Insecure
        } else {
            Tls::System
        }),
        other => Err(vec![Fault {
            span: key.span(),
            message: format!(
                "`{}` is not a way to judge a certificate",
                schemas::name::excerpt(other)
            ),
            fix: suggest::fix(other, ["ca", "fingerprint", "insecure"]),
        }]),
    }
}

fn fingerprint(value: &Value<'_>) -> Result<Tls, Vec<Fault>> {
    let text = text(value).map_err(|fault| vec![fault])?;
    // OpenSSL shows it without the prefix that we write
    let digits = text.trim_start_matches("sha256:");
    match format!("sha256:{digits}").parse() {
        Ok(print) => Ok(Tls::Fingerprint(print)),
        Err(http_client::InvalidFingerprint) => Err(fault(
            value,
            "it is not a SHA-256 fingerprint",
            "write sha256: and 64 hexadecimal digits, as `openssl x509 -in cert.pem -noout -fingerprint -sha256` shows them",
        )),
    }
}

/// The path of a PEM file with certificates.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CaFile(PathBuf);

impl CaFile {
    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Reads a PEM file and looks whether it holds what it should.
fn read_pem(
    value: &Value<'_>,
    correct: &str,
    holds: impl Fn(&str) -> bool,
    what: &str,
) -> Result<PathBuf, Vec<Fault>> {
    let path = PathBuf::from(text(value).map_err(|fault| vec![fault])?);
    let shown = path.display().to_string();
    let content = std::fs::metadata(&path)
        .and_then(|metadata| {
            if metadata.len() > LARGEST {
                return Err(std::io::Error::other("it is too large"));
            }
            std::fs::read(&path)
        })
        .map_err(|e| fault(value, format!("{shown} cannot be read: {e}"), correct))?;
    if holds(&String::from_utf8_lossy(&content)) {
        Ok(path)
    } else {
        Err(fault(value, format!("{shown} holds no {what}"), correct))
    }
}

impl Setting for CaFile {
    const PATH: bool = true;

    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        read_pem(
            value,
            "name a PEM file with certificates",
            |pem| pem.contains("-----BEGIN CERTIFICATE-----"),
            "certificate",
        )
        .map(Self)
    }

    fn write(&self) -> String {
        quoted(&self.0.display().to_string())
    }
}

/// The path of a PEM file with the key of a certificate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Setting for KeyFile {
    const PATH: bool = true;

    fn read(value: &Value<'_>) -> Result<Self, Vec<Fault>> {
        read_pem(
            value,
            "name a PEM file with the key of the certificate, without a pass phrase",
            |pem| pem.contains("PRIVATE KEY-----"),
            "key",
        )
        .map(Self)
    }

    fn write(&self) -> String {
        quoted(&self.0.display().to_string())
    }
}
