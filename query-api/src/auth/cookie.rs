use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};

use crate::ApiError;

const NAME: &str = "homelog_refresh";
/// Longest refresh token, in bytes.
const MAX: usize = 128;

/// The refresh token that the browser sent.
pub(super) fn read(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == NAME && !value.is_empty() && value.len() <= MAX)
        .map(|(_, value)| value)
}

/// Gives the browser a refresh token.
pub(super) fn give(
    refresh: &SecretString,
    lifetime: Duration,
    is_secure: bool,
) -> Result<HeaderValue, ApiError> {
    set(refresh.expose_secret(), lifetime.as_secs(), is_secure)
}

/// Takes the refresh token from the browser.
pub(super) fn take(is_secure: bool) -> Result<HeaderValue, ApiError> {
    set("", 0, is_secure)
}

/// Over plain HTTP at home the cookie cannot be `Secure`: the browser would not send it back.
fn set(value: &str, max_age: u64, is_secure: bool) -> Result<HeaderValue, ApiError> {
    let secure = if is_secure { "; Secure" } else { "" };
    let text =
        format!("{NAME}={value}; Path=/auth; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    let mut header = HeaderValue::try_from(text).map_err(|e| ApiError::internal(&e))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=b; homelog_refresh=; x"),
        );
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("homelog_refreshing=no;homelog_refresh=yes"),
        );
        assert_eq!(read(&headers), Some("yes"));
        assert_eq!(read(&HeaderMap::new()), None);
    }

    #[test]
    fn the_cookie_is_for_this_site_and_no_script() {
        let given = give(&SecretString::from("abc"), Duration::from_mins(1), true).unwrap();
        assert!(given.is_sensitive());
        assert_eq!(
            given.to_str().unwrap(),
            "homelog_refresh=abc; Path=/auth; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        let plain = give(&SecretString::from("abc"), Duration::from_mins(1), false).unwrap();
        assert!(!plain.to_str().unwrap().contains("Secure"));
    }
}
