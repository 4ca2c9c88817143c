//! What is told about disks.

use schemas::{MetricDef, catalog::Unit};

const DISK: &str = "smart_disk";

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::state(
        DISK,
        "health",
        "what the disk says of itself: passed or failed",
    ),
    MetricDef::state(DISK, "old_health", "its health before it changed"),
    MetricDef::state(
        DISK,
        "power_mode",
        "active, or standby: then it was not asked for more; not of NVMe",
    ),
    MetricDef::gauge(
        DISK,
        "temperature_celsius",
        Unit::Celsius,
        "its temperature",
    ),
    MetricDef::integer(DISK, "size_bytes", Unit::Bytes, "its size"),
    MetricDef::counter(
        DISK,
        "power_on_seconds_total",
        Unit::Seconds,
        "time under power in its life; disks count whole hours",
    ),
    MetricDef::counter(
        DISK,
        "power_cycles_total",
        Unit::Count,
        "times it was switched on",
    ),
    MetricDef::gauge(
        DISK,
        "life_left_ratio",
        Unit::Ratio,
        "share of the writing that its maker promises which is left",
    ),
    MetricDef::gauge(
        DISK,
        "spare_left_ratio",
        Unit::Ratio,
        "share of its spare blocks that is left",
    ),
    MetricDef::counter(
        DISK,
        "logged_errors_total",
        Unit::Count,
        "errors in its log, requests that it did not understand included",
    ),
    MetricDef::integer(
        DISK,
        "critical_warning",
        Unit::None,
        "what NVMe warns of, a mask of bits: 1 spare, 2 temperature, 4 reliability, 8 read-only, 16 backup power",
    ),
    MetricDef::counter(
        DISK,
        "media_errors_total",
        Unit::Count,
        "times NVMe could not recover data",
    ),
    MetricDef::counter(
        DISK,
        "unsafe_shutdowns_total",
        Unit::Count,
        "times NVMe lost power without warning",
    ),
    MetricDef::counter(
        DISK,
        "read_bytes_total",
        Unit::Bytes,
        "bytes read in its life, of NVMe",
    ),
    MetricDef::counter(
        DISK,
        "written_bytes_total",
        Unit::Bytes,
        "bytes written in its life, of NVMe",
    ),
    MetricDef::flag(
        DISK,
        "attribute_failing",
        "whether an attribute of ATA that announces a failure is below its threshold",
    ),
    MetricDef::flag(
        DISK,
        "attribute_failed_before",
        "whether an attribute of ATA was below its threshold in the past",
    ),
    MetricDef::integer(
        DISK,
        "reallocated_sectors_count",
        Unit::Count,
        "sectors that were replaced by spare ones",
    ),
    MetricDef::integer(
        DISK,
        "pending_sectors_count",
        Unit::Count,
        "sectors that could not be read and wait to be written",
    ),
    MetricDef::integer(
        DISK,
        "uncorrectable_sectors_count",
        Unit::Count,
        "sectors that a scan of its own could not read",
    ),
    MetricDef::counter(
        DISK,
        "reported_errors_total",
        Unit::Count,
        "errors that it could not correct and told to the machine",
    ),
    MetricDef::counter(
        DISK,
        "crc_errors_total",
        Unit::Count,
        "errors on the way between the disk and the machine: often the cable",
    ),
    MetricDef::integer(
        DISK,
        "grown_defects_count",
        Unit::Count,
        "defects that came after it was made, of SCSI",
    ),
    MetricDef::counter(
        DISK,
        "uncorrected_errors_total",
        Unit::Count,
        "errors that it could not correct, of SCSI",
    ),
    MetricDef::state(
        DISK,
        "self_test",
        "how its newest self-test ended, in its own words",
    ),
    MetricDef::flag(
        DISK,
        "self_test_passed",
        "whether its newest self-test passed; not of one that was ended early",
    ),
];
