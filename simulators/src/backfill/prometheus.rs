//! What sources of kind `prometheus` tell: the shop's own metrics.

use schemas::{FieldValue, Fields, name::FieldName, time::Timestamp};

use super::{
    Source, Span,
    told::{Told, entity},
};
use crate::{
    number::real,
    world::{World, shop},
};

/// The shop with `/metrics`.
pub(super) struct Prometheus;

const NAME: &str = "shop";

fn fields<const N: usize>(values: [(&'static str, f64); N]) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in values {
        if let Ok(value) = FieldValue::float(value) {
            fields.set(name, value);
        }
    }
    fields
}

impl Source for Prometheus {
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let Some(now) = shop::read(world, span.to) else {
            return Ok(());
        };
        let mut series = 0_i64;
        for requests in &now.requests {
            let status = requests.status.to_string();
            let id = format!("method={},status={status}", requests.method);
            let entity = entity("prometheus", &id)?
                .with_label(FieldName::new("method")?, requests.method)
                .with_label(FieldName::new("status")?, &status);
            told.sample(
                entity,
                fields([("shop_http_requests_total", real(requests.count))]),
            );
            series += 1;
        }
        for (queue, waiting, done) in &now.queues {
            let entity =
                entity("prometheus", &format!("queue={queue}"))?.with_label("queue", queue);
            told.sample(
                entity,
                fields([
                    ("shop_queue_waiting", real(*waiting)),
                    ("shop_queue_done_total", real(*done)),
                ]),
            );
            series += 2;
        }
        let all = now.within.last().copied().unwrap_or(0);
        let own = [
            ("shop_http_request_duration_seconds_count_total", real(all)),
            ("shop_http_request_duration_sum_seconds_total", now.seconds),
            ("shop_open_orders", real(now.open_orders)),
            ("process_cpu_seconds_total", now.cpu_seconds),
            ("process_resident_memory_bytes", real(now.memory)),
            (
                "process_start_time_seconds",
                real(now.started.as_millis()) / 1000.0,
            ),
        ];
        series += i64::try_from(own.len()).unwrap_or(0);
        told.sample(entity("prometheus", NAME)?, fields(own));

        let mut target = Fields::new();
        target
            .set("series_count", series)
            .set("series_left_out_count", 0_i64)
            .set("garbled_lines_count", 0_i64);
        let entity = entity("prometheus_target", NAME)?.with_label("shop_build_version", "2.7.1");
        told.sample(entity, target);
        Ok(())
    }

    fn answers(&self, world: &World, at: Timestamp) -> bool {
        shop::read(world, at).is_some()
    }
}
