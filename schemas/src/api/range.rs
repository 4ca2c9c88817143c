use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ApiValue;
use crate::catalog::Unit;

/// How the samples of a window become one value.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Serialize,
    Deserialize,
    ts_rs::TS,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Agg {
    /// Arithmetic mean; of states the last.
    Mean,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Sum.
    Sum,
    /// How many samples.
    Count,
    /// First in time.
    First,
    /// Last in time.
    Last,
    /// Increase of a counter per second; a reset counts from zero.
    Rate,
    /// Increase of a counter; a reset counts from zero.
    Increase,
}

impl Agg {
    /// Every one, in order.
    pub const ALL: [Self; 9] = [
        Self::Mean,
        Self::Min,
        Self::Max,
        Self::Sum,
        Self::Count,
        Self::First,
        Self::Last,
        Self::Rate,
        Self::Increase,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::First => "first",
            Self::Last => "last",
            Self::Rate => "rate",
            Self::Increase => "increase",
        }
    }
}

impl std::str::FromStr for Agg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|agg| agg.as_str() == text).ok_or_else(|| {
            format!(
                "`{}` is no aggregation: mean, min, max, sum, count, first, last, rate or increase",
                crate::name::excerpt(text)
            )
        })
    }
}

/// One series of a range.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct RangeSeries {
    /// Key of the entity; of a group its value.
    pub entity: String,
    /// The field.
    pub field: String,
    /// Unit of the values; a rate is per second.
    pub unit: Unit,
    /// How a window became a value; absent for raw samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub agg: Option<Agg>,
    /// Labels of the entity; of a group what its members share.
    pub labels: BTreeMap<String, String>,
    /// Starts of the windows (of raw samples their times), Unix milliseconds.
    #[ts(type = "Array<number>")]
    pub times: Vec<i64>,
    /// A value for each time; `null` where a window is empty.
    #[ts(type = "Array<number | string | boolean | null>")]
    #[schema(value_type = Vec<Option<serde_json::Value>>)]
    pub values: Vec<Option<ApiValue>>,
}

/// History.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct RangeAnswer {
    /// The log position that the answer reflects: a live tail starts from here.
    pub position: String,
    /// Begin of the range, Unix milliseconds, inclusive.
    #[ts(type = "number")]
    pub from: i64,
    /// End of the range, Unix milliseconds, exclusive.
    #[ts(type = "number")]
    pub to: i64,
    /// Width of the windows: milliseconds, or `1w`, `1mo` of the calendar, or `raw`.
    #[ts(type = "number | string")]
    #[schema(value_type = serde_json::Value)]
    pub step: serde_json::Value,
    /// The tier that was read.
    pub tier: String,
    /// By entity, field, aggregation.
    pub series: Vec<RangeSeries>,
}
