use serde::{Deserialize, Serialize};

use crate::catalog::{MetricKind, Unit, ValueType};

/// One metric.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct CatalogMetric {
    /// Type of the entity.
    pub entity_type: String,
    /// Name of the field; a `*` stands for a part that varies.
    pub field: String,
    /// Unit.
    pub unit: Unit,
    /// Behaviour.
    pub kind: MetricKind,
    /// Type of its values.
    pub value: ValueType,
    /// What it means; empty for a metric that was pushed.
    pub help: String,
}

/// Every metric that is known.
#[derive(Clone, Debug, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct CatalogAnswer {
    /// By entity type and field.
    pub metrics: Vec<CatalogMetric>,
}
