//! What is told about a check.

use schemas::{MetricDef, catalog::Unit};

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::flag(
        "http_check",
        "up",
        "whether it answered in time, with a status that is expected and with the text that is expected",
    ),
    MetricDef::state(
        "http_check",
        "failure",
        "none, unreachable, timeout, tls, bad_answer, other, unexpected_status, text_missing or bad_credentials",
    ),
    MetricDef::state(
        "http_check",
        "message",
        "in a change: what went wrong and what to do, empty where it is up again",
    ),
    MetricDef::integer(
        "http_check",
        "status_code",
        Unit::None,
        "status of the answer, where there is one",
    ),
    MetricDef::gauge(
        "http_check",
        "latency_seconds",
        Unit::Seconds,
        "time from the look-up of the name over a new connection to the head of the answer",
    ),
    MetricDef::integer(
        "http_check",
        "certificate_expiry_seconds",
        Unit::Seconds,
        "time until the certificate ends, negative when it has; of an answer over https or a certificate that was refused",
    ),
];
