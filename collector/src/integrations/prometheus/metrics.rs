//! What is told of a scraped target. Which metrics it has is its own choice; how they are called says what they are.

use schemas::{
    MetricDef,
    catalog::{MetricKind, Unit, ValueType},
};

const fn series(
    field: &'static str,
    unit: Unit,
    kind: MetricKind,
    help: &'static str,
) -> MetricDef {
    MetricDef {
        entity_type: "prometheus",
        field,
        unit,
        kind,
        value: ValueType::Float,
        help,
    }
}

/// Patterns with more behind the star come before what they end in.
pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::integer(
        "prometheus_target",
        "series_count",
        Unit::Count,
        "series of the newest scrape that are told",
    ),
    MetricDef::integer(
        "prometheus_target",
        "series_left_out_count",
        Unit::Count,
        "series that were wanted, but are beyond a bound or cannot be told apart by their labels",
    ),
    MetricDef::integer(
        "prometheus_target",
        "garbled_lines_count",
        Unit::Count,
        "lines of the newest scrape that could not be read",
    ),
    series(
        "*_bytes_total",
        Unit::Bytes,
        MetricKind::Counter,
        "a counter of bytes of the target",
    ),
    series(
        "*_seconds_total",
        Unit::Seconds,
        MetricKind::Counter,
        "a counter of seconds of the target",
    ),
    series(
        "*_watt_hours_total",
        Unit::WattHours,
        MetricKind::Counter,
        "a counter of watt hours of the target",
    ),
    series(
        "*_total",
        Unit::Count,
        MetricKind::Counter,
        "a counter of the target; of a histogram or summary the observations (_count, _bucket) or their sum (_sum)",
    ),
    series(
        "*_bytes",
        Unit::Bytes,
        MetricKind::Gauge,
        "a gauge of the target in bytes",
    ),
    series(
        "*_ratio",
        Unit::Ratio,
        MetricKind::Gauge,
        "a gauge of the target, 1 is one whole",
    ),
    series(
        "*_celsius",
        Unit::Celsius,
        MetricKind::Gauge,
        "a temperature of the target",
    ),
    series(
        "*_seconds",
        Unit::Seconds,
        MetricKind::Gauge,
        "a gauge of the target in seconds, or a point in Unix time",
    ),
    series(
        "*_hertz",
        Unit::Hertz,
        MetricKind::Gauge,
        "a frequency of the target",
    ),
    series(
        "*_volts",
        Unit::Volts,
        MetricKind::Gauge,
        "a voltage of the target",
    ),
    series(
        "*_amperes",
        Unit::Amperes,
        MetricKind::Gauge,
        "a current of the target",
    ),
    series(
        "*_watts",
        Unit::Watts,
        MetricKind::Gauge,
        "a power of the target",
    ),
    series(
        "*_watt_hours",
        Unit::WattHours,
        MetricKind::Gauge,
        "an energy of the target",
    ),
    series(
        "*_rpm",
        Unit::Rpm,
        MetricKind::Gauge,
        "a speed of rotation of the target",
    ),
    series(
        "*_count",
        Unit::Count,
        MetricKind::Gauge,
        "a number of things of the target",
    ),
    series(
        "*",
        Unit::None,
        MetricKind::Gauge,
        "any other value of the target",
    ),
];
