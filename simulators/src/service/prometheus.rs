//! A service of one's own with `/metrics`, in the text format and in `OpenMetrics`.

use schemas::time::Timestamp;

use super::Service;
use crate::{
    call::Call,
    fault::FaultKind,
    number::real,
    reply::Reply,
    world::{
        World,
        shop::{self, BOUNDS, Reading},
    },
};

/// A shop's API that is measured.
pub(crate) struct Prometheus {
    world: World,
}

/// The format of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    OpenMetrics,
}

impl Prometheus {
    /// The one of this home.
    pub(crate) const fn new(world: World) -> Self {
        Self { world }
    }
}

/// Writes metrics one after the other.
struct Page {
    format: Format,
    text: String,
}

impl Page {
    /// The lines before the samples of a metric.
    fn about(&mut self, name: &str, kind: &str, unit: Option<&str>, help: &str) {
        // a counter of OpenMetrics is named without its end
        let family = match (self.format, kind) {
            (Format::OpenMetrics, "counter") => name.trim_end_matches("_total"),
            _ => name,
        };
        self.text.push_str(&format!("# HELP {family} {help}\n"));
        self.text.push_str(&format!("# TYPE {family} {kind}\n"));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, unit) {
            self.text.push_str(&format!("# UNIT {family} {unit}\n"));
        }
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{labels}}}")
        };
        self.text.push_str(&format!("{name}{labels} {value}\n"));
    }
}

fn page(reading: &Reading, format: Format) -> String {
    let mut page = Page {
        format,
        text: String::new(),
    };
    page.about(
        "shop_http_requests_total",
        "counter",
        None,
        "Requests that were answered.",
    );
    for requests in &reading.requests {
        let labels = format!(
            "method=\"{}\",status=\"{}\"",
            requests.method, requests.status
        );
        page.sample("shop_http_requests_total", &labels, requests.count);
    }
    let duration = "shop_http_request_duration_seconds";
    page.about(
        duration,
        "histogram",
        Some("seconds"),
        "How long an answer took.",
    );
    let bounds = BOUNDS.iter().map(|(bound, _)| bound.to_string());
    for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&reading.within) {
        page.sample(
            &format!("{duration}_bucket"),
            &format!("le=\"{bound}\""),
            count,
        );
    }
    page.sample(&format!("{duration}_sum"), "", reading.seconds);
    let all = reading.within.last().copied().unwrap_or(0);
    page.sample(&format!("{duration}_count"), "", all);
    page.about(
        "shop_open_orders",
        "gauge",
        None,
        "Orders that wait for a person.",
    );
    page.sample("shop_open_orders", "", reading.open_orders);
    page.about(
        "shop_queue_waiting",
        "gauge",
        None,
        "Messages that wait in a queue.",
    );
    for (queue, waiting, _) in &reading.queues {
        page.sample("shop_queue_waiting", &format!("queue=\"{queue}\""), waiting);
    }
    page.about(
        "shop_queue_done_total",
        "counter",
        None,
        "Messages that were worked on.",
    );
    for (queue, _, done) in &reading.queues {
        page.sample("shop_queue_done_total", &format!("queue=\"{queue}\""), done);
    }
    page.about(
        "process_cpu_seconds_total",
        "counter",
        Some("seconds"),
        "CPU time that was used.",
    );
    page.sample("process_cpu_seconds_total", "", reading.cpu_seconds);
    page.about(
        "process_resident_memory_bytes",
        "gauge",
        Some("bytes"),
        "Resident memory.",
    );
    page.sample("process_resident_memory_bytes", "", reading.memory);
    page.about(
        "process_start_time_seconds",
        "gauge",
        Some("seconds"),
        "When it was started.",
    );
    page.sample(
        "process_start_time_seconds",
        "",
        real(reading.started.as_millis()) / 1000.0,
    );
    page.about(
        "shop_last_import_age_seconds",
        "gauge",
        Some("seconds"),
        "Age of the last import; there was none.",
    );
    page.sample("shop_last_import_age_seconds", "", "NaN");
    if format == Format::OpenMetrics {
        page.about("shop_build", "info", None, "What was built.");
        page.sample("shop_build_info", "version=\"2.7.1\"", 1);
        page.text.push_str("# EOF\n");
    }
    page.text
}

impl Service for Prometheus {
    fn answer(&self, call: &Call, now: Timestamp) -> Reply {
        if call.path != "/metrics" {
            return Reply::text(404, "404 page not found\n");
        }
        let Some(reading) = shop::read(&self.world, now) else {
            return Reply::text(503, "starting\n");
        };
        let open = call
            .header("accept")
            .is_some_and(|accept| accept.contains("application/openmetrics-text"));
        if open {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            Reply::page(200, kind, page(&reading, Format::OpenMetrics))
        } else {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            Reply::page(200, kind, page(&reading, Format::Text))
        }
    }

    fn listens(&self, now: Timestamp) -> bool {
        shop::read(&self.world, now).is_some()
    }

    fn knows(&self, fault: FaultKind) -> bool {
        !matches!(fault, FaultKind::ExpiredSession | FaultKind::BlockedAccount)
    }

    fn expire(&self, _call: &Call) -> Option<Reply> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_tell_the_same() {
        let service = Prometheus::new(World::new(1, 0));
        let now = Timestamp::from_millis(1_770_033_600_000);
        let text = service.answer(&Call::get("/metrics"), now).said();
        let accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
        let open = service
            .answer(&Call::get("/metrics").with("accept", accept), now)
            .said();
        assert!(open.ends_with("# EOF\n") && !text.contains("# EOF"));
        assert!(text.contains("# TYPE shop_http_requests_total counter"));
        assert!(open.contains("# TYPE shop_http_requests counter"));
        let samples = |page: &str| {
            let lines = page
                .lines()
                .filter(|line| !line.starts_with('#') && !line.starts_with("shop_build"));
            lines.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(samples(&text), samples(&open));
        assert!(samples(&text).len() > 20);
    }
}
