//! What is told about a Pi-hole, its upstreams, and, where that is wanted, domains and clients. Pi-hole counts over the last
//! 24 hours, so that its counts fall too.

use schemas::{MetricDef, catalog::Unit};

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::integer(
        "pihole",
        "queries_count",
        Unit::Count,
        "queries of the last 24 hours",
    ),
    MetricDef::integer(
        "pihole",
        "blocked_count",
        Unit::Count,
        "queries of the last 24 hours that were blocked",
    ),
    MetricDef::gauge(
        "pihole",
        "blocked_ratio",
        Unit::Ratio,
        "share of the queries of the last 24 hours that were blocked",
    ),
    MetricDef::integer(
        "pihole",
        "forwarded_count",
        Unit::Count,
        "queries of the last 24 hours that an upstream answered",
    ),
    MetricDef::integer(
        "pihole",
        "cached_count",
        Unit::Count,
        "queries of the last 24 hours that the cache answered",
    ),
    MetricDef::gauge(
        "pihole",
        "queries_per_second",
        Unit::None,
        "queries that come in each second (v6)",
    ),
    MetricDef::integer(
        "pihole",
        "unique_domains_count",
        Unit::Count,
        "different domains that were asked for in the last 24 hours",
    ),
    MetricDef::integer(
        "pihole",
        "clients_active_count",
        Unit::Count,
        "clients that asked in the last 24 hours",
    ),
    MetricDef::integer(
        "pihole",
        "clients_known_count",
        Unit::Count,
        "clients that ever asked, as far as it remembers",
    ),
    MetricDef::integer(
        "pihole",
        "gravity_domains_count",
        Unit::Count,
        "domains on its block lists",
    ),
    MetricDef::integer(
        "pihole",
        "gravity_age_seconds",
        Unit::Seconds,
        "time since its block lists were updated",
    ),
    MetricDef::state(
        "pihole",
        "blocking",
        "enabled, disabled, failed or unknown: whether it blocks",
    ),
    MetricDef::gauge(
        "pihole",
        "blocking_timer_seconds",
        Unit::Seconds,
        "time until blocking is switched back, while a timer runs (v6)",
    ),
    MetricDef::integer(
        "pihole",
        "messages_count",
        Unit::Count,
        "warnings that it shows to its administrator (v6)",
    ),
    MetricDef::integer(
        "dns_upstream",
        "queries_count",
        Unit::Count,
        "queries of the last 24 hours that it was asked (v6)",
    ),
    MetricDef::gauge(
        "dns_upstream",
        "queries_ratio",
        Unit::Ratio,
        "share of all queries of the last 24 hours that it was asked",
    ),
    MetricDef::gauge(
        "dns_upstream",
        "response_seconds",
        Unit::Seconds,
        "mean time that it takes to answer (v6)",
    ),
    MetricDef::integer(
        "dns_domain",
        "permitted_count",
        Unit::Count,
        "queries for it of the last 24 hours that were not blocked",
    ),
    MetricDef::integer(
        "dns_domain",
        "blocked_count",
        Unit::Count,
        "queries for it of the last 24 hours that were blocked",
    ),
    MetricDef::integer(
        "dns_client",
        "queries_count",
        Unit::Count,
        "its queries of the last 24 hours",
    ),
    MetricDef::integer(
        "dns_client",
        "blocked_count",
        Unit::Count,
        "its queries of the last 24 hours that were blocked",
    ),
];
