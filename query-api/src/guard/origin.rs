use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};

use super::host::Authority;
use crate::ApiError;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Browsers say which page asks; only our own may. Programs say nothing, and have no cookies to be misused.
///
/// # Errors
/// 403 for the page of another origin.
pub(super) fn check(headers: &HeaderMap, host: &Authority<'_>) -> Result<(), ApiError> {
    let is_foreign_site = headers
        .get(FETCH_SITE)
        .is_some_and(|site| site != "same-origin" && site != "none");
    let is_foreign_origin = headers.get_all(header::ORIGIN).iter().any(|origin| {
        origin
            .to_str()
            .ok()
            .is_none_or(|origin| !is_same(origin, host))
    });
    if is_foreign_site || is_foreign_origin {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "cross_origin",
            "a page of another origin may not do this: open the dashboard at the address under which the server is reached",
        ));
    }
    Ok(())
}

/// Schemes are not compared: behind a proxy we do not always know our own.
fn is_same(origin: &str, host: &Authority<'_>) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    let default = match uri.scheme_str() {
        Some("http") => ":80",
        Some("https") => ":443",
        _ => return false,
    };
    let Some(authority) = uri.authority() else {
        return false;
    };
    let without = |whole: &str| {
        whole
            .strip_suffix(default)
            .unwrap_or(whole)
            .to_ascii_lowercase()
    };
    without(authority.as_str()) == without(host.whole)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::guard::host;

    fn checked(host: &str, name: HeaderName, value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        check(&headers, &host::parse(host).unwrap()).is_ok()
    }

    #[test]
    fn only_our_own_pages_pass() {
        let origin = |host, value| checked(host, header::ORIGIN, value);
        assert!(origin("nas.lan:3001", "http://nas.lan:3001"));
        assert!(origin("NAS.lan", "https://nas.lan"));
        assert!(origin("nas.lan:443", "https://nas.lan"));
        assert!(origin("[::1]:3001", "http://[::1]:3001"));
        for foreign in [
            "http://evil.example",
            "http://nas.lan:3002",
            "http://nas.lan",
            "null",
            "",
            "http://nas.lan:3001.evil.example",
            "file://nas.lan:3001",
            "nas.lan:3001",
        ] {
            assert!(
                !origin("nas.lan:3001", foreign),
                "{foreign} must be refused"
            );
        }
    }

    #[test]
    fn the_fetch_site_counts_too() {
        let site = |value| checked("nas.lan", FETCH_SITE, value);
        assert!(site("same-origin") && site("none"));
        assert!(!site("cross-site") && !site("same-site"));
        assert!(check(&HeaderMap::new(), &host::parse("nas.lan").unwrap()).is_ok());
    }
}
