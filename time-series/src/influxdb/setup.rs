//! Whether the server, the organisation, the token and the buckets are what they should be; buckets that are missing are made.

use std::time::Duration;

use influxdb2::models::{PostBucketRequest, RetentionRule, retention_rule::Type};
use serde::Deserialize;
use tracing::{info, warn};

use super::{OpenError, Options, error::Problem, server::Server};

/// The shortest retention that InfluxDB takes.
const MIN_RETENTION: Duration = Duration::from_hours(1);
/// What a bucket keeps beyond the retention of raw points.
const MARGIN: Duration = Duration::from_hours(24);

#[derive(Debug, Deserialize)]
struct Health {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

#[derive(Debug, Deserialize)]
struct Buckets {
    #[serde(default)]
    buckets: Vec<Bucket>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bucket {
    #[serde(default)]
    name: String,
    #[serde(default)]
    retention_rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    every_seconds: u64,
}

#[derive(Debug, Deserialize)]
struct Organisations {
    #[serde(default)]
    orgs: Vec<Organisation>,
}

#[derive(Debug, Deserialize)]
struct Organisation {
    id: String,
    name: String,
}

impl Bucket {
    /// Seconds; 0 is for ever.
    fn keeps(&self) -> u64 {
        self.retention_rules
            .first()
            .map_or(0, |rule| rule.every_seconds)
    }
}

/// What was found.
#[derive(Debug)]
pub(super) struct Prepared {
    /// How many seconds the bucket of raw points keeps them; 0 is for ever.
    pub(super) keeps: u64,
    /// Whether the server can delete what one source wrote.
    pub(super) deletes: bool,
}

/// Checks everything and makes what is missing.
pub(super) async fn prepare(options: &Options, server: &Server) -> Result<Prepared, OpenError> {
    let deletes = deletes(&is_influxdb(server).await?);
    let raw = options.retention.map_or(0, |keep| {
        keep.saturating_add(MARGIN).max(MIN_RETENTION).as_secs()
    });
    let keeps = ensure(options, server, &options.bucket, raw).await?;
    let state = options.state_bucket();
    let state_keeps = ensure(options, server, &state, 0).await?;
    if state_keeps != 0 {
        warn!(
            bucket = state,
            retention_seconds = state_keeps,
            "the bucket `{state}` must keep what it has for ever: `influx bucket update --name {state} --retention 0`"
        );
    }
    if keeps != raw {
        let bucket = &options.bucket;
        warn!(
            bucket,
            retention_seconds = keeps,
            wanted_seconds = raw,
            "the bucket `{bucket}` keeps points for {keeps} s instead of {raw} s, and is left as it is: change it with `influx bucket update`, or `[retention] raw`"
        );
    }
    Ok(Prepared { keeps, deletes })
}

/// Version 3 has no call for it.
fn deletes(version: &str) -> bool {
    !version.starts_with("3.")
}

/// Refuses what is no InfluxDB 2 or later. Returns its version.
async fn is_influxdb(server: &Server) -> Result<String, OpenError> {
    let refused = |cause: String| OpenError::NotInfluxdb {
        server: server.name().to_owned(),
        cause,
    };
    let body = match server.get("/health", &[], "").await {
        Ok(body) => body,
        Err(Problem::Transient { cause, .. }) => {
            return Err(OpenError::Unavailable {
                server: server.name().to_owned(),
                cause,
            });
        }
        Err(_) => {
            return Err(refused(
                "it has no page `/health`; correct `[store] url`".to_owned(),
            ));
        }
    };
    let health: Health = serde_json::from_slice(&body).map_err(|_| {
        refused("its page `/health` is none of an InfluxDB; correct `[store] url`".to_owned())
    })?;
    if health.name != "influxdb" {
        return Err(refused(format!(
            "it calls itself `{}`; correct `[store] url`",
            schemas::name::excerpt(&health.name)
        )));
    }
    let version = health.version.trim_start_matches('v');
    if version.starts_with("0.") || version.starts_with("1.") {
        return Err(refused(format!(
            "it is version {}; use InfluxDB 2.x",
            schemas::name::excerpt(version)
        )));
    }
    Ok(version.to_owned())
}

async fn find(server: &Server, bucket: &str) -> Result<Option<Bucket>, Problem> {
    let query = [("org", &*server.org), ("name", bucket)];
    let found = match server.get("/api/v2/buckets", &query, bucket).await {
        Ok(body) => serde_json::from_slice::<Buckets>(&body)
            .map_err(|e| Problem::transient(format!("its list of buckets cannot be read: {e}")))?,
        Err(Problem::Misconfigured(cause)) if cause.starts_with("there is no bucket") => {
            return Ok(None);
        }
        Err(problem) => return Err(problem),
    };
    Ok(found.buckets.into_iter().find(|b| b.name == bucket))
}

/// Returns what the bucket keeps, in seconds.
async fn ensure(
    options: &Options,
    server: &Server,
    bucket: &str,
    keep_seconds: u64,
) -> Result<u64, OpenError> {
    let told = |problem: Problem| problem.to_open(server.name());
    if let Some(found) = find(server, bucket).await.map_err(told)? {
        return Ok(found.keeps());
    }
    let org = &server.org;
    let missing = |cause: &str| OpenError::Misconfigured {
        server: server.name().to_owned(),
        cause: format!(
            "there is no bucket `{bucket}` in organisation `{org}`{cause}: make it with `influx bucket create --org {org} --name {bucket} --retention {keep_seconds}s`, or give `[store] token` one that may see and make buckets"
        ),
    };
    if !options.create {
        return Err(missing(""));
    }
    let made = create(server, bucket, keep_seconds).await;
    // another worker may have made it in the meantime
    match (find(server, bucket).await.map_err(told)?, made) {
        (Some(found), _) => {
            info!(bucket, "made the bucket `{bucket}`");
            Ok(found.keeps())
        }
        (None, Ok(())) => Err(missing("")),
        (None, Err(cause)) => Err(missing(&format!(" and it cannot be made ({cause})"))),
    }
}

/// Makes a bucket, by the same client as all else: under its TLS policy, past no proxy, and after no redirect.
async fn create(server: &Server, bucket: &str, keep_seconds: u64) -> Result<(), String> {
    let told = |problem: Problem| problem.cause().to_owned();
    let query = [("org", &*server.org)];
    let found = server.get("/api/v2/orgs", &query, bucket);
    let found: Organisations = serde_json::from_slice(&found.await.map_err(told)?)
        .map_err(|e| format!("its list of organisations cannot be read: {e}"))?;
    let id = found
        .orgs
        .into_iter()
        .find(|found| found.name == server.org)
        .map(|found| found.id)
        .ok_or("the token may not see the organisation")?;
    let mut request = PostBucketRequest::new(id, bucket.to_owned());
    if keep_seconds > 0 {
        let seconds = i32::try_from(keep_seconds).unwrap_or(i32::MAX);
        request.retention_rules = vec![RetentionRule::new(Type::Expire, seconds)];
    }
    let made = server.post("/api/v2/buckets", &request, bucket);
    made.await.map_err(told)
}
