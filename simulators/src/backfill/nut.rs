//! What sources of kind `nut` tell.

use schemas::Fields;

use super::{
    Seen, Source, Span,
    told::{Told, entity},
};
use crate::{
    number::real,
    world::{World, ups},
};

/// `upsd` with one UPS.
#[derive(Default)]
pub(super) struct Nut {
    seen: Seen,
}

impl Source for Nut {
    fn tell(&mut self, world: &World, span: Span, told: &mut Told) -> anyhow::Result<()> {
        let now = ups::read(world, span.to);
        let status = match (now.on_battery, now.charging) {
            (true, _) => "OB DISCHRG",
            (_, true) => "OL CHRG",
            _ => "OL",
        };
        let entity = entity("ups", "rack")?
            .with_label("name", "UPS of the rack")
            .with_label("manufacturer", "CPS")
            .with_label("model", "CP900EPFCLCD")
            .with_label("serial", "CRXKO2000123")
            .with_label("driver", "usbhid-ups")
            .with_label("battery_type", "PbAcid");
        if let Some(before) = self.seen.moved("status", status) {
            let mut fields = Fields::new();
            fields
                .set_text("status", status)
                .set_text("old_status", &before);
            told.change(span.to, entity.clone(), fields);
        }
        let output = if now.on_battery {
            230.0
        } else {
            now.input_volts
        };
        let mut fields = Fields::new();
        for flag in [
            "low_battery",
            "replace_battery",
            "overloaded",
            "bypassed",
            "shutting_down",
        ] {
            fields.set(flag, false);
        }
        fields
            .set("on_battery", now.on_battery)
            .set_text("communication", "ok")
            .set_text("status", status)
            .set_text("test_result", "No test initiated")
            .set_rounded("load_ratio", real(now.load_percent) / 100.0, 4)
            .set_rounded("power_watts", now.watts, 4)
            .set_rounded("power_nominal_watts", 540.0, 4)
            .set_rounded("battery_charge_ratio", real(now.charge_percent) / 100.0, 4)
            .set_rounded("battery_runtime_seconds", real(now.runtime_seconds), 4)
            .set_rounded("battery_volts", now.battery_volts, 4)
            .set_rounded("input_volts", now.input_volts, 4)
            .set_rounded("output_volts", output, 4);
        told.sample(entity, fields);
        Ok(())
    }
}
