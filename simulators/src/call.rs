//! A request, read whole.

use std::net::IpAddr;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use hyper::{HeaderMap, Method, http::request::Parts};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Most bytes of a body.
const LARGEST: usize = 64 * 1024;
/// Most parameters that are read.
const MOST: usize = 128;

/// A request.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Without the query, decoded.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Who asks.
    pub(crate) peer: IpAddr,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

impl Call {
    /// Reads a request; absent if its body is too long or does not come.
    pub(crate) async fn read(parts: &Parts, body: Body, peer: IpAddr) -> Option<Self> {
        let body = to_bytes(body, LARGEST).await.ok()?;
        let form = parts
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .filter(|value| value.starts_with("application/x-www-form-urlencoded"))
            .and_then(|_| std::str::from_utf8(&body).ok())
            .map(pairs)
            .unwrap_or_default();
        Some(Self {
            method: parts.method.clone(),
            path: percent_decode_str(parts.uri.path())
                .decode_utf8_lossy()
                .into_owned(),
            headers: parts.headers.clone(),
            query: parts.uri.query().map(pairs).unwrap_or_default(),
            form,
            body,
            peer,
        })
    }

    /// A parameter of the query or of a form.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query_param(name).or_else(|| find(&self.form, name))
    }

    /// A parameter of the query.
    pub(crate) fn query_param(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// Whether the query has a key, also without a value.
    pub(crate) fn asks(&self, name: &str) -> bool {
        self.query_param(name).is_some()
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A cookie, decoded.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.header("cookie")?;
        cookies.split(';').find_map(|cookie| {
            let (key, value) = cookie.trim().split_once('=')?;
            (key == name).then(|| percent_decode_str(value).decode_utf8_lossy().into_owned())
        })
    }

    /// The token of `Authorization: Bearer`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The parts of its path.
    pub(crate) fn parts(&self) -> Vec<&str> {
        self.path
            .split('/')
            .filter(|part| !part.is_empty())
            .collect()
    }

    #[cfg(test)]
    pub(crate) fn get(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: Method::GET,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            peer: IpAddr::from([127, 0, 0, 1]),
            query: pairs(query),
            form: Vec::new(),
        }
    }

    #[cfg(test)]
    pub(crate) fn post(target: &str, form: &str) -> Self {
        Self {
            method: Method::POST,
            form: pairs(form),
            ..Self::get(target)
        }
    }

    #[cfg(test)]
    pub(crate) fn sends(target: &str, body: &Value) -> Self {
        Self {
            method: Method::POST,
            body: body.to_string().into(),
            ..Self::get(target)
        }
    }

    #[cfg(test)]
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().find(|(key, _)| key == name)?;
    Some(value)
}

/// Reads `a=b&c=d`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| {
        percent_decode_str(&part.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .take(MOST)
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let call = Call::post("/x?summaryRaw&auth=a%2Bb", "pwd=c2VjcmV0%3D&user=a+b");
        assert!(call.asks("summaryRaw") && !call.asks("pwd"));
        assert_eq!(call.param("auth"), Some("a+b"));
        assert_eq!(call.param("pwd"), Some("c2VjcmV0="));
        assert_eq!(call.param("user"), Some("a b"));
        let call = call.with("cookie", "a=1; PVEAuthCookie=PVE%3Ax");
        assert_eq!(call.cookie("PVEAuthCookie").as_deref(), Some("PVE:x"));
    }
}
