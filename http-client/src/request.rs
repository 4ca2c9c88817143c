use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, RequestBuilder, StatusCode, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::{Client, Error, Redirects, Response, client::shown};

/// A request that is being written.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: Client,
    timeout: Duration,
    built: Result<(RequestBuilder, Url, String), Error>,
}

impl Request {
    pub(crate) fn new(
        client: &Client,
        method: Method,
        address: Result<(Url, String), Error>,
    ) -> Self {
        Self {
            client: client.clone(),
            timeout: client.options.timeout,
            built: address
                .map(|(url, host)| (client.inner.request(method, url.clone()), url, host)),
        }
    }

    fn with(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.built = self
            .built
            .map(|(builder, url, host)| (change(builder), url, host));
        self
    }

    /// Adds a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(|builder| builder.header(name, value))
    }

    /// Adds a header whose value is told to nobody else, also not in a debug output.
    pub fn secret_header(self, name: &str, value: &SecretString) -> Self {
        let value = header::HeaderValue::from_str(value.expose_secret()).map(|mut value| {
            value.set_sensitive(true);
            value
        });
        match value {
            Ok(value) => self.with(|builder| builder.header(name, value)),
            Err(_) => self.fail("a secret has characters that a header cannot carry"),
        }
    }

    /// `Authorization: Bearer …`.
    pub fn bearer(self, token: &SecretString) -> Self {
        self.with(|builder| builder.bearer_auth(token.expose_secret()))
    }

    /// `Authorization: Basic …`.
    pub fn basic(self, user: &str, password: &SecretString) -> Self {
        self.with(|builder| builder.basic_auth(user, Some(password.expose_secret())))
    }

    /// A body as forms of web pages send it; a space is `%20`, which more servers read than `+`.
    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        let body = encode(pairs);
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    /// The body as it is.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.with(|builder| builder.body(body.into()))
    }

    /// A body of JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.with(|builder| builder.json(value))
    }

    /// How long this request may take, instead of the client's own bound.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self.with(|builder| builder.timeout(timeout))
    }

    fn fail(mut self, cause: &str) -> Self {
        self.built = self.built.and_then(|(_, _, host)| {
            Err(Error::Request {
                host,
                cause: cause.to_owned(),
            })
        });
        self
    }

    /// Sends it and waits for the head of the answer, of any status.
    ///
    /// # Errors
    /// There is no answer, or one that points elsewhere.
    pub async fn send(self) -> Result<Response, Error> {
        let (builder, url, host) = self.built?;
        let answer = builder
            .send()
            .await
            .map_err(|e| Error::explain(&host, &e, self.timeout))?;
        if self.client.options.redirects == Redirects::Refused && is_redirect(answer.status()) {
            let to = answer
                .headers()
                .get(header::LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| url.join(location).ok())
                .map_or_else(|| "nowhere".to_owned(), |to| shown(&to));
            return Err(Error::Redirect { host, to });
        }
        Ok(Response::new(
            answer,
            host,
            self.timeout,
            self.client.options.max_body,
        ))
    }
}

/// Names and values as they stand in a query or a form; a space is `%20`.
pub fn encode(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
        // a plus sign of the text itself is %2B
        .replace('+', "%20")
}

const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
