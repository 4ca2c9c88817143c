//! What is told about a Synology NAS. Rates are those that DSM measures over its last few seconds.

use schemas::{MetricDef, catalog::Unit};

const fn bytes(entity_type: &'static str, field: &'static str, help: &'static str) -> MetricDef {
    MetricDef::integer(entity_type, field, Unit::Bytes, help)
}

const fn count(entity_type: &'static str, field: &'static str, help: &'static str) -> MetricDef {
    MetricDef::integer(entity_type, field, Unit::Count, help)
}

const fn rate(entity_type: &'static str, field: &'static str, help: &'static str) -> MetricDef {
    MetricDef::integer(entity_type, field, Unit::None, help)
}

const fn ratio(entity_type: &'static str, field: &'static str, help: &'static str) -> MetricDef {
    MetricDef::gauge(entity_type, field, Unit::Ratio, help)
}

const fn state(entity_type: &'static str, field: &'static str, help: &'static str) -> MetricDef {
    MetricDef::state(entity_type, field, help)
}

pub(super) static METRICS: &[MetricDef] = &[
    ratio(
        "nas",
        "cpu_ratio",
        "share of all cores that programs and the system use",
    ),
    ratio(
        "nas",
        "cpu_user_ratio",
        "share of all cores that programs use",
    ),
    ratio(
        "nas",
        "cpu_system_ratio",
        "share of all cores that the system uses",
    ),
    ratio(
        "nas",
        "cpu_other_ratio",
        "share of all cores that is neither: most of it waits for disks",
    ),
    MetricDef::gauge(
        "nas",
        "load_1",
        Unit::None,
        "tasks that run or wait, mean over 1 minute",
    ),
    MetricDef::gauge(
        "nas",
        "load_5",
        Unit::None,
        "tasks that run or wait, mean over 5 minutes",
    ),
    MetricDef::gauge(
        "nas",
        "load_15",
        Unit::None,
        "tasks that run or wait, mean over 15 minutes",
    ),
    bytes("nas", "memory_installed_bytes", "memory that is installed"),
    bytes(
        "nas",
        "memory_total_bytes",
        "memory there is for programs: the installed one less what is reserved",
    ),
    bytes(
        "nas",
        "memory_used_bytes",
        "memory in use, without buffers and caches",
    ),
    ratio("nas", "memory_used_ratio", "share of the memory in use"),
    bytes("nas", "swap_total_bytes", "swap there is"),
    bytes("nas", "swap_used_bytes", "swap in use"),
    rate(
        "nas",
        "disks_read_bytes_per_second",
        "bytes that all disks together read each second",
    ),
    rate(
        "nas",
        "disks_written_bytes_per_second",
        "bytes that all disks together write each second",
    ),
    ratio(
        "nas",
        "disks_busy_ratio",
        "share of the time in which the disks were busy, mean of all",
    ),
    MetricDef::gauge(
        "nas",
        "temperature_celsius",
        Unit::Celsius,
        "temperature of the system",
    ),
    MetricDef::flag(
        "nas",
        "temperature_warning",
        "whether the NAS itself finds that it is too hot",
    ),
    MetricDef::integer(
        "nas",
        "uptime_seconds",
        Unit::Seconds,
        "time since it started",
    ),
    state(
        "nas",
        "storage_status",
        "its own judgement of its storage: normal, abnormal or danger (DSM 7)",
    ),
    state(
        "nas",
        "old_storage_status",
        "that judgement before it changed",
    ),
    rate(
        "network",
        "rx_bytes_per_second",
        "bytes received each second",
    ),
    rate("network", "tx_bytes_per_second", "bytes sent each second"),
    state(
        "disk",
        "status",
        "its condition: normal, warning, critical, failing, crashed, …, or vanished when it is not listed any more",
    ),
    state("disk", "old_status", "its condition before it changed"),
    state(
        "disk",
        "smart_status",
        "what SMART says: normal or safe, warning, failing, …, testing while a test runs",
    ),
    state(
        "disk",
        "old_smart_status",
        "what SMART said before that changed",
    ),
    MetricDef::gauge(
        "disk",
        "temperature_celsius",
        Unit::Celsius,
        "temperature of the disk",
    ),
    bytes(
        "disk",
        "size_bytes",
        "size of the disk, or of the file system on it",
    ),
    ratio(
        "disk",
        "life_left_ratio",
        "share of its life that an SSD has left, as it says itself",
    ),
    count(
        "disk",
        "uncorrectable_sectors_count",
        "sectors that could not be read",
    ),
    MetricDef::flag(
        "disk",
        "bad_sectors_exceeded",
        "whether it has more bad sectors than the NAS is set to bear",
    ),
    rate("disk", "read_bytes_per_second", "bytes read each second"),
    rate(
        "disk",
        "written_bytes_per_second",
        "bytes written each second",
    ),
    rate("disk", "reads_per_second", "reads each second"),
    rate("disk", "writes_per_second", "writes each second"),
    ratio(
        "disk",
        "busy_ratio",
        "share of the time in which the disk was busy",
    ),
    state(
        "volume",
        "status",
        "its condition: normal, attention, degrade, crashed, …, or vanished when it is not listed any more",
    ),
    state("volume", "old_status", "its condition before it changed"),
    state(
        "volume",
        "task",
        "what the NAS does with it now, as a repair; none else",
    ),
    state("volume", "old_task", "what was done before"),
    ratio(
        "volume",
        "task_progress_ratio",
        "how far that is, while it is done",
    ),
    bytes("volume", "size_bytes", "size of the volume"),
    bytes("volume", "used_bytes", "bytes in use on the volume"),
    ratio("volume", "used_ratio", "share of the volume in use"),
    ratio(
        "volume",
        "inodes_used_ratio",
        "share of its inodes in use, where their number is fixed",
    ),
    MetricDef::flag("volume", "writable", "whether it can be written"),
    rate("volume", "read_bytes_per_second", "bytes read each second"),
    rate(
        "volume",
        "written_bytes_per_second",
        "bytes written each second",
    ),
    rate("volume", "reads_per_second", "reads each second"),
    rate("volume", "writes_per_second", "writes each second"),
    ratio(
        "volume",
        "busy_ratio",
        "share of the time in which the volume was busy",
    ),
    state(
        "pool",
        "status",
        "its condition: normal, attention, degrade, crashed, …, or vanished when it is not listed any more",
    ),
    state("pool", "old_status", "its condition before it changed"),
    state(
        "pool",
        "task",
        "what the NAS does with it now, as a repair; none else",
    ),
    state("pool", "old_task", "what was done before"),
    ratio(
        "pool",
        "task_progress_ratio",
        "how far that is, while it is done",
    ),
    state(
        "pool",
        "scrubbing",
        "how its last or present data scrubbing stands",
    ),
    bytes("pool", "size_bytes", "size of the pool"),
    bytes("pool", "allocated_bytes", "bytes of it that volumes have"),
    count("pool", "failed_disks_count", "disks of it that have failed"),
    count(
        "pool",
        "raid_devices_count",
        "disks that its RAID is made for",
    ),
    count(
        "pool",
        "raid_devices_normal_count",
        "disks of its RAID that work",
    ),
    state("ups", "status", "online, onbattery, … as the NAS calls it"),
    state("ups", "old_status", "its status before it changed"),
    ratio("ups", "charge_ratio", "charge of its battery"),
    MetricDef::integer(
        "ups",
        "runtime_seconds",
        Unit::Seconds,
        "how long the battery lasts, as it estimates",
    ),
];
