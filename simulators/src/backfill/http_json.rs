//! What sources of kind `http_json` tell: the shop's status, by the mapping that comes with the mock services.

use schemas::{FieldValue, Fields, time::Timestamp};

use super::{
    Source, Span,
    told::{Told, entity},
};
use crate::{
    number::real,
    world::{World, shop},
};

/// The shop that tells its status as JSON.
pub(super) struct HttpJson;

fn set(fields: &mut Fields, name: &'static str, value: f64) {
    if let Ok(value) = FieldValue::float(value) {
        fields.set(name, value);
    }
}

impl Source for HttpJson {
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let Some(now) = shop::read(world, span.to) else {
            return Ok(());
        };
        let requests: i64 = now.requests.iter().map(|one| one.count).sum();
        let mut fields = Fields::new();
        set(&mut fields, "open_orders", real(now.open_orders));
        set(&mut fields, "requests_total", real(requests));
        set(&mut fields, "rack_celsius", now.celsius);
        fields.set("memory_bytes", now.memory);
        told.sample(
            entity("shop", "shop-api")?.with_label("version", "2.7.1"),
            fields,
        );
        for (queue, waiting, done) in &now.queues {
            let mut fields = Fields::new();
            set(&mut fields, "waiting", real(*waiting));
            set(&mut fields, "done_total", real(*done));
            told.sample(entity("queue", queue)?, fields);
        }
        let mut itself = Fields::new();
        itself
            .set(
                "entities_count",
                1 + i64::try_from(now.queues.len()).unwrap_or(0),
            )
            .set("missing_values_count", 0_i64)
            .set("left_out_items_count", 0_i64);
        told.sample(entity("http_json", "shop-status")?, itself);
        Ok(())
    }

    fn answers(&self, world: &World, at: Timestamp) -> bool {
        shop::read(world, at).is_some()
    }
}
