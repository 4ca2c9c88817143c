//! What `smartctl --json` says of one disk, over ATA, `NVMe` or SCSI.

use schemas::{
    Entity, Fields,
    name::{EntityId, EntityType},
};
use serde_json::Value;

use super::{device::Device, exit::Exit};
use crate::wire::clean;

/// Most attributes of an ATA disk; it has room for thirty.
const MOST_ATTRIBUTES: usize = 64;
/// Longest text that is taken.
const LONGEST: usize = 128;
/// `NVMe` counts data in thousands of sectors of 512 bytes.
const DATA_UNIT: u64 = 512_000;

/// One answer.
pub(super) struct Report {
    exit: Exit,
    said: Value,
}

impl Report {
    pub(super) const fn new(exit: Exit, said: Value) -> Self {
        Self { exit, said }
    }

    fn at(&self, path: &str) -> Option<&Value> {
        self.said.pointer(path)
    }

    fn number(&self, path: &str) -> Option<u64> {
        number(self.at(path)?)
    }

    /// The first of some places that has a number.
    fn first(&self, paths: &[&str]) -> Option<u64> {
        paths.iter().find_map(|path| self.number(path))
    }

    fn text(&self, path: &str) -> Option<String> {
        short(self.at(path)?.as_str()?)
    }

    /// The disk by its serial number, else by its worldwide name.
    pub(super) fn entity(&self, entity_type: &EntityType, device: &Device) -> Option<Entity> {
        let id = self
            .text("/serial_number")
            .or_else(|| self.wwn())
            .or_else(|| self.text("/logical_unit_id"))?;
        let mut entity = Entity::new(entity_type.clone(), EntityId::new(id).ok()?)
            .with_label("name", &device.to_string());
        for (label, paths) in [
            (
                "model",
                &["/model_name", "/scsi_model_name", "/scsi_product"][..],
            ),
            ("family", &["/model_family"]),
            ("firmware", &["/firmware_version", "/scsi_revision"]),
            ("protocol", &["/device/protocol"]),
        ] {
            if let Some(text) = paths.iter().find_map(|path| self.text(path)) {
                entity = entity.with_label(label, &text);
            }
        }
        Some(entity)
    }

    fn wwn(&self) -> Option<String> {
        let part = |name: &str| self.number(&format!("/wwn/{name}"));
        Some(format!(
            "wwn-{:x}{:06x}{:09x}",
            part("naa")?,
            part("oui")?,
            part("id")?
        ))
    }

    /// What the disk says of itself as a whole.
    pub(super) fn health(&self) -> Option<&'static str> {
        match self.at("/smart_status/passed").and_then(Value::as_bool) {
            Some(false) => Some("failed"),
            _ if self.exit.is_failing() => Some("failed"),
            Some(true) => Some("passed"),
            None => None,
        }
    }

    fn is_nvme(&self) -> bool {
        self.at("/device/protocol").and_then(Value::as_str) == Some("NVMe")
    }

    pub(super) fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        if let Some(health) = self.health() {
            fields.set_text("health", health);
        }
        // it was not asleep, or it would not have been asked
        if !self.is_nvme() {
            fields.set_text("power_mode", "active");
        }
        self.common(&mut fields);
        self.nvme(&mut fields);
        self.scsi(&mut fields);
        if self.at("/ata_smart_attributes").is_some() {
            fields
                .set("attribute_failing", self.exit.has_failing_attribute())
                .set("attribute_failed_before", self.exit.had_failing_attribute());
            self.attributes(&mut fields);
        }
        self.self_test(&mut fields);
        fields
    }

    fn common(&self, fields: &mut Fields) {
        let celsius = self
            .at("/temperature/current")
            .and_then(Value::as_f64)
            // some answer absolute zero for not knowing
            .filter(|celsius| (-60.0..=200.0).contains(celsius));
        if let Some(celsius) = celsius {
            fields.set_rounded("temperature_celsius", celsius, 1);
        }
        let hours = self.number("/power_on_time/hours");
        let minutes = self.number("/power_on_time/minutes").unwrap_or(0);
        let seconds =
            hours.and_then(|h| h.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?));
        set(fields, "power_on_seconds_total", seconds);
        set(
            fields,
            "power_cycles_total",
            self.first(&[
                "/power_cycle_count",
                "/scsi_start_stop_cycle_counter/accumulated_start_stop_cycles",
            ]),
        );
        set(
            fields,
            "size_bytes",
            self.first(&["/user_capacity/bytes", "/nvme_total_capacity"]),
        );
        let used = self.first(&[
            "/endurance_used/current_percent",
            "/nvme_smart_health_information_log/percentage_used",
            "/scsi_percentage_used_endurance_indicator",
        ]);
        if let Some(used) = used {
            fields.set_rounded("life_left_ratio", ratio(100_u64.saturating_sub(used)), 2);
        }
        let spare = self.first(&[
            "/spare_available/current_percent",
            "/nvme_smart_health_information_log/available_spare",
        ]);
        if let Some(spare) = spare.filter(|percent| *percent <= 100) {
            fields.set_rounded("spare_left_ratio", ratio(spare), 2);
        }
        set(
            fields,
            "logged_errors_total",
            self.first(&[
                "/ata_smart_error_log/extended/count",
                "/ata_smart_error_log/summary/count",
                "/nvme_smart_health_information_log/num_err_log_entries",
            ]),
        );
    }

    fn nvme(&self, fields: &mut Fields) {
        let number =
            |name: &str| self.number(&format!("/nvme_smart_health_information_log/{name}"));
        let bytes = |name: &str| number(name).and_then(|units| units.checked_mul(DATA_UNIT));
        for (field, value) in [
            ("critical_warning", number("critical_warning")),
            ("media_errors_total", number("media_errors")),
            ("unsafe_shutdowns_total", number("unsafe_shutdowns")),
            ("read_bytes_total", bytes("data_units_read")),
            ("written_bytes_total", bytes("data_units_written")),
        ] {
            set(fields, field, value);
        }
    }

    fn scsi(&self, fields: &mut Fields) {
        set(
            fields,
            "grown_defects_count",
            self.number("/scsi_grown_defect_list"),
        );
        let uncorrected = ["read", "write", "verify"]
            .into_iter()
            .filter_map(|what| {
                self.number(&format!(
                    "/scsi_error_counter_log/{what}/total_uncorrected_errors"
                ))
            })
            .reduce(u64::saturating_add);
        set(fields, "uncorrected_errors_total", uncorrected);
    }

    fn attributes(&self, fields: &mut Fields) {
        let table = self
            .at("/ata_smart_attributes/table")
            .and_then(Value::as_array);
        for row in table.into_iter().flatten().take(MOST_ATTRIBUTES) {
            let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
            // makers use one number for different things
            let field = match row.get("id").and_then(number) {
                Some(5) if name.contains("Realloc") => "reallocated_sectors_count",
                Some(187) if name.contains("Uncorrect") => "reported_errors_total",
                Some(197) if name.contains("Pending") => "pending_sectors_count",
                Some(198) if name.contains("Uncorrect") => "uncorrectable_sectors_count",
                Some(199) if name.contains("CRC") => "crc_errors_total",
                _ => continue,
            };
            set(fields, field, row.get("raw").and_then(raw));
        }
    }

    fn self_test(&self, fields: &mut Fields) {
        let ata = ["standard", "extended"]
            .iter()
            .find_map(|log| self.at(&format!("/ata_smart_self_test_log/{log}/table/0/status")));
        let nvme = self.at("/nvme_self_test_log/table/0/self_test_result");
        let scsi = self.at("/scsi_self_test_0/result");
        let Some(result) = ata.or(nvme).or(scsi) else {
            return;
        };
        if let Some(text) = result.get("string").and_then(Value::as_str).and_then(short) {
            fields.set_text("self_test", &text);
        }
        let passed = match result.get("passed").and_then(Value::as_bool) {
            // ATA leaves it out where a test was ended before it said anything
            Some(passed) => Some(passed),
            None if ata.is_some() => None,
            None => match result.get("value").and_then(number) {
                Some(0) => Some(true),
                // 1 to 4 and 9: somebody ended it; 15: it runs
                Some(1 | 2 | 4 | 9 | 15) | None => None,
                Some(_) => Some(false),
            },
        };
        if let Some(passed) = passed {
            fields.set("self_test_passed", passed);
        }
    }
}

fn set(fields: &mut Fields, name: &'static str, value: Option<u64>) {
    if let Some(value) = value {
        fields.set(name, value);
    }
}

/// A number, also one written as text.
fn number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

/// The raw value of an attribute: what `smartctl` makes of it (`31 (Min/Max 20/45)`), else the number.
fn raw(raw: &Value) -> Option<u64> {
    let written = raw.get("string").and_then(Value::as_str).and_then(|text| {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text.get(..end)?.parse().ok()
    });
    written.or_else(|| number(raw.get("value")?))
}

fn short(text: &str) -> Option<String> {
    clean(text, LONGEST)
}

#[expect(clippy::cast_precision_loss, reason = "at most a few hundred")]
fn ratio(percent: u64) -> f64 {
    percent as f64 / 100.0
}
