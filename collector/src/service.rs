//! What integrations of services with an HTTP API have in common: the address, whom TLS trusts, secrets, and what an answer means.

use std::{fmt, path::PathBuf, time::Duration};

use http_client::{Client, Error, Method, Options, Request, Response, Tls};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::{CertificateShown, FailureClass, OpenError, PollError, cost};

/// Longest text of a secret.
const MOST_SECRET: usize = 4096;

/// A password or token of a configuration: neither printed nor serialised.
#[derive(Clone)]
pub(crate) struct Secret(SecretString);

impl Default for Secret {
    fn default() -> Self {
        Self(SecretString::from(""))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(SecretString::from(text))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits = text.len() <= MOST_SECRET && !text.chars().any(char::is_control);
        if fits {
            Ok(Self(SecretString::from(text)))
        } else {
            Err(serde::de::Error::custom(
                "the secret holds a line break or is too long: write the secret alone",
            ))
        }
    }
}

impl Secret {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.expose_secret().is_empty()
    }

    pub(crate) const fn get(&self) -> &SecretString {
        &self.0
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// `tls = { … }`: whom an https service must be. Nothing means an authority of this system.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsParams {
    /// File of the authority that signed its certificate.
    pub(crate) ca: Option<PathBuf>,
    /// SHA-256 of its certificate.
    pub(crate) fingerprint: Option<String>,
    /// Believes anybody.
    pub(crate) insecure: bool,
}

impl TlsParams {
    /// What the HTTP client takes.
    pub(crate) fn policy(&self) -> Result<Tls, OpenError> {
        match (&self.ca, &self.fingerprint, self.insecure) {
            (None, None, false) => Ok(Tls::System),
            (Some(ca), None, false) => Ok(Tls::Ca(ca.clone())),
            (None, Some(print), false) => print
                .parse()
                .map(Tls::Fingerprint)
                .map_err(|e| OpenError::at("tls.fingerprint", format!("{e}"))),
            (None, None, true) => Ok(Tls::Insecure),
            _ => Err(OpenError::at(
                "tls",
                "choose one of ca, fingerprint and insecure",
            )),
        }
    }
}

/// A service that is asked over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    client: Client,
    base: String,
    name: &'static str,
}

impl Service {
    /// `name` is what a person calls the service, as `Proxmox VE`. The address may have a path, under which the service stands.
    pub(crate) fn open(
        name: &'static str,
        url: &str,
        tls: &TlsParams,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        let base = base_of(url).map_err(|why| OpenError::at("url", why))?;
        let options = Options {
            tls: tls.policy()?,
            timeout,
            read_timeout: timeout,
            refuse_link_local: true,
            ..Options::default()
        };
        let client = Client::new(options).map_err(|e| OpenError::at("tls", e.to_string()))?;
        if client.is_insecure() {
            tracing::warn!(
                "{base} is believed whoever answers (tls.insecure): its credentials go to whoever stands between; \
                 accept its certificate with tls = {{ fingerprint = \"…\" }} instead"
            );
        }
        Ok(Self { client, base, name })
    }

    /// The address without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Begins a GET of a path that begins with a slash, or of nothing.
    pub(crate) fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// Begins a GET with a query.
    pub(crate) fn query(&self, path: &str, pairs: &[(&str, &str)]) -> Request {
        self.get(&format!("{path}?{}", http_client::encode(pairs)))
    }

    /// Begins a POST.
    pub(crate) fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Request {
        self.client.request(method, &format!("{}{path}", self.base))
    }

    /// Sends; an answer of any status comes back.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, PollError> {
        cost::request();
        request.send().await.map_err(|e| failed(&e))
    }

    /// Sends and takes only a status of success.
    pub(crate) async fn fetch(&self, request: Request) -> Result<Response, PollError> {
        let answer = self.send(request).await?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(self.refused(answer).await)
        }
    }

    /// What an answer without success means.
    pub(crate) async fn refused(&self, answer: Response) -> PollError {
        let (status, retry_after) = (answer.status(), answer.retry_after());
        let reason = answer.reason();
        let said = match reason.filter(|said| Some(said.as_str()) != status.canonical_reason()) {
            Some(said) => said,
            None => answer.excerpt().await,
        };
        let said = if said.is_empty() {
            String::new()
        } else {
            format!(": {said}")
        };
        let at = format!("{} at {}", self.name, self.base);
        let status = status.as_u16();
        let (class, message) = match status {
            401 => (
                FailureClass::BadCredentials,
                format!(
                    "{at} does not accept the credentials (401{said}): set new ones; they are tried again in 15 minutes"
                ),
            ),
            403 => (
                FailureClass::NoPermission,
                format!(
                    "{at} does not allow this to these credentials (403{said}): give their user the right to read"
                ),
            ),
            404 => (
                FailureClass::BadAnswer,
                format!("{at} does not have what was asked for (404{said}): check url"),
            ),
            429 => (
                FailureClass::RateLimited,
                format!("{at} asks for fewer requests (429{said}): it is left alone for a while"),
            ),
            _ => (
                FailureClass::BadAnswer,
                format!("{at} answers {status}{said}"),
            ),
        };
        let mut error = PollError::new(class, message);
        error.retry_after = retry_after;
        error
    }

    /// An answer that cannot be understood.
    pub(crate) fn bad_answer(&self, what: impl fmt::Display) -> PollError {
        PollError::new(
            FailureClass::BadAnswer,
            format!("{} at {}: {what}", self.name, self.base),
        )
    }
}

/// Why there is no usable answer.
pub(crate) fn failed(error: &Error) -> PollError {
    let class = match error {
        Error::Unreachable { .. } | Error::Broken { .. } => FailureClass::Unreachable,
        Error::Timeout { .. } => FailureClass::Timeout,
        Error::Certificate { .. } | Error::Tls { .. } | Error::Plain { .. } => FailureClass::Tls,
        Error::ClientCertificate { .. } => FailureClass::BadCredentials,
        Error::TooLarge { .. } | Error::Malformed { .. } | Error::Redirect { .. } => {
            FailureClass::BadAnswer
        }
        Error::Address { .. } | Error::Request { .. } | Error::LinkLocal { .. } => {
            FailureClass::Other
        }
    };
    let mut failure = PollError::new(class, error.to_string());
    failure.certificate = certificate_of(error).map(Box::new);
    failure
}

/// The certificate that was refused, if it was that.
pub(crate) fn certificate_of(error: &Error) -> Option<CertificateShown> {
    let Error::Certificate {
        seen,
        pinned,
        subject,
        not_after,
        ..
    } = error
    else {
        return None;
    };
    Some(CertificateShown {
        fingerprint: *seen,
        subject: subject.clone(),
        not_after: *not_after,
        pinned: *pinned,
    })
}

/// An address as requests are appended to it.
fn base_of(url: &str) -> Result<String, String> {
    let parsed: http_client::Url = url
        .parse()
        .map_err(|_| format!("`{url}` is no address: write http:// or https:// and a host"))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none_or(str::is_empty) {
        return Err(format!(
            "`{url}` is no address: write http:// or https:// and a host"
        ));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("credentials do not belong into the address: use their own options".to_owned());
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(format!("`{url}` has more than an address and a path"));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_path() {
        assert_eq!(base_of("http://nas1").unwrap(), "http://nas1");
        assert_eq!(base_of("https://x:8006/a/").unwrap(), "https://x:8006/a");
        for wrong in [
            "nas1",
            "ftp://nas1",
            "http://me:pw@nas1",
            "http://nas1?x=1",
            "unix:///run/x",
        ] {
            let why = base_of(wrong).unwrap_err();
            assert!(!why.contains("pw@"), "{why}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret: Secret = serde_json::from_str("\"abc\"").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret");
        assert!(serde_json::from_str::<Secret>("\"a\\nb\"").is_err());
    }

    #[test]
    fn one_way_to_trust_is_chosen() {
        let read = |text: &str| serde_json::from_str::<TlsParams>(text).unwrap().policy();
        assert_eq!(read("{}").unwrap(), Tls::System);
        assert_eq!(read(r#"{"insecure":true}"#).unwrap(), Tls::Insecure);
        assert_eq!(
            read(r#"{"insecure":true,"ca":"x"}"#).unwrap_err().key,
            "tls"
        );
        assert_eq!(
            read(r#"{"fingerprint":"12"}"#).unwrap_err().key,
            "tls.fingerprint"
        );
    }
}
