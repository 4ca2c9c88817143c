//! What is told about a QNAP NAS.

use schemas::{MetricDef, catalog::Unit};

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::gauge(
        "qnap",
        "cpu_ratio",
        Unit::Ratio,
        "share of all cores in use",
    ),
    MetricDef::integer("qnap", "memory_total_bytes", Unit::Bytes, "memory there is"),
    MetricDef::integer(
        "qnap",
        "memory_used_bytes",
        Unit::Bytes,
        "memory in use, the cache of files included",
    ),
    MetricDef::gauge(
        "qnap",
        "memory_used_ratio",
        Unit::Ratio,
        "share of the memory in use, the cache of files included",
    ),
    MetricDef::gauge(
        "qnap",
        "cpu_temperature_celsius",
        Unit::Celsius,
        "temperature of the processor",
    ),
    MetricDef::gauge(
        "qnap",
        "system_temperature_celsius",
        Unit::Celsius,
        "temperature in the case",
    ),
    MetricDef::integer(
        "qnap",
        "uptime_seconds",
        Unit::Seconds,
        "time since it started",
    ),
    MetricDef::state(
        "qnap",
        "health",
        "what it says of itself: good, warning or error",
    ),
    MetricDef::state("qnap", "old_health", "its health before it changed"),
    MetricDef::state(
        "qnap",
        "new_version",
        "newer firmware that it has found, or none",
    ),
    MetricDef::integer("qnap_fan", "speed_rpm", Unit::Rpm, "how fast it turns"),
    MetricDef::state("qnap_fan", "status", "ok, alarm, or another code"),
    MetricDef::state("qnap_fan", "old_status", "its status before it changed"),
    MetricDef::flag(
        "qnap_interface",
        "link_up",
        "whether a cable with somebody at its other end is in it",
    ),
    MetricDef::gauge(
        "qnap_interface",
        "rx_bytes_per_second",
        Unit::None,
        "bytes received in each second, mean over the last 5 s",
    ),
    MetricDef::gauge(
        "qnap_interface",
        "tx_bytes_per_second",
        Unit::None,
        "bytes sent in each second, mean over the last 5 s",
    ),
    MetricDef::counter(
        "qnap_interface",
        "rx_packets_total",
        Unit::Count,
        "packets received since it started",
    ),
    MetricDef::counter(
        "qnap_interface",
        "tx_packets_total",
        Unit::Count,
        "packets sent since it started",
    ),
    MetricDef::counter(
        "qnap_interface",
        "errors_total",
        Unit::Count,
        "packets with errors since it started",
    ),
    MetricDef::state(
        "qnap_volume",
        "status",
        "ready, degraded, unmounted, another code, or vanished when it is not listed any more",
    ),
    MetricDef::state("qnap_volume", "old_status", "its status before it changed"),
    MetricDef::integer("qnap_volume", "size_bytes", Unit::Bytes, "its size"),
    MetricDef::integer("qnap_volume", "used_bytes", Unit::Bytes, "bytes in use"),
    MetricDef::gauge(
        "qnap_volume",
        "used_ratio",
        Unit::Ratio,
        "share of it in use",
    ),
    MetricDef::integer(
        "qnap_share",
        "used_bytes",
        Unit::Bytes,
        "bytes in this shared folder",
    ),
    MetricDef::gauge(
        "qnap_disk",
        "temperature_celsius",
        Unit::Celsius,
        "its temperature, while it does not sleep",
    ),
    MetricDef::state(
        "qnap_disk",
        "health",
        "what the NAS makes of SMART: ok, abnormal …",
    ),
    MetricDef::state("qnap_disk", "old_health", "its health before it changed"),
    MetricDef::state(
        "qnap_disk",
        "status",
        "ready, read or write error, another code, or vanished when it is not listed any more",
    ),
    MetricDef::state("qnap_disk", "old_status", "its status before it changed"),
];
