use std::time::Duration;

use secrecy::SecretString;

use super::Metrics;

/// Where an InfluxDB is and how it is written. Make one with [`Options::new`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Its address, such as `http://influxdb:8086`; a path before `/api` is kept.
    pub url: String,
    /// The organisation, by name.
    pub org: String,
    /// The bucket of raw points. A second one with `_state` behind its name keeps the position in the log and what must outlive
    /// retention.
    pub bucket: String,
    /// A token that may read and write both buckets, and make them if they are missing.
    pub token: SecretString,
    /// How long raw points are kept; none for ever. A bucket that is made keeps a day more, so that the newest values of what
    /// has fallen silent are put aside before they go.
    pub retention: Option<Duration>,
    /// Whether missing buckets are made.
    pub create: bool,
    /// With which requests are made: TLS policy, proxy, connection time-out. It should follow no redirects.
    pub client: reqwest::Client,
    /// Most points in one request.
    pub batch_points: usize,
    /// About how many bytes of line protocol one request has at most.
    pub batch_bytes: usize,
    /// How long points wait for others to go with them.
    pub batch_age: Duration,
    /// Requests that are in flight at a time. Points of one entity always take the same lane, in order.
    pub lanes: usize,
    /// Most points that wait or are in flight; beyond it a write waits.
    pub pending_points: usize,
    /// How hard bodies are compressed: 0 not at all, 1 fast, to 9.
    pub gzip_level: u32,
    /// How long one request may take.
    pub timeout: Duration,
    /// For how long a request that failed is made again before its writers are told.
    pub patience: Duration,
    /// Where the store counts what it does.
    pub metrics: Metrics,
}

impl Options {
    /// The usual ones.
    pub fn new(
        url: impl Into<String>,
        org: impl Into<String>,
        bucket: impl Into<String>,
        token: SecretString,
        client: reqwest::Client,
    ) -> Self {
        Self {
            url: url.into(),
            org: org.into(),
            bucket: bucket.into(),
            token,
            retention: None,
            create: true,
            client,
            batch_points: 5000,
            batch_bytes: 1024 * 1024,
            batch_age: Duration::from_millis(5),
            lanes: 2,
            pending_points: 20_000,
            gzip_level: 1,
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(10),
            metrics: Metrics::default(),
        }
    }

    /// The bucket for what must outlive retention.
    pub fn state_bucket(&self) -> String {
        format!("{}_state", self.bucket)
    }

    /// With every bound where it can work.
    pub(super) fn sane(self) -> Self {
        let batch_points = self.batch_points.clamp(1, 100_000);
        Self {
            batch_points,
            batch_bytes: self.batch_bytes.clamp(1024, 16 * 1024 * 1024),
            lanes: self.lanes.clamp(1, 64),
            pending_points: self.pending_points.clamp(1, 10_000_000),
            gzip_level: self.gzip_level.min(9),
            ..self
        }
    }
}
