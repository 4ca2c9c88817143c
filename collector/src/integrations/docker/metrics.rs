//! What is told about containers and their engine.

use schemas::{MetricDef, catalog::Unit};

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::state(
        "container",
        "state",
        "created, running, paused, restarting, exited, dead, or removed; what an engine of another make says besides",
    ),
    MetricDef::state(
        "container",
        "health",
        "starting, healthy or unhealthy, where it has a health check",
    ),
    MetricDef::gauge(
        "container",
        "cpu_ratio",
        Unit::Ratio,
        "cores in use; 1 is one core",
    ),
    MetricDef::gauge(
        "container",
        "cpu_limit_ratio",
        Unit::Ratio,
        "cores it may use; 1 is one core",
    ),
    MetricDef::integer(
        "container",
        "memory_used_bytes",
        Unit::Bytes,
        "memory in use without the file cache that can go, as docker stats tells it",
    ),
    MetricDef::integer(
        "container",
        "memory_limit_bytes",
        Unit::Bytes,
        "memory it may use",
    ),
    MetricDef::gauge(
        "container",
        "memory_used_ratio",
        Unit::Ratio,
        "share of its memory in use",
    ),
    MetricDef::counter(
        "container",
        "rx_bytes_total",
        Unit::Bytes,
        "bytes received over all networks",
    ),
    MetricDef::counter(
        "container",
        "tx_bytes_total",
        Unit::Bytes,
        "bytes sent over all networks",
    ),
    MetricDef::counter(
        "container",
        "block_read_bytes_total",
        Unit::Bytes,
        "bytes read from disks",
    ),
    MetricDef::counter(
        "container",
        "block_written_bytes_total",
        Unit::Bytes,
        "bytes written to disks",
    ),
    MetricDef::integer(
        "container",
        "pids_count",
        Unit::Count,
        "processes and threads",
    ),
    MetricDef::counter(
        "container",
        "restarts_total",
        Unit::Count,
        "times its restart policy started it again",
    ),
    MetricDef::integer(
        "container",
        "uptime_seconds",
        Unit::Seconds,
        "time since it started",
    ),
    MetricDef::state(
        "container",
        "action",
        "what changed it: start, die, oom, health_status, pause, unpause, rename, renamed, destroy, recreated, observed and vanished where no event told, or label_refused",
    ),
    MetricDef::integer("container", "exit_code", Unit::None, "with what it ended"),
    MetricDef::flag(
        "container",
        "oom_killed",
        "whether it was ended for want of memory, since it was started last",
    ),
    MetricDef::integer(
        "container",
        "health_failures_count",
        Unit::Count,
        "health checks in a row that failed",
    ),
    MetricDef::state(
        "container",
        "restart_policy",
        "when it is started again: no, always, unless-stopped, on-failure, with the most tries behind a colon",
    ),
    MetricDef::flag(
        "container",
        "image_outdated",
        "whether its tag means another image by now, which it would get if it were made again",
    ),
    MetricDef::state(
        "container",
        "label_error",
        "what is wrong with the source that its labels ask for",
    ),
    MetricDef::state("docker_image", "image_id", "the image that the tag means"),
    MetricDef::integer(
        "docker_image",
        "size_bytes",
        Unit::Bytes,
        "its size, layers that others share included",
    ),
    MetricDef::integer(
        "docker_image",
        "containers_count",
        Unit::Count,
        "containers that were made of it",
    ),
    MetricDef::state(
        "docker_image",
        "action",
        "what became of the tag: added, updated, or removed",
    ),
    MetricDef::state(
        "docker_image",
        "old_image_id",
        "the image that the tag meant before",
    ),
    MetricDef::state("container", "old_name", "its name before a rename"),
    MetricDef::state("container", "new_name", "its name after a rename"),
    MetricDef::state(
        "container",
        "old_image",
        "the image before it was recreated",
    ),
    MetricDef::state("container", "new_image", "the image after it was recreated"),
    MetricDef::state(
        "container",
        "old_container_id",
        "its engine id before it was recreated",
    ),
    MetricDef::state(
        "container",
        "new_container_id",
        "its engine id after it was recreated",
    ),
    MetricDef::integer(
        "docker_engine",
        "containers_running_count",
        Unit::Count,
        "containers that run",
    ),
    MetricDef::integer(
        "docker_engine",
        "containers_paused_count",
        Unit::Count,
        "containers that are paused",
    ),
    MetricDef::integer(
        "docker_engine",
        "containers_stopped_count",
        Unit::Count,
        "containers that do not run",
    ),
    MetricDef::integer(
        "docker_engine",
        "images_count",
        Unit::Count,
        "images there are",
    ),
    MetricDef::integer(
        "docker_engine",
        "memory_total_bytes",
        Unit::Bytes,
        "memory of its machine",
    ),
    MetricDef::integer(
        "docker_engine",
        "cpus_count",
        Unit::Count,
        "cores of its machine",
    ),
];
