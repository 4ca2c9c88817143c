//! Series of many entities merged into one per value of a label.

use std::collections::BTreeMap;

use schemas::{
    FieldName, FieldValue,
    api::{Agg, ApiValue, RangeSeries},
    catalog::Unit,
    name::excerpt,
};
use time_series::Series;

use crate::{ApiError, convert};

/// What entities are grouped by.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum GroupBy {
    /// Their source.
    Source,
    /// Their type.
    Type,
    /// The value of a label; entities without it are in the group of the empty value.
    Label(FieldName),
}

impl GroupBy {
    /// Reads `source`, `type` or the name of a label.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        match text {
            "source" => Ok(Self::Source),
            "type" => Ok(Self::Type),
            label => FieldName::new(label).map(Self::Label).map_err(|_| {
                ApiError::bad_request(
                    "invalid_group",
                    format!(
                        "`group`: `{}` is neither `source`, `type` nor the name of a label",
                        excerpt(label)
                    ),
                )
            }),
        }
    }

    fn value(&self, series: &Series) -> String {
        match self {
            Self::Source => series.key.source.to_string(),
            Self::Type => series.key.entity_type.to_string(),
            Self::Label(name) => series
                .labels
                .get(name.as_str())
                .map(ToString::to_string)
                .unwrap_or_default(),
        }
    }
}

/// Whether windows of many entities can be merged under an aggregation.
///
/// # Errors
/// `first` and `last` of many entities say nothing.
pub(crate) fn check_groupable(aggs: &[Agg]) -> Result<(), ApiError> {
    match aggs
        .iter()
        .find(|agg| matches!(agg, Agg::First | Agg::Last))
    {
        None => Ok(()),
        Some(agg) => Err(ApiError::bad_request(
            "invalid_group",
            format!(
                "`group` does not go with `agg={}`: use mean, min, max, sum, count, rate or increase",
                agg.as_str()
            ),
        )),
    }
}

struct Group {
    unit: Unit,
    labels: BTreeMap<String, String>,
    windows: BTreeMap<i64, Option<Merged>>,
}

#[derive(Clone, Copy)]
struct Merged {
    value: f64,
    /// The value as a whole number, as long as every part of it is one.
    whole: Option<i64>,
    parts: u32,
}

/// Merges series window by window: the mean of the members' means (each member counts once), the smallest minimum, the
/// largest maximum, the sum of sums, counts, rates and increases. Texts and flags are left out. An empty window of one
/// member does not count; a window that is empty in all stays empty.
pub(crate) fn merge(
    series: Vec<Series>,
    by: &GroupBy,
    unit_of: impl Fn(&Series) -> Unit,
) -> Vec<RangeSeries> {
    let mut groups: BTreeMap<(String, FieldName, Option<Agg>), Group> = BTreeMap::new();
    for one in series {
        if one
            .values
            .iter()
            .flatten()
            .any(|value| value.as_f64().is_none())
        {
            continue;
        }
        let key = (by.value(&one), one.field.clone(), one.agg);
        let labels = convert::labels(&one.labels);
        let group = groups.entry(key).or_insert_with(|| Group {
            unit: unit_of(&one),
            labels: labels.clone(),
            windows: BTreeMap::new(),
        });
        group
            .labels
            .retain(|name, value| labels.get(name) == Some(value));
        for (&time, value) in one.times.iter().zip(&one.values) {
            let window = group.windows.entry(time).or_default();
            if let Some(value) = value {
                *window = add(*window, value, one.agg.unwrap_or(Agg::Mean));
            }
        }
    }
    groups
        .into_iter()
        .map(|((entity, field, agg), group)| {
            let (times, values) = group
                .windows
                .into_iter()
                .map(|(time, merged)| (time, merged.and_then(|m| finish(m, agg))))
                .unzip();
            RangeSeries {
                entity,
                field: field.to_string(),
                unit: group.unit,
                agg,
                labels: group.labels,
                times,
                values,
            }
        })
        .collect()
}

fn add(window: Option<Merged>, value: &FieldValue, agg: Agg) -> Option<Merged> {
    let number = value.as_f64()?;
    let whole = match value {
        FieldValue::I64(v) => Some(*v),
        _ => None,
    };
    let Some(before) = window else {
        return Some(Merged {
            value: number,
            whole,
            parts: 1,
        });
    };
    let both = before.whole.zip(whole);
    let (value, whole) = match agg {
        Agg::Min => (before.value.min(number), both.map(|(a, b)| a.min(b))),
        Agg::Max => (before.value.max(number), both.map(|(a, b)| a.max(b))),
        _ => (
            before.value + number,
            both.and_then(|(a, b)| a.checked_add(b)),
        ),
    };
    Some(Merged {
        value,
        whole,
        parts: before.parts.saturating_add(1),
    })
}

fn finish(merged: Merged, agg: Option<Agg>) -> Option<ApiValue> {
    let value = match (agg, merged.whole) {
        (Some(Agg::Mean), _) => FieldValue::float(merged.value / f64::from(merged.parts)).ok()?,
        (_, Some(whole)) => FieldValue::I64(whole),
        (_, None) => FieldValue::float(merged.value).ok()?,
    };
    Some(ApiValue(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn series(key: &str, host: &str, agg: Agg, values: &[Option<FieldValue>]) -> Series {
        let mut labels = schemas::Labels::new();
        labels.insert("host".into(), Arc::from(host));
        labels.insert("name".into(), Arc::from(key));
        Series {
            key: key.parse().unwrap(),
            labels: Arc::new(labels),
            field: "used_bytes".into(),
            agg: Some(agg),
            times: (0..).step_by(1000).take(values.len()).collect(),
            values: values.to_vec(),
        }
    }

    #[test]
    fn windows_of_a_group_are_merged_by_their_aggregation() {
        let (one, two) = (Some(FieldValue::I64(1)), Some(FieldValue::I64(4)));
        for (agg, expected) in [
            (Agg::Mean, FieldValue::F64(2.5)),
            (Agg::Min, FieldValue::I64(1)),
            (Agg::Max, FieldValue::I64(4)),
            (Agg::Sum, FieldValue::I64(5)),
            (Agg::Count, FieldValue::I64(5)),
        ] {
            let merged = merge(
                vec![
                    series("a/disk/x", "nas", agg, &[one.clone(), one.clone(), None]),
                    series("b/disk/y", "nas", agg, &[two.clone(), None, None]),
                    series("b/disk/z", "other", agg, &[two.clone(), None, None]),
                ],
                &GroupBy::parse("host").unwrap(),
                |_| Unit::Bytes,
            );
            assert_eq!(merged.len(), 2);
            assert_eq!(merged[0].entity, "nas");
            assert_eq!(
                merged[0].labels.keys().collect::<Vec<_>>(),
                ["host"],
                "only what all share"
            );
            assert_eq!(
                merged[0].values,
                [
                    Some(ApiValue(expected)),
                    Some(if agg == Agg::Mean {
                        ApiValue(FieldValue::F64(1.0))
                    } else {
                        ApiValue(FieldValue::I64(1))
                    }),
                    None
                ]
            );
        }
    }

    #[test]
    fn a_sum_that_no_whole_number_holds_becomes_a_float() {
        let most = Some(FieldValue::I64(i64::MAX));
        let merged = merge(
            vec![
                series("a/disk/x", "nas", Agg::Sum, std::slice::from_ref(&most)),
                series("b/disk/y", "nas", Agg::Sum, std::slice::from_ref(&most)),
            ],
            &GroupBy::Type,
            |_| Unit::Bytes,
        );
        assert_eq!(
            merged[0].values,
            [Some(ApiValue(FieldValue::F64(
                18_446_744_073_709_551_616.0
            )))]
        );
    }
}
