//! What is old goes, but not the newest value of a field: that is put aside into the bucket that keeps for ever.

use std::collections::BTreeMap;

use schemas::{EntityKey, FieldName, FieldValue, Timestamp, line_protocol::Encoder};

use super::{
    answer::{ask, integer},
    catalogue::Catalogue,
    influxql::{self, BY_ENTITY, Span},
    past::{All, Known},
    schema::{self, ORIGIN, Origin, Scratch},
    server::Server,
};
use crate::{QueryError, Selection};

/// How much there is of what, by counting.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Amount {
    pub(super) entities: u64,
    pub(super) points: u64,
    pub(super) samples: u64,
}

/// Counts what a bucket holds of a selection in some span; samples only if asked for.
pub(super) async fn count(
    server: &Server,
    bucket: &str,
    catalogue: &Catalogue,
    selection: &Selection,
    span: Span,
    with_samples: bool,
) -> Result<Amount, QueryError> {
    let mut amount = Amount::default();
    for (entity_type, columns) in catalogue {
        if !columns.origin {
            continue;
        }
        let mut select = format!("count({})", influxql::identifier(ORIGIN));
        if with_samples {
            for field in columns.fields.values() {
                select.push_str(", count(");
                select.push_str(&influxql::identifier(&field.column));
                select.push(')');
            }
        }
        let statement = format!(
            "SELECT {select} FROM {}{}{BY_ENTITY}",
            influxql::identifier(entity_type.as_str()),
            influxql::conditions(selection, entity_type, span),
        );
        let columns = columns.fields.len() + 2;
        ask(server, bucket, &statement, columns, |_, table| {
            for row in &table.values {
                let count = |at| integer(row, at).and_then(|n| u64::try_from(n).ok());
                let points = count(1).unwrap_or_default();
                amount.entities += u64::from(points > 0);
                amount.points += points;
                amount.samples += (2..row.len()).filter_map(count).sum::<u64>();
            }
            Ok(())
        })
        .await?;
    }
    Ok(amount)
}

/// The lines that put aside what is newest and older than an instant.
pub(super) fn keep(all: &All, before: Timestamp) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut lines = Encoder::new();
    for (key, known) in all {
        keep_one(&mut lines, key, known, before);
        if lines.bytes().len() > 1024 * 1024 {
            bodies.push(std::mem::take(&mut lines).into_buffer());
        }
    }
    if lines.lines() > 0 {
        bodies.push(lines.into_buffer());
    }
    bodies
}

fn keep_one(lines: &mut Encoder, key: &EntityKey, known: &Known, before: Timestamp) {
    let mut times: BTreeMap<Timestamp, Vec<(&FieldName, &FieldValue)>> = BTreeMap::new();
    for (name, latest) in &known.fields {
        if latest.time < before {
            let fields = times.entry(latest.time).or_default();
            fields.push((name, &latest.value));
        }
    }
    let origin = known
        .origin
        .as_ref()
        .map(|(time, origin)| (Timestamp::from_millis(*time), origin))
        .filter(|(time, _)| *time < before);
    if let Some((time, _)) = origin {
        times.entry(time).or_default();
    }
    let mut scratch = Scratch::default();
    for (time, fields) in times {
        let origin: Option<&Origin> = origin.filter(|(at, _)| *at == time).map(|(_, o)| o);
        schema::encode_kept(lines, key, time, &fields, origin, &mut scratch);
    }
}
