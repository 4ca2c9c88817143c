//! Windows that the server makes.
//!
//! It adds integers up in 64 bits and wraps, so with every sum comes what proves that it did not: count, least and greatest.

use std::{collections::BTreeMap, sync::Arc};

use schemas::{EntityKey, FieldValue, api::Agg, catalog::ValueType, name::EntityType};
use serde_json::value::RawValue;

use super::{
    answer::{Table, ask, integer, value},
    influxql::{self, BY_ENTITY, Span},
    range::{Reading, Wanted},
};
use crate::{QueryError, Series, Step, aggregate::float, embedded::sink::Budget};

/// A function of InfluxQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Function {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
}

impl Function {
    const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::First => "first",
            Self::Last => "last",
        }
    }
}

/// What must be asked for an aggregation.
fn functions(agg: Agg, of: ValueType) -> &'static [Function] {
    use Function::{Count, First, Last, Max, Mean, Min, Sum};
    match (agg, of) {
        (Agg::Count, _) => &[Count],
        (Agg::First, _) => &[First],
        (Agg::Last, _) | (_, ValueType::Bool | ValueType::Text) => &[Last],
        (Agg::Min, _) => &[Min],
        (Agg::Max, _) => &[Max],
        (Agg::Mean, ValueType::Float) => &[Mean],
        (Agg::Sum, ValueType::Float) => &[Sum],
        (Agg::Mean | Agg::Sum, ValueType::Integer) => &[Sum, Count, Min, Max],
        (Agg::Rate | Agg::Increase, _) => &[],
    }
}

/// A field and where its functions are in a row.
struct Asked {
    at: usize,
    of: ValueType,
    columns: BTreeMap<Function, usize>,
}

impl Asked {
    fn whole(&self, row: &[&RawValue], function: Function) -> Option<i64> {
        integer(row, *self.columns.get(&function)?)
    }

    /// The value of one window; an error if only the samples tell it.
    fn value(&self, agg: Agg, row: &[&RawValue]) -> Result<Option<FieldValue>, Overflow> {
        let wrapping = self.of == ValueType::Integer && matches!(agg, Agg::Mean | Agg::Sum);
        if !wrapping {
            let of = if agg == Agg::Count {
                ValueType::Integer
            } else {
                self.of
            };
            let function = functions(agg, self.of).first();
            let column = function.and_then(|function| self.columns.get(function));
            return Ok(column.and_then(|&column| value(row, column, of)));
        }
        let Some(sum) = self.whole(row, Function::Sum) else {
            return Ok(None);
        };
        let bound = || -> Option<i128> {
            let count = i128::from(self.whole(row, Function::Count)?);
            let min = i128::from(self.whole(row, Function::Min)?).abs();
            let max = i128::from(self.whole(row, Function::Max)?).abs();
            Some(count * min.max(max))
        };
        if bound().is_none_or(|bound| bound > i128::from(i64::MAX)) {
            return Err(Overflow);
        }
        if agg == Agg::Sum {
            return Ok(Some(FieldValue::I64(sum)));
        }
        let count = self.whole(row, Function::Count).unwrap_or(1);
        Ok(FieldValue::float(float(sum.into()) / float(count.into())).ok())
    }
}

/// A sum that may have wrapped.
struct Overflow;

/// Reads the windows of some fields of one measurement.
pub(super) async fn read(
    reading: Reading<'_>,
    entity_type: &EntityType,
    fields: &Wanted<'_>,
    budget: &mut Budget,
    series: &mut Vec<Series>,
) -> Result<(), QueryError> {
    let (plan, query) = (reading.plan, reading.query);
    let (Some(windows), Step::Millis(step)) = (&plan.windows, query.step) else {
        return Ok(());
    };
    let mut select = Vec::new();
    let mut asked = Vec::new();
    for (at, (_, field)) in fields.iter().enumerate() {
        let Some(of) = field.only_type() else {
            continue;
        };
        let mut columns = BTreeMap::new();
        for &function in plan.aggs.iter().flat_map(|&agg| functions(agg, of)) {
            columns.entry(function).or_insert_with(|| {
                select.push(format!(
                    "{}({})",
                    function.name(),
                    influxql::identifier(&field.column)
                ));
                select.len()
            });
        }
        asked.push(Asked { at, of, columns });
    }
    if select.is_empty() || windows.len() == 0 {
        return Ok(());
    }
    let span = Span {
        from: plan.from,
        to: plan.to,
    };
    let statement = format!(
        "SELECT {} FROM {}{}{BY_ENTITY}, time({step}ms) fill(none)",
        select.join(", "),
        influxql::identifier(entity_type.as_str()),
        influxql::conditions(&query.selection, entity_type, span),
    );
    let mut outputs: BTreeMap<(EntityKey, usize, Agg), Vec<Option<FieldValue>>> = BTreeMap::new();
    ask(
        reading.server,
        reading.bucket,
        &statement,
        select.len() + 1,
        |_, table: &Table<'_>| {
            let Some(key) = table.entity().filter(|key| query.selection.wants(key)) else {
                return Ok(());
            };
            for row in &table.values {
                let window = integer(row, 0).map(|start| windows.find(start));
                let Some(window) = window else { continue };
                for asked in &asked {
                    for &agg in &plan.aggs {
                        let value = asked.value(agg, row).map_err(|Overflow| wrapped())?;
                        let Some(value) = value else { continue };
                        let output = outputs.entry((key.clone(), asked.at, agg));
                        if matches!(output, std::collections::btree_map::Entry::Vacant(_)) {
                            budget.series()?;
                            budget.values("windows", windows.len())?;
                        }
                        let output = output.or_insert_with(|| vec![None; windows.len()]);
                        if let Some(slot) = output.get_mut(window) {
                            *slot = Some(value);
                        }
                    }
                }
            }
            Ok(())
        },
    )
    .await?;
    for ((key, at, agg), values) in outputs {
        let Some((field, _)) = fields.get(at) else {
            continue;
        };
        series.push(Series {
            key,
            labels: Arc::default(),
            field: (*field).clone(),
            agg: Some(agg),
            times: Arc::clone(windows.starts()),
            values,
        });
    }
    Ok(())
}

fn wrapped() -> QueryError {
    QueryError::Failed {
        path: String::new(),
        cause: "a sum does not fit 64 bits".to_owned(),
    }
}
