//! Which form of an answer a client prefers.

use axum::http::{HeaderMap, header};

/// Whether a media type is asked for by name with a weight above zero. Wildcards do not count: JSON is the form for those.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case(media_type));
            let refused = parts.any(|param| {
                param
                    .strip_prefix("q=")
                    .and_then(|q| q.parse::<f32>().ok())
                    .is_some_and(|q| q <= 0.0)
            });
            named && !refused
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_form_is_asked_for_by_name() {
        let asks = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            accepts(&headers, "text/csv")
        };
        assert!(asks("text/csv"));
        assert!(asks("application/json;q=0.5, Text/CSV;q=0.9"));
        assert!(!asks("*/*"));
        assert!(!asks("text/csv;q=0"));
    }
}
