//! Where clients of InfluxDB put their token.

use axum::{
    extract::Query,
    http::{HeaderMap, Uri, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};

/// Longest header that is looked at, in bytes.
const LONGEST: usize = 8192;

/// The token of a request: version 2 sends `Token …` or `Bearer …`; version 1 a user and a password, where the token is the
/// password and the name says nothing, in the address (`u`, `p`), as `Basic …` or as `Token user:…`.
pub(crate) fn credential(headers: &HeaderMap, uri: &Uri, is_v1: bool) -> Option<String> {
    if is_v1 && let Some(password) = password_in(uri) {
        return Some(password);
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?.trim();
    if values.next().is_some() || value.len() > LONGEST {
        return None;
    }
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    let behind_colon = |text: &str| {
        text.split_once(':')
            .map_or_else(|| text.to_owned(), |(_, password)| password.to_owned())
    };
    match scheme.to_ascii_lowercase().as_str() {
        "token" if is_v1 => Some(behind_colon(rest)),
        "token" | "bearer" => Some(rest.to_owned()),
        "basic" if is_v1 => {
            let decoded = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
            Some(decoded.split_once(':')?.1.to_owned())
        }
        _ => None,
    }
    .filter(|token| !token.is_empty())
}

fn password_in(uri: &Uri) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let value = |wanted: &str| {
        pairs
            .iter()
            .find(|(name, value)| name == wanted && !value.is_empty())
            .map(|(_, value)| value.clone())
    };
    value("u")?;
    value("p")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(header: Option<&'static str>, query: &str, is_v1: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        credential(&headers, &format!("/x?{query}").parse().unwrap(), is_v1)
    }

    #[test]
    fn each_version_has_its_ways() {
        // ann:hlt_1
        let basic = Some("Basic YW5uOmhsdF8x");
        for (header, query, v1, v2) in [
            (Some("Token hlt_1"), "", true, true),
            (Some("token hlt_1"), "", true, true),
            (Some("Bearer hlt_1"), "", true, true),
            (Some("Token ann:hlt_1"), "", true, false),
            (basic, "", true, false),
            (None, "u=ann&p=hlt_1", true, false),
            (None, "u=ann&p=hlt%5F1", true, false),
            (None, "p=hlt_1", false, false),
            (None, "", false, false),
            (Some("Basic !"), "", false, false),
            (Some("Digest hlt_1"), "", false, false),
            (Some("Token "), "", false, false),
        ] {
            let good = |is_v1| of(header, query, is_v1).as_deref() == Some("hlt_1");
            assert_eq!((good(true), good(false)), (v1, v2), "{header:?} {query}");
        }
    }
}
