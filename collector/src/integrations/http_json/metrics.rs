//! What is told of a mapped service itself. Its own fields are what the mapping calls them.

use schemas::{MetricDef, catalog::Unit};

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::integer(
        "http_json",
        "entities_count",
        Unit::Count,
        "entities of which the newest answers told something",
    ),
    MetricDef::integer(
        "http_json",
        "missing_values_count",
        Unit::Count,
        "fields of the mapping that the newest answers did not have, or not as what they should be",
    ),
    MetricDef::integer(
        "http_json",
        "left_out_items_count",
        Unit::Count,
        "items of lists that have no id, the id of another one, or come behind the thousandth",
    ),
];
