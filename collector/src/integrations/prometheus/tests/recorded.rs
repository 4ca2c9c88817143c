//! Against texts of real targets, where they are at hand.

use super::*;

/// What each of the small ones is, without the target itself: entity, field, value.
const WANTED: &[(&str, &[&str])] = &[
    (
        "openmetrics_multiple.txt",
        &[
            "lab.web go_goroutines 69",
            "lab.web process_cpu_seconds_total 4200722.46",
            "method=GET,path=/api/v1 acme_http_router_request_quantile_0.5_seconds 1.29854",
            "method=GET,path=/api/v1 acme_http_router_request_quantile_0.99_seconds 6884.32324",
            "method=GET,path=/api/v1 acme_http_router_request_quantile_0.9_seconds 54.85479",
            "method=GET,path=/api/v1 acme_http_router_request_seconds_count_total 807283",
            "method=GET,path=/api/v1 acme_http_router_request_sum_seconds_total 9036.32",
            "method=POST,path=/api/v2 acme_http_router_request_quantile_0.5_seconds 0.85412",
            "method=POST,path=/api/v2 acme_http_router_request_quantile_0.99_seconds 3698.48132",
            "method=POST,path=/api/v2 acme_http_router_request_quantile_0.9_seconds 1.15429",
            "method=POST,path=/api/v2 acme_http_router_request_seconds_count_total 34",
            "method=POST,path=/api/v2 acme_http_router_request_sum_seconds_total 479.3",
        ],
    ),
    (
        "openmetrics_valid_counter.txt",
        &["lab.web get_token_fail_count_total 8"],
    ),
    (
        "openmetrics_valid_gauge.txt",
        &[
            "lab.web go_memstats_gc_cpu_fraction -0.00014404354379774563",
            "lab.web go_memstats_gc_sys_bytes 60936192",
            "lab.web go_memstats_heap_alloc_bytes 1581062048",
        ],
    ),
    (
        "openmetrics_valid_histogram.txt",
        &[
            "resource=bindings,verb=POST apiserver_request_latencies_microseconds_count_total 2025",
            "resource=bindings,verb=POST apiserver_request_latencies_sum_seconds_total 102.726334",
        ],
    ),
    ("openmetrics_valid_info.txt", &[]),
    (
        "openmetrics_valid_summary.txt",
        &[
            "handler=prometheus http_request_duration_microseconds_count_total 9",
            "handler=prometheus http_request_duration_quantile_0.5_seconds 0.552048506",
            "handler=prometheus http_request_duration_quantile_0.99_seconds 5.876804288",
            "handler=prometheus http_request_duration_quantile_0.9_seconds 5.876804288",
            "handler=prometheus http_request_duration_sum_seconds_total 18.909097205",
        ],
    ),
    ("prometheus_default_tags.txt", &[]),
    (
        "prometheus_ignore_timestamp.txt",
        &["label=test test_counter_total 1"],
    ),
    (
        "prometheus_valid_counter.txt",
        &["lab.web get_token_fail_count_total 0"],
    ),
    ("prometheus_valid_gauge.txt", &[]),
    (
        "prometheus_valid_histogram.txt",
        &[
            "resource=bindings,verb=POST apiserver_request_latencies_count_total 2025",
            "resource=bindings,verb=POST apiserver_request_latencies_sum_total 102726334",
        ],
    ),
    (
        "prometheus_valid_summary.txt",
        &[
            "handler=prometheus http_request_duration_microseconds_count_total 9",
            "handler=prometheus http_request_duration_quantile_0.5_seconds 0.552048506",
            "handler=prometheus http_request_duration_quantile_0.99_seconds 5.876804288",
            "handler=prometheus http_request_duration_quantile_0.9_seconds 5.876804288",
            "handler=prometheus http_request_duration_sum_seconds_total 18.909097205",
        ],
    ),
];

const NODE: &str = "node_exporter_linux_e2e.txt";

fn told(text: &str, name: &str) -> Vec<Observation> {
    let format = if name.starts_with("openmetrics") {
        Format::OpenMetrics
    } else {
        Format::Text
    };
    let scrape = Exposition::read(text, format);
    assert_eq!(scrape.ended, format == Format::OpenMetrics, "{name}");
    let mut mapping = Mapping::new("lab.web").unwrap();
    mapping.max_series = MOST_SERIES;
    let mut batch = testing::batch();
    mapping.tell(&scrape, &mut batch);
    checked(batch)
}

#[test]
fn every_recorded_text_is_read_to_its_last_line() {
    let Some(dir) = testing::recordings("prometheus") else {
        return;
    };
    let mut files = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let events = told(&text, &name);
        let values = values(&events);
        let series = count(&events, "series_count");
        println!(
            "{name}: {} events, {series} series, {} fields",
            events.len(),
            values.len()
        );
        files += 1;
        assert_eq!(count(&events, "garbled_lines_count"), 0, "{name}");
        assert_eq!(count(&events, "series_left_out_count"), 0, "{name}");
        assert_eq!(usize::try_from(series).unwrap(), values.len(), "{name}");
        let lines: Vec<_> = values
            .into_iter()
            .map(|((id, field), value)| format!("{id} {field} {value}"))
            .collect();
        match WANTED.iter().find(|(known, _)| *known == name) {
            Some((_, wanted)) => assert_eq!(lines, *wanted, "{name}"),
            None => assert_eq!(name, NODE, "nobody wrote down what it holds"),
        }
    }
    assert_eq!(files, WANTED.len() + 1, "files in {}", dir.display());
}

#[test]
fn info_metrics_of_a_recorded_text_are_labels() {
    let Some(dir) = testing::recordings("prometheus") else {
        return;
    };
    for (name, label) in [
        (
            "openmetrics_valid_info.txt",
            "cadvisor_version_dockerVersion",
        ),
        (
            "prometheus_default_tags.txt",
            "cadvisor_version_dockerVersion",
        ),
    ] {
        let text = std::fs::read_to_string(dir.join(name)).unwrap();
        let events = told(&text, name);
        let labels = &target(&events).entity.labels;
        assert_eq!(labels.get(label).map(|v| &**v), Some("1.8.2"), "{labels:?}");
    }
}

/// A real `node_exporter`, against what plain text tools say of the same file.
#[test]
fn a_recorded_machine_is_told_whole() {
    let Some(dir) = testing::recordings("prometheus") else {
        return;
    };
    let text = std::fs::read_to_string(dir.join(NODE)).unwrap();
    let events = told(&text, NODE);
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let wanted = series
        .filter(|line| {
            let name = line.split(['{', ' ']).next().unwrap();
            !(name.ends_with("_info") && line.ends_with(" 1"))
        })
        .count();
    let values = values(&events);
    assert_eq!(values.len(), wanted);
    for (id, field, value) in [
        ("cpu=0,mode=idle", "node_cpu_seconds_total", "10870.69"),
        ("device=sda", "node_disk_read_bytes_total", "513713216512"),
        ("chip=hwmon4,sensor=temp1", "node_hwmon_temp_celsius", "55"),
        ("lab.web", "node_load1", "0.21"),
        ("lab.web", "node_memory_MemTotal_bytes", "3831959552"),
    ] {
        let found = values
            .get(&(id.to_owned(), field.to_owned()))
            .map(f64::to_string);
        assert_eq!(found.as_deref(), Some(value), "{id} {field}");
    }
    assert!(events.iter().all(|event| event.fields.len() <= 256));
}
