//! An answer.

use std::{io, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures::stream::BoxStream;
use hyper::{Response, ext::ReasonPhrase};
use serde_json::Value;

/// What an answer says.
pub(crate) enum Content {
    /// All at once.
    Whole(Bytes),
    /// As it comes, without an end of its own.
    Stream(BoxStream<'static, io::Result<Bytes>>),
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// What stands beside the status, where it is not the usual.
    pub(crate) reason: Option<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content: Content,
    /// How long the service takes.
    pub(crate) delay: Duration,
}

impl Reply {
    /// Bytes of a type.
    pub(crate) fn page(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            reason: None,
            headers: vec![("content-type", content_type.to_owned())],
            content: Content::Whole(body.into()),
            delay: Duration::ZERO,
        }
    }

    /// JSON.
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::page(status, "application/json", value.to_string())
    }

    /// Plain text.
    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        Self::page(status, "text/plain; charset=utf-8", text.into())
    }

    /// Lines that go on.
    pub(crate) fn stream(
        content_type: &str,
        stream: BoxStream<'static, io::Result<Bytes>>,
    ) -> Self {
        Self {
            content: Content::Stream(stream),
            ..Self::page(200, content_type, Bytes::new())
        }
    }

    /// With a header more.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With other words beside the status.
    pub(crate) fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// After a while.
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// As hyper sends it.
    pub(crate) fn into_response(self) -> Result<Response<Body>, hyper::http::Error> {
        let mut builder = Response::builder().status(self.status);
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        let body = match self.content {
            Content::Whole(bytes) => Body::from(bytes),
            Content::Stream(stream) => Body::from_stream(stream),
        };
        let mut response = builder.body(body)?;
        if let Some(reason) = self.reason.and_then(|r| ReasonPhrase::try_from(r).ok()) {
            response.extensions_mut().insert(reason);
        }
        Ok(response)
    }
}

#[cfg(test)]
impl Reply {
    /// What it says, as text.
    pub(crate) fn said(&self) -> String {
        match &self.content {
            Content::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Content::Stream(_) => panic!("it goes on"),
        }
    }

    /// What it says, as JSON.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.said()).unwrap()
    }
}
