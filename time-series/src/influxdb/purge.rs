//! What one source wrote goes.

use schemas::{SourceName, Timestamp};

use super::{
    catalogue,
    error::Problem,
    influxql::{self, Span},
    schema::{MAX_MS, SOURCE},
    server::Server,
    trim,
};
use crate::{QueryError, Selection};

/// Why a later InfluxDB keeps it.
pub(super) const UNABLE: &str = "this InfluxDB cannot delete what one source wrote (only versions 2.x can): drop its tables there, or wait for the retention of the bucket";

/// How many points of a source a bucket holds.
pub(super) async fn count(
    server: &Server,
    bucket: &str,
    source: &SourceName,
) -> Result<u64, QueryError> {
    let selection = Selection {
        sources: vec![source.clone()],
        ..Selection::default()
    };
    let catalogue = catalogue::read(server, bucket, &selection).await?;
    let amount = trim::count(server, bucket, &catalogue, &selection, Span::ALL, false).await?;
    Ok(amount.points)
}

/// Deletes everything of a source in a bucket. The place of the store in the log has no source, and stays.
pub(super) async fn delete(
    server: &Server,
    bucket: &str,
    source: &SourceName,
) -> Result<(), Problem> {
    let predicate = format!("{SOURCE}={}", influxql::identifier(source.as_str()));
    let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(MAX_MS));
    server.delete(bucket, from, to, &predicate).await
}
