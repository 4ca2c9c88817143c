//! What answers of the server mean, in words that name the fix.

use std::time::Duration;

use crate::{QueryError, WriteError};

/// Why a store on InfluxDB cannot be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// The address is none.
    #[error("`{url}` is no address of an InfluxDB: {cause}; write it like `http://influxdb:8086`")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// It does not answer, or not now.
    #[error(
        "the InfluxDB at {server} does not answer ({cause}): check that it runs, and `[store] url`"
    )]
    Unavailable {
        /// The server.
        server: String,
        /// Why.
        cause: String,
    },
    /// Something else answers, or a version that cannot do what is needed.
    #[error("{server} is not an InfluxDB 2: {cause}")]
    NotInfluxdb {
        /// The server.
        server: String,
        /// What it is.
        cause: String,
    },
    /// It refuses us until a person changes its or our configuration.
    #[error("the InfluxDB at {server} cannot be used: {cause}")]
    Misconfigured {
        /// The server.
        server: String,
        /// What is wrong, by name, and what to do.
        cause: String,
    },
}

impl OpenError {
    /// Whether trying again soon makes sense without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// What came of a request that was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// The server does not answer, or not now.
    Transient {
        cause: String,
        retry_after: Option<Duration>,
    },
    /// A person has to change something.
    Misconfigured(String),
    /// The body, or a part of it, in the server's own words.
    Refused(String),
    /// The body is larger than the server takes.
    TooLarge(String),
}

impl Problem {
    /// A transient one.
    pub(super) fn transient(cause: impl Into<String>) -> Self {
        Self::Transient {
            cause: cause.into(),
            retry_after: None,
        }
    }

    /// As a writer is told.
    pub(super) fn to_write(&self, server: &str) -> WriteError {
        let server = server.to_owned();
        match self.clone() {
            Self::Transient { cause, retry_after } => WriteError::Unavailable {
                server,
                cause,
                retry_after,
            },
            Self::Misconfigured(cause) => WriteError::Misconfigured { server, cause },
            Self::Refused(cause) | Self::TooLarge(cause) => WriteError::Failed {
                path: server,
                cause,
            },
        }
    }

    /// As a reader is told.
    pub(super) fn to_query(&self, server: &str) -> QueryError {
        QueryError::Failed {
            path: server.to_owned(),
            cause: self.cause().to_owned(),
        }
    }

    /// As whoever opens the store is told.
    pub(super) fn to_open(&self, server: &str) -> OpenError {
        let server = server.to_owned();
        match self.clone() {
            Self::Transient { cause, .. } => OpenError::Unavailable { server, cause },
            Self::Misconfigured(cause) | Self::Refused(cause) | Self::TooLarge(cause) => {
                OpenError::Misconfigured { server, cause }
            }
        }
    }

    /// What happened, in words.
    pub(super) fn cause(&self) -> &str {
        match self {
            Self::Transient { cause, .. }
            | Self::Misconfigured(cause)
            | Self::Refused(cause)
            | Self::TooLarge(cause) => cause,
        }
    }
}

/// What a request was about.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) org: &'a str,
    pub(super) bucket: &'a str,
}

/// What an answer with a failure means.
pub(super) fn judge(
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
    about: About<'_>,
) -> Problem {
    let About { org, bucket } = about;
    let said = words(body);
    match status {
        400 | 422 if is_own(body) => Problem::Refused(said),
        // believing it would put points aside that are good
        400 | 422 => Problem::Misconfigured(format!(
            "status {status} does not come from an InfluxDB 2 ({said}): correct `[store] url`, or what stands between, such as a proxy"
        )),
        401 => Problem::Misconfigured(format!(
            "it does not know the token ({said}): give `[store] token` one of organisation `{org}` that may read and write the bucket `{bucket}`"
        )),
        403 => Problem::Misconfigured(format!(
            "the token has no right on the bucket `{bucket}` of organisation `{org}` ({said}): give it the right to read and write that bucket"
        )),
        404 if said.contains("organization") => Problem::Misconfigured(format!(
            "there is no organisation `{org}` ({said}): correct `[store] org`, or use a token that may see it"
        )),
        404 if said.contains("bucket") || said.contains("database") => {
            Problem::Misconfigured(format!(
                "there is no bucket `{bucket}` in organisation `{org}` ({said}): make it with `influx bucket create --org {org} --name {bucket}`, or give `[store] token` one that may see and make buckets"
            ))
        }
        404 | 405 => Problem::Misconfigured(format!(
            "no InfluxDB answers under that address (status {status}: {said}): correct `[store] url`"
        )),
        413 => Problem::TooLarge(said),
        300..400 => Problem::Misconfigured(format!(
            "it points elsewhere (status {status}): write the address that it points to into `[store] url`"
        )),
        402 | 406..=407 | 410..=412 | 414..=417 | 431 | 451 => Problem::Misconfigured(format!(
            "it refuses the request with status {status}: {said}"
        )),
        _ => Problem::Transient {
            cause: format!("it answers with status {status}: {said}"),
            retry_after,
        },
    }
}

/// Whether an answer has the form in which InfluxDB says what is wrong with a request.
fn is_own(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Own {
        code: String,
        #[serde(rename = "message")]
        _message: String,
    }
    serde_json::from_slice::<Own>(body).is_ok_and(|own| !own.code.is_empty())
}

/// How long a text of a server may be in an error.
const MAX_WORDS: usize = 600;

/// What the server said, in one bounded line.
pub(super) fn words(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Told {
        #[serde(alias = "error")]
        message: String,
    }
    let text = match serde_json::from_slice::<Told>(body) {
        Ok(told) => told.message,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    if text.is_empty() {
        return "without a word".to_owned();
    }
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_WORDS)
        .collect();
    if text.chars().nth(MAX_WORDS).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> = About {
        org: "home",
        bucket: "homelog",
    };

    #[test]
    fn what_a_person_must_change_is_named() {
        for (status, body, named) in [
            (401, r#"{"message":"unauthorized access"}"#, "[store] token"),
            (
                403,
                r#"{"message":"insufficient permissions"}"#,
                "`homelog`",
            ),
            (
                404,
                r#"{"message":"bucket \"homelog\" not found"}"#,
                "influx bucket create --org home --name homelog",
            ),
            (
                404,
                r#"{"message":"organization name \"home\" not found"}"#,
                "[store] org",
            ),
            (404, "404 page not found", "[store] url"),
            (301, "", "[store] url"),
        ] {
            let Problem::Misconfigured(cause) = judge(status, body.as_bytes(), None, ABOUT) else {
                panic!("{status} {body}")
            };
            assert!(cause.contains(named), "{cause}");
        }
    }

    #[test]
    fn only_influxdb_itself_may_refuse_points() {
        for status in [400, 422] {
            let own = br#"{"code":"unprocessable entity","message":"failure writing points"}"#;
            let said = "failure writing points".to_owned();
            assert_eq!(judge(status, own, None, ABOUT), Problem::Refused(said));
            for other in [
                "<html><h1>400 Bad Request</h1></html>",
                "",
                r#"{"error":"invalid host"}"#,
                r#"{"message":"invalid host"}"#,
            ] {
                let problem = judge(status, other.as_bytes(), None, ABOUT);
                let error = problem.to_write("http://x");
                assert!(error.needs_a_person() && error.is_transient(), "{error}");
                assert!(error.to_string().contains("[store] url"), "{error}");
            }
        }
    }

    #[test]
    fn what_passes_is_tried_again() {
        for status in [408, 429, 500, 502, 503, 504] {
            let wait = Some(Duration::from_secs(7));
            let problem = judge(status, b"busy", wait, ABOUT);
            let error = problem.to_write("http://x");
            assert!(error.is_transient(), "{error}");
            assert!(!error.needs_a_person());
            assert_eq!(error.retry_after(), wait);
        }
    }

    #[test]
    fn words_of_a_server_are_one_bounded_line() {
        let long = "ü\n".repeat(5000);
        let line = words(long.as_bytes());
        assert!(line.chars().count() <= MAX_WORDS + 1);
        assert!(!line.contains('\n'));
    }
}
