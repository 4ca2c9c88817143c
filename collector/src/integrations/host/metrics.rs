//! What is told about the machine that the collector runs on.

use schemas::{MetricDef, catalog::Unit};

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::gauge(
        "host",
        "cpu_ratio",
        Unit::Ratio,
        "share of all cores in use",
    ),
    MetricDef::gauge(
        "host",
        "cpu_*_ratio",
        Unit::Ratio,
        "share of one core in use",
    ),
    MetricDef::gauge(
        "host",
        "load_1",
        Unit::None,
        "tasks that run or wait, mean over 1 minute",
    ),
    MetricDef::gauge(
        "host",
        "load_5",
        Unit::None,
        "tasks that run or wait, mean over 5 minutes",
    ),
    MetricDef::gauge(
        "host",
        "load_15",
        Unit::None,
        "tasks that run or wait, mean over 15 minutes",
    ),
    MetricDef::integer("host", "memory_total_bytes", Unit::Bytes, "memory there is"),
    MetricDef::integer(
        "host",
        "memory_used_bytes",
        Unit::Bytes,
        "memory that programs could not get without swapping: total less available",
    ),
    MetricDef::integer(
        "host",
        "memory_available_bytes",
        Unit::Bytes,
        "memory that programs can get without swapping, caches included",
    ),
    MetricDef::integer(
        "host",
        "memory_free_bytes",
        Unit::Bytes,
        "memory that nothing uses",
    ),
    MetricDef::gauge(
        "host",
        "memory_used_ratio",
        Unit::Ratio,
        "share of the memory in use",
    ),
    MetricDef::integer("host", "swap_total_bytes", Unit::Bytes, "swap there is"),
    MetricDef::integer("host", "swap_used_bytes", Unit::Bytes, "swap in use"),
    MetricDef::integer(
        "host",
        "uptime_seconds",
        Unit::Seconds,
        "time since the machine started",
    ),
    MetricDef::integer("disk", "size_bytes", Unit::Bytes, "size of the file system"),
    MetricDef::integer(
        "disk",
        "used_bytes",
        Unit::Bytes,
        "bytes in use on the file system",
    ),
    MetricDef::integer(
        "disk",
        "available_bytes",
        Unit::Bytes,
        "bytes that a user can still write",
    ),
    MetricDef::gauge(
        "disk",
        "used_ratio",
        Unit::Ratio,
        "share of the file system in use, as df tells it",
    ),
    MetricDef::counter(
        "disk",
        "read_bytes_total",
        Unit::Bytes,
        "bytes read from the device since the machine started",
    ),
    MetricDef::counter(
        "disk",
        "written_bytes_total",
        Unit::Bytes,
        "bytes written to the device since the machine started",
    ),
    MetricDef::counter("network", "rx_bytes_total", Unit::Bytes, "bytes received"),
    MetricDef::counter("network", "tx_bytes_total", Unit::Bytes, "bytes sent"),
    MetricDef::counter(
        "network",
        "rx_packets_total",
        Unit::Count,
        "packets received",
    ),
    MetricDef::counter("network", "tx_packets_total", Unit::Count, "packets sent"),
    MetricDef::counter(
        "network",
        "rx_errors_total",
        Unit::Count,
        "packets received with an error",
    ),
    MetricDef::counter(
        "network",
        "tx_errors_total",
        Unit::Count,
        "packets that could not be sent",
    ),
    MetricDef::gauge(
        "sensor",
        "temperature_celsius",
        Unit::Celsius,
        "what the sensor reads",
    ),
];
