//! History: where the server computes windows exactly as the port says it does so; else every sample is read and the windows
//! are made here.

use schemas::{EntityKey, FieldName, name::EntityType};

use super::{
    answer::{Table, ask, integer, value},
    catalogue::{Catalogue, Columns, Field, cast},
    influxql::{self, BY_ENTITY, Span},
    server::Server,
    windows,
};
use crate::{
    QueryError, RangeQuery, Series, Step,
    embedded::sink::{Budget, Plan, Sink},
};

/// Fields of one measurement that are asked for.
pub(super) type Wanted<'a> = Vec<(&'a FieldName, &'a Field)>;

/// Where and what is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) server: &'a Server,
    pub(super) bucket: &'a str,
    pub(super) query: &'a RangeQuery,
    pub(super) plan: &'a Plan,
}

/// Reads all series, without labels yet, in order.
pub(super) async fn read(
    reading: Reading<'_>,
    catalogue: &Catalogue,
) -> Result<Vec<Series>, QueryError> {
    let mut budget = Budget::new(reading.query);
    let mut series = Vec::new();
    for (entity_type, columns) in catalogue {
        let (there, here) = split(reading, columns);
        let begin = series.len();
        let before = budget;
        if !there.is_empty() {
            match windows::read(reading, entity_type, &there, &mut budget, &mut series).await {
                Ok(()) => {}
                Err(error @ QueryError::TooLarge { .. }) => return Err(error),
                // a sum beyond its type has no form in the server's answer
                Err(_) => {
                    series.truncate(begin);
                    budget = before;
                    samples(reading, entity_type, &there, &mut budget, &mut series).await?;
                }
            }
        }
        if !here.is_empty() {
            samples(reading, entity_type, &here, &mut budget, &mut series).await?;
        }
    }
    series.sort_by(|a, b| (&a.key, &a.field, a.agg).cmp(&(&b.key, &b.field, b.agg)));
    Ok(series)
}

/// Which fields the server makes windows of, and which are read.
fn split<'a>(reading: Reading<'_>, columns: &'a Columns) -> (Wanted<'a>, Wanted<'a>) {
    let query = reading.query;
    let asked = |field: &FieldName| query.fields.is_empty() || query.fields.contains(field);
    let by_server = matches!(query.step, Step::Millis(1..)) && !reading.plan.counts;
    columns
        .fields
        .iter()
        .filter(|(name, _)| asked(name))
        .partition(|(_, field)| by_server && field.only_type().is_some())
}

/// Reads every sample and makes of them what is asked.
async fn samples(
    reading: Reading<'_>,
    entity_type: &EntityType,
    fields: &Wanted<'_>,
    budget: &mut Budget,
    series: &mut Vec<Series>,
) -> Result<(), QueryError> {
    let plan = reading.plan;
    let mut columns = Vec::new();
    let mut cells = Vec::new();
    for (at, (_, field)) in fields.iter().enumerate() {
        let types = field.read_as();
        let column = influxql::identifier(&field.column);
        for &of in &types {
            columns.push(if field.types.len() == 1 {
                column.clone()
            } else {
                format!("{column}::{}", cast(of))
            });
            cells.push((at, of));
        }
    }
    let span = Span {
        from: plan.scan_from,
        to: plan.to,
    };
    let statement = format!(
        "SELECT {} FROM {}{}{BY_ENTITY}",
        columns.join(", "),
        influxql::identifier(entity_type.as_str()),
        influxql::conditions(&reading.query.selection, entity_type, span),
    );
    let mut current: Option<(EntityKey, Vec<Sink>)> = None;
    let sinks = || -> Vec<Sink> {
        fields
            .iter()
            .map(|(name, _)| Sink::new((*name).clone(), plan))
            .collect()
    };
    ask(
        reading.server,
        reading.bucket,
        &statement,
        columns.len() + 1,
        |_, table: &Table<'_>| {
            let Some(key) = table
                .entity()
                .filter(|key| reading.query.selection.wants(key))
            else {
                return Ok(());
            };
            if current.as_ref().is_none_or(|(known, _)| *known != key)
                && let Some((key, sinks)) = current.replace((key, sinks()))
            {
                finish(&key, sinks, plan, budget, series)?;
            }
            let Some((_, sinks)) = &mut current else {
                return Ok(());
            };
            for row in &table.values {
                let Some(time) = integer(row, 0) else {
                    continue;
                };
                for (column, &(field, of)) in cells.iter().enumerate() {
                    let Some(value) = value(row, column + 1, of) else {
                        continue;
                    };
                    if let Some(sink) = sinks.get_mut(field) {
                        sink.add_one(time, value, plan, budget)?;
                    }
                }
            }
            Ok(())
        },
    )
    .await?;
    match current {
        Some((key, sinks)) => finish(&key, sinks, plan, budget, series),
        None => Ok(()),
    }
}

fn finish(
    key: &EntityKey,
    sinks: Vec<Sink>,
    plan: &Plan,
    budget: &mut Budget,
    series: &mut Vec<Series>,
) -> Result<(), QueryError> {
    for sink in sinks {
        for finished in sink.finish(plan, budget)? {
            series.push(Series {
                key: key.clone(),
                labels: std::sync::Arc::default(),
                field: finished.field,
                agg: finished.agg,
                times: finished.times,
                values: finished.values,
            });
        }
    }
    Ok(())
}
