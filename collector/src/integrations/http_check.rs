//! Whether web services answer as they should: status, latency, a text in the page, the end of the certificate.
//!
//! A check that fails is what was found out, not a failure of the source: it becomes a sample with `up` = false, and a finding,
//! which is told wherever it is told how the source does.

mod check;
mod expected;
mod metrics;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::StreamExt;
use http_client::{Client, Options, Redirects};
use schemas::{MetricDef, name::EntityType, time::parse_duration};
use serde::Deserialize;

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    credentials::Credentials,
    integration::{Integration, Typed},
    service::{Secret, TlsParams},
};
use check::{Check, Target};
use expected::{Expected, Statuses};
use metrics::METRICS;

pub(super) static INTEGRATION: Typed<HttpCheck> = Typed::new();

/// Most addresses of one source; they are asked at the same time.
const MOST_URLS: usize = 16;
/// Longest text that is looked for, in bytes.
const MOST_TEXT: usize = 1024;
/// Most redirects on one host.
const MOST_REDIRECTS: usize = 5;

/// Options of a source of kind `http_check`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Params {
    /// What is asked.
    url: String,
    /// What is asked besides.
    urls: Vec<String>,
    /// A bearer token.
    token: Secret,
    /// Name for basic authentication.
    username: String,
    /// Its password.
    password: Secret,
    /// Which statuses are good.
    expect_status: Statuses,
    /// What the page must have in it.
    expect_text: String,
    /// How long an answer may take.
    response_timeout: String,
    /// Whether redirects are followed on the same host.
    follow_redirects: bool,
    /// Whom an https service must be.
    tls: TlsParams,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            url: String::new(),
            urls: Vec::new(),
            token: Secret::default(),
            username: String::new(),
            password: Secret::default(),
            expect_status: Statuses::default(),
            expect_text: String::new(),
            response_timeout: "5s".to_owned(),
            follow_redirects: false,
            tls: TlsParams::default(),
        }
    }
}

/// Asks a few addresses.
pub(crate) struct HttpCheck {
    checks: Vec<Check>,
    expected: Expected,
}

impl Integration for HttpCheck {
    const KIND: &'static str = "http_check";
    const HELP: &'static str = "Whether web services answer as they should: status, latency, a text in the page, the end of the certificate";
    const DEFAULT_INTERVAL: Duration = Duration::from_mins(1);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# What is asked (GET). A page that wants credentials is also up where it answers 401 and that is expected.
# url = "https://wiki.home.arpa/health"
# Up to 16 addresses of one source, asked at the same time; all of them have to answer in the same way.
# urls = ["https://cloud.home.arpa/status.php", "http://printer.home.arpa/"]
# A bearer token, where one is wanted; it is sent to all of these addresses.
# token = "…"
# Or a user, for basic authentication; as little as it may be allowed.
# username = "monitor"
# Its password.
# password = "…"
# Which statuses are good: single ones and ranges.
# expect_status = ["200-299"]
# A text that must be in the first MiB of the page, as it stands there.
# expect_text = "installed\":true"
# How long an answer may take; less than `timeout` of the source.
# response_timeout = "5s"
# Follows redirects on the same host; else the status of the redirect itself is looked at.
# follow_redirects = false
# Whom an https service must be: { ca = "file.pem" }, { fingerprint = "sha256:…" } or { insecure = true }; without it one
# that an authority of this system has signed.
# tls = { insecure = false }
"#;
    const FROM_LABELS: &'static [&'static str] = &[
        "url",
        "urls",
        "expect_status",
        "expect_text",
        "response_timeout",
        "follow_redirects",
    ];
    type Params = Params;

    fn open(params: Params, _: &Context) -> Result<Self, OpenError> {
        let timeout = parse_duration(&params.response_timeout)
            .ok()
            .and_then(|millis| u64::try_from(millis).ok())
            .map(Duration::from_millis)
            .filter(|time| (Duration::from_millis(100)..=Duration::from_mins(1)).contains(time))
            .ok_or_else(|| {
                OpenError::at(
                    "response_timeout",
                    "a duration between 100 ms and a minute is wanted, such as `5s`",
                )
            })?;
        if params.expect_text.len() > MOST_TEXT {
            return Err(OpenError::at(
                "expect_text",
                format!("a text of at most {MOST_TEXT} bytes can be looked for"),
            ));
        }
        let client = Client::new(Options {
            tls: params.tls.policy()?,
            connect_timeout: timeout,
            read_timeout: timeout,
            timeout,
            redirects: if params.follow_redirects {
                Redirects::SameHost(MOST_REDIRECTS)
            } else {
                Redirects::Shown
            },
            refuse_link_local: true,
            fresh_connections: true,
            ..Options::default()
        })
        .map_err(|e| OpenError::at("tls", e.to_string()))?;
        Ok(Self {
            checks: checks(&params)?,
            expected: Expected {
                client,
                credentials: Credentials::choose(params.token, params.username, params.password)?,
                statuses: params.expect_status,
                text: params.expect_text,
            },
        })
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let asking = &self.expected;
        let running: Vec<_> = self
            .checks
            .iter_mut()
            .map(|check| async move {
                let outcome = asking.ask(check.target.url()).await;
                (check, outcome)
            })
            .collect();
        let mut running = futures::stream::iter(running).buffer_unordered(MOST_URLS);
        let mut refused = None;
        while let Some((check, outcome)) = running.next().await {
            if outcome
                .failure
                .as_ref()
                .is_some_and(|failure| failure.class == expected::REFUSED)
            {
                refused.get_or_insert(check.target.id().clone());
            }
            check.tell(outcome, batch);
        }
        // a password that is refused is not shown again every minute: accounts get locked
        match refused {
            None => Ok(()),
            Some(url) => Err(PollError::new(
                FailureClass::BadCredentials,
                format!(
                    "{url} does not accept the credentials (401): set new ones; they are tried again in 15 minutes"
                ),
            )),
        }
    }
}

fn checks(params: &Params) -> Result<Vec<Check>, OpenError> {
    let single = Some(&params.url).filter(|url| !url.is_empty());
    let all = single
        .map(|url| ("url", url))
        .into_iter()
        .chain(params.urls.iter().map(|url| ("urls", url)));
    let entity_type = EntityType::new(HttpCheck::KIND)?;
    let mut checks: Vec<Check> = Vec::new();
    for (key, url) in all {
        let target = Target::parse(url).map_err(|why| OpenError::at(key, why))?;
        if checks.iter().any(|check| check.target.id() == target.id()) {
            return Err(OpenError::at(
                key,
                format!(
                    "{} is there twice: what differs behind `?` alone belongs into two sources",
                    target.id()
                ),
            ));
        }
        checks.push(Check::new(entity_type.clone(), target));
    }
    match checks.len() {
        0 => Err(OpenError::at(
            "url",
            "an address is wanted, such as `https://wiki.home.arpa/`",
        )),
        1..=MOST_URLS => Ok(checks),
        many => Err(OpenError::at(
            "urls",
            format!(
                "{many} addresses are too many for one source: at most {MOST_URLS}, make several sources"
            ),
        )),
    }
}
