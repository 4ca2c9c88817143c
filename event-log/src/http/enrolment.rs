use std::{fmt, str::FromStr};

use http_client::{Fingerprint, Tls, Url};
use secrecy::{ExposeSecret, SecretString};

/// What an agent needs to know of its hub, in one text: `https://hub:3001#sha256=…&token=…`.
///
/// What follows `#` is never sent to a server.
#[derive(Clone)]
pub struct Enrolment {
    /// Address of the hub.
    pub url: String,
    /// Which server is believed to be the hub: by fingerprint where the hub speaks TLS itself, else as the system does.
    pub tls: Tls,
    /// The agent's token.
    pub token: SecretString,
}

/// A text that enrols nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnrolment {
    /// No address.
    #[error("the hub must begin with http:// or https:// and its host, as the hub printed it")]
    Address,
    /// No token.
    #[error(
        "the hub's address lacks the token of this agent: copy all of it, from https:// to the end, in quotes"
    )]
    NoToken,
    /// A fingerprint that is none.
    #[error("the hub's address is cut off: its fingerprint is not whole")]
    Fingerprint,
    /// Something else behind the `#`.
    #[error("`{0}` in the hub's address is not known: copy it again, or update homelog")]
    Unknown(String),
}

impl FromStr for Enrolment {
    type Err = InvalidEnrolment;

    fn from_str(text: &str) -> Result<Self, InvalidEnrolment> {
        let (url, secret) = text.trim().split_once('#').unwrap_or((text.trim(), ""));
        let parsed = Url::parse(url).map_err(|_| InvalidEnrolment::Address)?;
        if !matches!(parsed.scheme(), "http" | "https")
            || parsed.host_str().is_none_or(str::is_empty)
            || parsed.query().is_some()
        {
            return Err(InvalidEnrolment::Address);
        }
        let mut tls = Tls::System;
        let mut token = None;
        for pair in secret.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sha256", digits)) => {
                    let fingerprint: Fingerprint = format!("sha256:{digits}")
                        .parse()
                        .map_err(|_| InvalidEnrolment::Fingerprint)?;
                    tls = Tls::Fingerprint(fingerprint);
                }
                Some(("token", text)) if !text.is_empty() => {
                    token = Some(SecretString::from(text));
                }
                Some((name, _)) => {
                    return Err(InvalidEnrolment::Unknown(schemas::name::excerpt(name)));
                }
                None => return Err(InvalidEnrolment::NoToken),
            }
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            tls,
            token: token.ok_or(InvalidEnrolment::NoToken)?,
        })
    }
}

impl Enrolment {
    /// The text, with the token in it: to be shown once.
    pub fn reveal(&self) -> String {
        let pin = match &self.tls {
            Tls::Fingerprint(fingerprint) => {
                fingerprint.to_string().replacen("sha256:", "sha256=", 1) + "&"
            }
            _ => String::new(),
        };
        format!("{}#{pin}token={}", self.url, self.token.expose_secret())
    }
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolment")
            .field("url", &self.url)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read() {
        let pinned = Enrolment {
            url: "https://hub:3001".to_owned(),
            tls: Tls::Fingerprint(Fingerprint::of(b"x")),
            token: "hlt_a_b".into(),
        };
        let plain = Enrolment {
            url: "https://lab.example/homelog".to_owned(),
            tls: Tls::System,
            token: "hlt_a_b".into(),
        };
        for enrolment in [pinned, plain] {
            let read: Enrolment = enrolment.reveal().parse().unwrap();
            assert_eq!((&read.url, &read.tls), (&enrolment.url, &enrolment.tls));
            assert_eq!(read.token.expose_secret(), "hlt_a_b");
            assert!(!format!("{read:?}").contains("hlt_a_b"));
        }
    }

    #[test]
    fn what_was_cut_off_is_told() {
        let line = "https://hub:3001#sha256=00ff";
        assert_eq!(
            line.parse::<Enrolment>().unwrap_err(),
            InvalidEnrolment::Fingerprint
        );
        for (text, error) in [
            ("https://hub:3001", InvalidEnrolment::NoToken),
            (
                "https://hub:3001#token=",
                InvalidEnrolment::Unknown("token".to_owned()),
            ),
            ("hub:3001#token=x", InvalidEnrolment::Address),
            ("ftp://hub#token=x", InvalidEnrolment::Address),
        ] {
            assert_eq!(text.parse::<Enrolment>().unwrap_err(), error, "{text}");
        }
    }
}
