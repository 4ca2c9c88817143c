//! What services tell in the text format of Prometheus or in `OpenMetrics`: counters, gauges, histograms and summaries.

mod exposition;
mod identity;
mod line;
mod mapping;
mod metrics;
mod names;
#[cfg(test)]
pub(super) mod tests;

use std::time::Duration;

use http_client::{Request, Url};
use schemas::{MetricDef, name::excerpt};
use serde::Deserialize;
use tracing::warn;

use crate::{
    Batch, Context, OpenError, PollError,
    credentials::Credentials,
    integration::{Integration, Typed},
    pattern::Patterns,
    service::{Secret, Service, TlsParams, failed},
};
use exposition::{Exposition, Format};
use mapping::Mapping;
use metrics::METRICS;

pub(super) static INTEGRATION: Typed<Prometheus> = Typed::new();

/// Most series that an option can ask for.
const MOST_SERIES: usize = 10_000;
/// How long an answer may take at most; the source's own `timeout` is usually shorter.
const LONGEST: Duration = Duration::from_mins(2);
/// What is understood, the better first.
const ACCEPT: &str =
    "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Options of a source of kind `prometheus`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Params {
    /// Where the metrics are.
    url: String,
    /// A bearer token.
    token: Secret,
    /// Name for basic authentication.
    username: String,
    /// Its password.
    password: Secret,
    /// Metrics that are told.
    include: Patterns,
    /// Metrics that are not.
    exclude: Patterns,
    /// Labels that say which entity a series is of.
    entity_labels: Patterns,
    /// Labels that do not.
    ignore_labels: Patterns,
    /// Whether the buckets of histograms are told.
    buckets: bool,
    /// Most series that are told.
    max_series: usize,
    /// Whom an https service must be.
    tls: TlsParams,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            url: String::new(),
            token: Secret::default(),
            username: String::new(),
            password: Secret::default(),
            include: Patterns::new(&["*"]),
            exclude: Patterns::new(&["go_*", "promhttp_*", "python_gc_*"]),
            entity_labels: Patterns::new(&["*"]),
            ignore_labels: Patterns::default(),
            buckets: false,
            max_series: 2000,
            tls: TlsParams::default(),
        }
    }
}

/// Scrapes one target.
pub(crate) struct Prometheus {
    service: Service,
    /// What stands behind the address of the service: nothing, a slash, a query, which may be secret.
    target: String,
    credentials: Credentials,
    mapping: Mapping,
    warned: bool,
}

impl Integration for Prometheus {
    const KIND: &'static str = "prometheus";
    const HELP: &'static str = "What a service tells in the text format of Prometheus or in OpenMetrics: counters, gauges, histograms and summaries";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# Where the metrics are; without a path /metrics is asked.
# url = "http://router.home.arpa:9100/metrics"
# A bearer token, where one is wanted: one that may read metrics and nothing else.
# token = "…"
# Or a user, for basic authentication; as little as it may be allowed.
# username = "metrics"
# Its password.
# password = "…"
# Metrics that are told, by their names; `*` stands for anything.
# include = ["*"]
# Metrics that are not told, even if `include` has them: what libraries tell of themselves.
# exclude = ["go_*", "promhttp_*", "python_gc_*"]
# Labels that say which entity a series is of: each combination of their values is one. Counters that only differ in other
# labels are added up; gauges that do are left out.
# entity_labels = ["*"]
# Labels that do not, even if `entity_labels` has them: what changes all the time, as the id of a session.
# ignore_labels = []
# Also the buckets of histograms; their counts and sums are told anyway.
# buckets = false
# Most series that are told, in the order in which they stand in the answer: up to 10000.
# max_series = 2000
# Whom an https service must be: { ca = "file.pem" }, { fingerprint = "sha256:…" } or { insecure = true }; without it one
# that an authority of this system has signed.
# tls = { insecure = false }
"#;
    const FROM_LABELS: &'static [&'static str] = &[
        "url",
        "include",
        "exclude",
        "entity_labels",
        "ignore_labels",
        "buckets",
        "max_series",
    ];
    type Params = Params;

    fn open(params: Params, context: &Context) -> Result<Self, OpenError> {
        let (base, target) = split(&params.url)?;
        let patterns = [
            ("include", &params.include),
            ("exclude", &params.exclude),
            ("entity_labels", &params.entity_labels),
            ("ignore_labels", &params.ignore_labels),
        ];
        for (key, patterns) in patterns {
            if !patterns.fits() {
                return Err(OpenError::at(
                    key,
                    "at most 256 patterns of 256 bytes are taken",
                ));
            }
        }
        if !(1..=MOST_SERIES).contains(&params.max_series) {
            return Err(OpenError::at(
                "max_series",
                format!(
                    "a number between 1 and {MOST_SERIES} is wanted: the store keeps no more entities of one source"
                ),
            ));
        }
        Ok(Self {
            service: Service::open("the target", &base, &params.tls, LONGEST)?,
            target,
            credentials: Credentials::choose(params.token, params.username, params.password)?,
            mapping: Mapping {
                include: params.include,
                exclude: params.exclude,
                entity_labels: params.entity_labels,
                ignore_labels: params.ignore_labels,
                buckets: params.buckets,
                max_series: params.max_series,
                ..Mapping::new(context.source.as_str())?
            },
            warned: false,
        })
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let answer = self.service.fetch(self.request()).await?;
        let content_type = answer.header("content-type").map(excerpt);
        let Some(format) = Format::of(content_type.as_deref()) else {
            return Err(self.service.bad_answer(format_args!(
                "the answer is of type `{}`, no metrics: check url, perhaps a page of a login came instead",
                content_type.unwrap_or_default()
            )));
        };
        let body = answer.bytes().await.map_err(|e| failed(&e))?;
        let text = String::from_utf8_lossy(&body);
        let scrape = Exposition::read(&text, format);
        if format == Format::OpenMetrics && !scrape.ended {
            return Err(self.service.bad_answer(
                "the answer ends before its line `# EOF`: part of it was lost on the way",
            ));
        }
        if scrape.samples.is_empty() && scrape.garbled > 0 {
            return Err(self.service.bad_answer(format_args!(
                "the answer has no metrics in it, but {} other lines: check url",
                scrape.garbled
            )));
        }
        let told = self.mapping.tell(&scrape, batch);
        if told.left_out > 0 && !std::mem::replace(&mut self.warned, true) {
            warn!(
                source = %self.mapping.target,
                left_out = told.left_out,
                "{} series of `{}` are left out: too many (max_series), names too long, or gauges that entity_labels does not tell apart",
                told.left_out,
                self.mapping.target
            );
        }
        Ok(())
    }
}

impl Prometheus {
    fn request(&self) -> Request {
        let request = self.service.get(&self.target).header("accept", ACCEPT);
        self.credentials.show(request)
    }
}

/// An address as far as it may be told, and what stands behind it.
fn split(url: &str) -> Result<(String, String), OpenError> {
    let (told, query) = match url.trim().split_once('?') {
        Some((told, query)) => (told, format!("?{query}")),
        None => (url.trim(), String::new()),
    };
    // what is no address, `Service::open` says
    let path = told
        .parse::<Url>()
        .map_or(String::new(), |url| url.path().to_owned());
    let between = match path.as_str() {
        "" | "/" => "/metrics",
        path if path.ends_with('/') => "/",
        _ => "",
    };
    if query.contains('#') {
        return Err(OpenError::at(
            "url",
            "the address has a `#` in it: leave it and what follows out",
        ));
    }
    Ok((told.to_owned(), format!("{between}{query}")))
}
