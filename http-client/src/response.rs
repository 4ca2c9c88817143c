use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{StatusCode, header, tls::TlsInfo};
use serde::de::DeserializeOwned;

use crate::{Error, certificate};

/// Most bytes of a body that is only shown.
const SHOWN: usize = 4096;
/// Most characters of a body that is only shown.
const SHOWN_CHARS: usize = 300;

/// An answer whose body is not read yet.
#[derive(Debug)]
pub struct Response {
    inner: reqwest::Response,
    host: String,
    timeout: Duration,
    max_body: usize,
}

impl Response {
    pub(crate) const fn new(
        inner: reqwest::Response,
        host: String,
        timeout: Duration,
        max_body: usize,
    ) -> Self {
        Self {
            inner,
            host,
            timeout,
            max_body,
        }
    }

    /// The connection itself, after the server agreed to speak something else on it than HTTP.
    pub(crate) async fn into_connection(self) -> Result<(reqwest::Upgraded, String), Error> {
        let connection = self
            .inner
            .upgrade()
            .await
            .map_err(|e| Error::explain(&self.host, &e, self.timeout))?;
        Ok((connection, self.host))
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The words behind the status, where the server's are its own message.
    pub fn reason(&self) -> Option<String> {
        let reason = self.inner.extensions().get::<hyper::ext::ReasonPhrase>()?;
        let text = String::from_utf8_lossy(reason.as_bytes());
        let text: String = text
            .chars()
            .filter(|c| !c.is_control())
            .take(SHOWN_CHARS)
            .collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The first header of a name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    /// When the certificate that the server showed ends, as Unix time in seconds. Only of a client with
    /// [`crate::Options::fresh_connections`], over https.
    pub fn not_after(&self) -> Option<i64> {
        let tls = self.inner.extensions().get::<TlsInfo>()?;
        certificate::not_after(tls.peer_certificate()?)
    }

    /// How long the server asks to be left alone (`Retry-After` in seconds), if it does.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self
            .inner
            .headers()
            .get(header::RETRY_AFTER)?
            .to_str()
            .ok()?;
        seconds.trim().parse().ok().map(Duration::from_secs)
    }

    /// The next piece of the body, none at its end. Whoever reads in pieces bounds their sum.
    ///
    /// # Errors
    /// The connection broke or stayed silent.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.inner
            .chunk()
            .await
            .map_err(|e| Error::explain(&self.host, &e, self.timeout))
    }

    /// The whole body, up to the client's bound.
    ///
    /// # Errors
    /// It is larger, or the connection broke.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let limit = self.max_body;
        self.bytes_up_to(limit).await
    }

    /// The whole body, up to a bound in bytes.
    ///
    /// # Errors
    /// It is larger, or the connection broke.
    pub async fn bytes_up_to(mut self, limit: usize) -> Result<Bytes, Error> {
        let too_large = |host: &str| Error::TooLarge {
            host: host.to_owned(),
            limit,
        };
        let limit_u64 = u64::try_from(limit).unwrap_or(u64::MAX);
        if self
            .inner
            .content_length()
            .is_some_and(|length| length > limit_u64)
        {
            return Err(too_large(&self.host));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(too_large(&self.host));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The whole body as text, up to the client's bound.
    ///
    /// # Errors
    /// It is larger or no UTF-8, or the connection broke.
    pub async fn text(self) -> Result<String, Error> {
        let host = self.host.clone();
        let body = self.bytes().await?;
        String::from_utf8(body.into()).map_err(|_| Error::Malformed {
            host,
            cause: "it is not UTF-8".to_owned(),
        })
    }

    /// The whole body as JSON, up to the client's bound.
    ///
    /// # Errors
    /// It is larger or not of that form, or the connection broke.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let host = self.host.clone();
        let body = self.bytes().await?;
        serde_json::from_slice(&body).map_err(|e| Error::Malformed {
            host,
            cause: e.to_string(),
        })
    }

    /// The beginning of the body on one line, to be shown in a message; whatever goes wrong, what came until then.
    pub async fn excerpt(mut self) -> String {
        let mut body = BytesMut::new();
        while body.len() < SHOWN
            && let Ok(Some(chunk)) = self.chunk().await
        {
            let room = SHOWN - body.len();
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        }
        let text = String::from_utf8_lossy(&body);
        let mut shown: String = text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .filter(|c| !c.is_control())
            .take(SHOWN_CHARS + 1)
            .collect();
        if let Some((end, _)) = shown.char_indices().nth(SHOWN_CHARS) {
            shown.truncate(end);
            shown.push('…');
        }
        shown
    }
}
