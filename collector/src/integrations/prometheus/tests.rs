pub(in crate::integrations) mod recorded;
mod scrape;

use std::collections::BTreeMap;

use schemas::{Catalog, FieldValue, catalog::MetricKind};

use super::*;
use crate::{batch::Observation, testing};

/// What a batch holds; every field is one that the catalogue knows, with its type.
fn checked(batch: Batch) -> Vec<Observation> {
    let (events, dropped) = testing::checked(batch, METRICS);
    assert_eq!(dropped, 0);
    events
}

/// All values of series, by entity and field.
fn values(events: &[Observation]) -> BTreeMap<(String, String), f64> {
    let mut all = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| event.entity.entity_type.as_str() == "prometheus")
    {
        for (name, value) in event.fields.iter() {
            let key = (event.entity.id.to_string(), name.to_string());
            let before = all.insert(key, value.as_f64().unwrap());
            assert_eq!(before, None, "{name} is told twice");
        }
    }
    all
}

fn target(events: &[Observation]) -> &Observation {
    events
        .iter()
        .find(|event| event.entity.entity_type.as_str() == "prometheus_target")
        .unwrap()
}

fn count(events: &[Observation], field: &str) -> i64 {
    match target(events).fields.get(field) {
        Some(FieldValue::I64(count)) => *count,
        other => panic!("{field}: {other:?}"),
    }
}

fn mapped_with(text: &str, change: impl FnOnce(&mut Mapping)) -> Vec<Observation> {
    let mut mapping = Mapping::new("lab.web").unwrap();
    change(&mut mapping);
    let mut batch = testing::batch();
    mapping.tell(&Exposition::read(text, Format::Text), &mut batch);
    checked(batch)
}

/// Entities, fields and values of a text, one a line.
fn lines_with(text: &str, change: impl FnOnce(&mut Mapping)) -> Vec<String> {
    values(&mapped_with(text, change))
        .into_iter()
        .map(|((id, field), value)| format!("{id} {field} {value}"))
        .collect()
}

fn lines(text: &str) -> Vec<String> {
    lines_with(text, |_| {})
}

#[test]
fn labels_say_which_entity_and_names_are_fields_in_base_units() {
    let text = "# TYPE up gauge\nup 1\n# TYPE cpu_milliseconds counter\n\
                cpu_milliseconds{mode=\"idle\",cpu=\"0\"} 1500\nload{cpu=\"0\",mode=\"idle\"} NaN\n\
                freq_hertz{cpu=\"0\",mode=\"idle\"} 2e9\nrequests_total 7 1395066363000\n";
    assert_eq!(
        lines(text),
        [
            "cpu=0,mode=idle cpu_seconds_total 1.5",
            "cpu=0,mode=idle freq_hertz 2000000000",
            "lab.web requests_total 7",
            "lab.web up 1",
        ]
    );
    let events = mapped_with(text, |_| {});
    assert_eq!(count(&events, "series_count"), 4);
    assert_eq!(count(&events, "series_left_out_count"), 0);
    let entity = &events
        .iter()
        .find(|e| e.entity.id.as_str() == "cpu=0,mode=idle")
        .unwrap()
        .entity;
    let labels: Vec<_> = entity
        .labels
        .iter()
        .map(|(k, v)| (k.as_str(), &**v))
        .collect();
    assert_eq!(labels, [("cpu", "0"), ("mode", "idle")]);
}

#[test]
fn histograms_and_summaries_are_counters_and_their_quantiles_gauges() {
    let text = "# TYPE took_seconds histogram\ntook_seconds_bucket{path=\"/\",le=\"0.50\"} 3\n\
                took_seconds_bucket{path=\"/\",le=\"+Inf\"} 4\ntook_seconds_sum{path=\"/\"} 1.5\n\
                took_seconds_count{path=\"/\"} 4\ntook_seconds_created{path=\"/\"} 1605281325\n\
                # TYPE wait_milliseconds summary\nwait_milliseconds{quantile=\"0.5\"} 20\n\
                wait_milliseconds{quantile=\"0.9\"} NaN\nwait_milliseconds_sum 9000\nwait_milliseconds_count 3\n";
    let without = [
        "lab.web wait_milliseconds_count_total 3",
        "lab.web wait_quantile_0.5_seconds 0.02",
        "lab.web wait_sum_seconds_total 9",
        "path=/ took_seconds_count_total 4",
        "path=/ took_sum_seconds_total 1.5",
    ];
    assert_eq!(lines(text), without);
    let with = lines_with(text, |mapping| mapping.buckets = true);
    assert_eq!(with.len(), 6);
    assert!(
        with.contains(&"path=/ took_seconds_bucket_0.5_total 3".to_owned()),
        "{with:?}"
    );
    let catalog = Catalog::new(METRICS);
    for line in &with {
        let field = line.split(' ').nth(1).unwrap();
        let kind = catalog.metric("prometheus", field).unwrap().kind;
        let grows = !field.contains("quantile");
        assert_eq!(kind == MetricKind::Counter, grows, "{line}");
    }
}

#[test]
fn infos_are_labels_of_the_target_where_there_is_one_of_a_name() {
    let text = "app_build_info{version=\"1.2\",empty=\"\"} 1\n# TYPE os info\nos_info{name=\"linux\"} 1\n\
                disk_info{device=\"a\"} 1\ndisk_info{device=\"b\"} 1\npower_info 7\n";
    let events = mapped_with(text, |_| {});
    let labels: Vec<_> = target(&events)
        .entity
        .labels
        .iter()
        .map(|(k, v)| (k.as_str(), &**v))
        .collect();
    assert_eq!(labels, [("app_build_version", "1.2"), ("os_name", "linux")]);
    assert_eq!(lines(text), ["lab.web power_info 7"]);
}

#[test]
fn states_are_fields() {
    let text =
        "# TYPE mode stateset\nmode{mode=\"a b\",unit=\"x\"} 1\nmode{mode=\"off\",unit=\"x\"} 0\n";
    assert_eq!(lines(text), ["unit=x mode_a b 1", "unit=x mode_off 0"]);
}

#[test]
fn names_choose_what_is_told() {
    let text = "# TYPE h histogram\nh_sum 1\nh_count 1\na_total 1\na_b 1\nc 1\n# TYPE d counter\nd_total 1\n";
    let told = |include: &[&str], exclude: &[&str]| {
        lines_with(text, |mapping| {
            mapping.include = Patterns::new(include);
            mapping.exclude = Patterns::new(exclude);
        })
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect::<Vec<_>>()
    };
    assert_eq!(told(&["h"], &[]), ["h_count_total", "h_sum_total"]);
    assert_eq!(told(&["h_sum"], &[]), ["h_sum_total"]);
    assert_eq!(told(&["a_*"], &["*_b"]), ["a_total"]);
    assert_eq!(told(&["d"], &[]), ["d_total"]);
    assert_eq!(told(&["d_total"], &[]), ["d_total"]);
    assert_eq!(told(&["*"], &["*"]), [""; 0]);
}

#[test]
fn series_that_fall_together_are_added_up_if_they_count_and_left_out_if_not() {
    let text = "# TYPE r counter\nr{service=\"a\",code=\"200\"} 5\nr{service=\"a\",code=\"500\"} 2\nr{service=\"b\",code=\"200\"} 1\n\
                # TYPE open gauge\nopen{service=\"a\",code=\"x\"} 5\nopen{service=\"a\",code=\"y\"} 6\nopen{service=\"b\",code=\"x\"} 7\n";
    let wanted = [
        "service=a r_total 7",
        "service=b open 7",
        "service=b r_total 1",
    ];
    let chosen = |mapping: &mut Mapping| mapping.entity_labels = Patterns::new(&["service"]);
    assert_eq!(lines_with(text, chosen), wanted);
    let ignored = |mapping: &mut Mapping| mapping.ignore_labels = Patterns::new(&["co*"]);
    assert_eq!(lines_with(text, ignored), wanted);
    let events = mapped_with(text, chosen);
    assert_eq!(count(&events, "series_left_out_count"), 2);
    assert_eq!(count(&events, "series_count"), 4);
    // the same series twice is one, and its last value counts
    assert_eq!(
        lines_with("r_total{x=\"1\"} 5\nr_total{x=\"1\"} 6\n", |mapping| {
            mapping.entity_labels = Patterns::default();
        }),
        ["lab.web r_total 6"]
    );
}

#[test]
fn what_is_beyond_a_bound_is_counted() {
    let series: Vec<_> = (0..50).map(|n| format!("x{{n=\"{n:02}\"}} 1")).collect();
    let text = series.join("\n");
    let events = mapped_with(&text, |mapping| mapping.max_series = 7);
    assert_eq!(values(&events).len(), 7);
    assert_eq!(count(&events, "series_left_out_count"), 43);
    // more fields than an entity may have, in events of which none has too many
    let series: Vec<_> = (0..1100).map(|n| format!("x{n} 1")).collect();
    let text = series.join("\n");
    let events = mapped_with(&text, |_| {});
    assert_eq!(values(&events).len(), 1000);
    assert_eq!(count(&events, "series_left_out_count"), 100);
    let text = format!("{} 1\n{{\"a\\nb\"}} 1\nok 1\n", "n".repeat(129));
    let events = mapped_with(&text, |_| {});
    assert_eq!(values(&events).len(), 1);
    assert_eq!(count(&events, "series_left_out_count"), 2);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever a target says, there is no event that a log or a store refuses, nor one that is too many.
        #[test]
        fn no_text_breaks_the_mapping(
            series in proptest::collection::vec(
                ("[a-c](_total|_info|_bucket|_sum|_seconds)?", "(le|quantile|a|b)", any::<String>(), any::<f64>()), 0..60),
            types in proptest::collection::vec(("[a-c]", "(counter|gauge|histogram|summary|info|stateset|gaugehistogram|odd)"), 0..5),
            kept in "[ab*]",
            max_series in 1_usize..40,
        ) {
            let mut lines = Vec::new();
            for (family, kind) in types {
                lines.push(format!("# TYPE {family} {kind}"));
            }
            let all = series.len();
            for (name, label, value, number) in series {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                lines.push(format!("{name}{{{label}=\"{value}\"}} {number:?}"));
            }
            let events = mapped_with(&lines.join("\n"), |mapping| {
                mapping.entity_labels = Patterns::new(&[&kept]);
                mapping.buckets = true;
                mapping.max_series = max_series;
            });
            prop_assert!(values(&events).len() <= max_series);
            prop_assert_eq!(count(&events, "garbled_lines_count"), 0);
            let told = count(&events, "series_count") + count(&events, "series_left_out_count");
            prop_assert!(usize::try_from(told).unwrap() <= all);
        }
    }
}
