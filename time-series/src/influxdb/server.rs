//! Requests to the server: each has a time-out, each answer a bound.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Method, RequestBuilder, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use schemas::Timestamp;
use secrecy::ExposeSecret;

use super::{
    OpenError, Options,
    error::{About, Problem, judge},
};

/// Largest answer that is no history.
const MAX_ANSWER: usize = 1024 * 1024;
/// The longest that a server may ask to be left alone.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);

/// One InfluxDB, one organisation.
#[derive(Clone, Debug)]
pub(super) struct Server {
    client: reqwest::Client,
    base: String,
    pub(super) org: String,
    authorization: HeaderValue,
    timeout: Duration,
}

impl Server {
    /// Checks what was configured; talks to nobody yet.
    pub(super) fn new(options: &Options) -> Result<Self, OpenError> {
        let refused = |cause: &str| OpenError::Url {
            url: schemas::name::excerpt(&options.url),
            cause: cause.to_owned(),
        };
        let url = Url::parse(&options.url).map_err(|e| refused(&e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("it is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OpenError::Url {
                url: url.host_str().unwrap_or_default().to_owned(),
                cause: "it holds a user name or password; the token goes into `token_file`"
                    .to_owned(),
            });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("it has a query or fragment"));
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        let header = format!("Token {}", options.token.expose_secret().trim());
        let mut authorization =
            HeaderValue::from_str(&header).map_err(|_| OpenError::Misconfigured {
                server: base.clone(),
                cause: "the token has characters that no token has: look into its file".to_owned(),
            })?;
        authorization.set_sensitive(true);
        Ok(Self {
            client: options.client.clone(),
            base,
            org: options.org.clone(),
            authorization,
            timeout: options.timeout,
        })
    }

    /// How it is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.base
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .header(AUTHORIZATION, self.authorization.clone())
            .timeout(self.timeout)
    }

    fn about<'a>(&'a self, bucket: &'a str) -> About<'a> {
        About {
            org: &self.org,
            bucket,
        }
    }

    async fn send(&self, request: RequestBuilder, bucket: &str) -> Result<Response, Problem> {
        let response = request.send().await.map_err(|e| unreached(&e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let wait = retry_after(response.headers());
        let body = bounded(response, MAX_ANSWER).await.unwrap_or_default();
        Err(judge(status, &body, wait, self.about(bucket)))
    }

    /// Reads a small answer.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        bucket: &str,
    ) -> Result<Vec<u8>, Problem> {
        let request = self.request(Method::GET, path).query(query);
        let response = self.send(request, bucket).await?;
        bounded(response, MAX_ANSWER).await
    }

    /// Sends JSON; what is answered is of no interest.
    pub(super) async fn post(
        &self,
        path: &str,
        json: &impl serde::Serialize,
        bucket: &str,
    ) -> Result<(), Problem> {
        let request = self.request(Method::POST, path).json(json);
        self.send(request, bucket).await.map(drop)
    }

    /// Writes lines with times in milliseconds.
    pub(super) async fn write(
        &self,
        bucket: &str,
        lines: Bytes,
        gzipped: bool,
    ) -> Result<(), Problem> {
        let mut request = self
            .request(Method::POST, "/api/v2/write")
            .query(&[("org", &*self.org), ("bucket", bucket), ("precision", "ms")])
            .header(CONTENT_TYPE, "text/plain; charset=utf-8");
        if gzipped {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let response = self.send(request.body(lines), bucket).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(());
        }
        let status = response.status();
        Err(Problem::Misconfigured(format!(
            "it answers a write with status {status}, which no InfluxDB does: correct `[store] url`"
        )))
    }

    /// Begins an answer to InfluxQL statements, in chunks.
    pub(super) async fn query(
        &self,
        bucket: &str,
        statements: &str,
        chunk_rows: usize,
    ) -> Result<Response, Problem> {
        let rows = chunk_rows.to_string();
        let request = self
            .request(Method::POST, "/query")
            .query(&[
                ("db", bucket),
                ("epoch", "ms"),
                ("chunked", "true"),
                ("chunk_size", &rows),
            ])
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("q={}", form(statements)));
        self.send(request, bucket).await
    }

    /// Deletes what was observed in `[from, to]`.
    pub(super) async fn delete(
        &self,
        bucket: &str,
        from: Timestamp,
        to: Timestamp,
        predicate: &str,
    ) -> Result<(), Problem> {
        let request = self
            .request(Method::POST, "/api/v2/delete")
            .query(&[("org", &*self.org), ("bucket", bucket)])
            .json(&serde_json::json!({
                "start": from.to_string(),
                "stop": to.to_string(),
                "predicate": predicate,
            }));
        self.send(request, bucket).await.map(drop)
    }
}

/// A value in a form.
fn form(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) {
            out.push(char::from(byte));
        } else if byte == b' ' {
            out.push('+');
        } else {
            // a string takes everything
            write!(out, "%{byte:02X}").unwrap_or_default(); // a string takes everything
        }
    }
    out
}

/// Why there is no answer at all.
pub(super) fn unreached(error: &reqwest::Error) -> Problem {
    let mut cause = if error.is_timeout() {
        "it takes too long".to_owned()
    } else {
        "it cannot be reached".to_owned()
    };
    // the address is named by whoever tells the error, and the outer texts only repeat it
    let mut inner = std::error::Error::source(error);
    while let Some(source) = inner {
        inner = source.source();
        if inner.is_none() {
            cause = format!("{cause}: {source}");
        }
    }
    Problem::transient(cause)
}

/// All of a body, if it is not too long.
async fn bounded(mut response: Response, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| unreached(&e))? {
        if body.len() + chunk.len() > limit {
            return Err(Problem::transient(format!(
                "its answer is longer than {limit} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// How long the server asks to be left alone.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
        let millis = date.timestamp_millis() - Timestamp::now().as_millis();
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_in_seconds_or_as_a_date_and_bounded() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers)
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("99999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("Wed, 21 Oct 2150 07:28:00 GMT"), Some(MAX_RETRY_AFTER));
        assert_eq!(of("soon"), None);
    }
}
