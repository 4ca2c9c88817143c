use std::sync::Arc;

use axum::{
    extract::{Query, Request, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use schemas::{SourceName, Timestamp, line_protocol::Precision, name::excerpt};

use super::{
    line::{self, Lines, Rules},
    names,
    refused::Face,
};
use crate::{
    ApiError, App,
    auth::Caller,
    intake::{self, Raw},
};

/// What a write asks for.
struct Asked(Vec<(String, String)>);

impl Asked {
    /// Reads the query; parameters that mean nothing here are no error, as with InfluxDB.
    fn of(uri: &Uri) -> Self {
        Self(Query::try_from_uri(uri).map_or_else(|_| Vec::new(), |Query(pairs)| pairs))
    }

    fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value.as_str())
    }
}

/// Takes lines as version 2 of InfluxDB's API does. `bucket` and `org` may be anything.
#[utoipa::path(
    post,
    path = "/influxdb/api/v2/write",
    tag = "influxdb",
    params(
        ("bucket" = String, Query, description = "Anything: Homelog has no buckets"),
        ("org" = String, Query, description = "Anything"),
        ("precision" = Option<String>, Query, description = "What times count: ns (default), us, ms or s"),
    ),
    request_body(description = "Line protocol, at most 10,000 lines and 16 MiB; `Content-Encoding: gzip` is understood. A line without a time is of now", content = String, content_type = "text/plain"),
    responses(
        (status = 204, description = "All of it is durable"),
        (status = 400, description = "A line cannot be read: nothing was taken", body = serde_json::Value),
        (status = 401, description = "No valid token", body = serde_json::Value),
        (status = 403, description = "The role may not push", body = serde_json::Value),
        (status = 413, description = "Too many lines or bytes", body = serde_json::Value),
        (status = 422, description = "A partial write: what is told was not taken, the rest is durable", body = serde_json::Value),
        (status = 503, description = "The log cannot take events now; nothing was acknowledged", body = serde_json::Value),
    )
)]
pub(crate) async fn write_v2(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let asked = Asked::of(request.uri());
    let refuse = |status, message: &str| Ok(Face::V2.refuse(status, message));
    let precision = match asked.get("precision") {
        "" => Precision::Nanoseconds,
        word @ ("ns" | "us" | "ms" | "s") => word.parse().unwrap_or_default(),
        _ => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "invalid precision; valid precision units are ns, us, ms, and s",
            );
        }
    };
    if asked.get("bucket").is_empty() {
        return refuse(StatusCode::NOT_FOUND, "bucket not found");
    }
    if asked.get("org").is_empty() && asked.get("orgID").is_empty() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Please provide either orgID or org",
        );
    }
    let written = write(&app, &caller, request, precision, true).await?;
    if written.dropped > 0 {
        let message = format!("failure writing points to database: {}", written.partial());
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &message);
    }
    if !written.unread.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, &written.unread);
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes lines as version 1 of InfluxDB's API does. `db` and `rp` may be anything.
#[utoipa::path(
    post,
    path = "/influxdb/write",
    tag = "influxdb",
    params(
        ("db" = String, Query, description = "Anything: Homelog has no databases"),
        ("precision" = Option<String>, Query, description = "What times count: n or ns (default), u, ms, s, m or h"),
        ("u" = Option<String>, Query, description = "Anything, where `p` is there"),
        ("p" = Option<String>, Query, description = "A token, where none is in a header"),
    ),
    request_body(description = "Line protocol, at most 10,000 lines and 16 MiB; `Content-Encoding: gzip` is understood. A line without a time is of now", content = String, content_type = "text/plain"),
    responses(
        (status = 204, description = "All of it is durable"),
        (status = 400, description = "No line can be read, or a partial write: what is told was not taken, the rest is durable", body = serde_json::Value),
        (status = 401, description = "No valid token", body = serde_json::Value),
        (status = 403, description = "The role may not push", body = serde_json::Value),
        (status = 413, description = "Too many lines or bytes", body = serde_json::Value),
        (status = 503, description = "The log cannot take events now; nothing was acknowledged", body = serde_json::Value),
    )
)]
pub(crate) async fn write_v1(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let asked = Asked::of(request.uri());
    let refuse = |message: &str| Ok(Face::V1.refuse(StatusCode::BAD_REQUEST, message));
    if asked.get("db").is_empty() {
        return refuse("database is required");
    }
    let word = asked.get("precision");
    let Ok(precision) = word.parse::<Precision>() else {
        return refuse(&format!(
            "invalid precision \"{}\" (use n, u, ms, s, m or h)",
            excerpt(word)
        ));
    };
    let written = write(&app, &caller, request, precision, false).await?;
    if written.dropped > 0 {
        return refuse(&written.partial());
    }
    if written.unread.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if written.read == 0 {
        return refuse(&written.unread);
    }
    refuse(&format!("partial write: {} dropped=0", written.unread))
}

/// What became of a write.
struct Written {
    /// Lines that could be read.
    read: usize,
    /// What is wrong with the others.
    unread: String,
    /// Lines that could be read and were not taken.
    dropped: usize,
    /// Why the first of these was not.
    reason: String,
}

impl Written {
    fn partial(&self) -> String {
        format!("partial write: {} dropped={}", self.reason, self.dropped)
    }
}

async fn write(
    app: &App,
    caller: &Caller,
    request: Request,
    precision: Precision,
    all_or_none: bool,
) -> Result<Written, ApiError> {
    let raw = Raw::receive(request).await?;
    let rules = Rules {
        precision,
        source: source_of(caller)?,
        now: Timestamp::now(),
        all_or_none,
    };
    let catalog = Arc::clone(&app.services.catalog);
    let claimed = app.services.claimed.clone();
    let Lines {
        mut pushed,
        read,
        unread,
    } = raw
        .read(move |body: &[u8]| line::read(body, &rules, &catalog, &claimed.borrow()))
        .await?;
    intake::owned(app, None, &mut pushed).await?;
    let taken = intake::append(app, pushed, false).await?;
    Ok(Written {
        read,
        unread,
        dropped: taken.rejected.len(),
        reason: taken
            .rejected
            .into_iter()
            .next()
            .map(|first| first.message)
            .unwrap_or_default(),
    })
}

/// What is pushed without a source of its own comes from the token, or from the user of a session.
fn source_of(caller: &Caller) -> Result<SourceName, ApiError> {
    caller
        .token_name
        .as_deref()
        .and_then(names::source_of)
        .or_else(|| names::source_of(&caller.username))
        .map_or_else(
            || SourceName::new("push").map_err(|e| ApiError::internal(&e)),
            Ok,
        )
}
