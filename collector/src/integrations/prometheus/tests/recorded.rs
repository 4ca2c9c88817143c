//! Against texts of real targets, where they are at hand.

use std::path::Path;

use super::*;
use crate::testing::recordings::Became;

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

/// What the integration makes of one recording, read to its last line.
pub(crate) fn read(dir: &Path, name: &str) -> Became {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    let mut events = told(&text, name);
    assert_eq!(count(&events, "garbled_lines_count"), 0, "{name}");
    assert_eq!(count(&events, "series_left_out_count"), 0, "{name}");
    let series = usize::try_from(count(&events, "series_count")).unwrap();
    assert_eq!(series, values(&events).len(), "{name}");
    // what is counted of the target itself is the same of each
    events.retain(|event| event.entity.entity_type.as_str() == "prometheus");
    Became::Told(events)
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
