//! What the NAS is: model, version, uptime, temperature, and its UPS.

use schemas::{Entity, Fields};
use serde_json::Value;

use super::wire::{
    Object, celsius, entity, flag, number, object, set_flag, set_number, set_percent, set_text,
    set_whole, text, whole,
};

/// Slow facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    model: String,
    serial: String,
    version: String,
}

impl Facts {
    pub(super) fn label(&self, entity: Entity) -> Entity {
        entity
            .with_label("model", &self.model)
            .with_label("serial", &self.serial)
            .with_label("version", &self.version)
    }
}

/// Reads `SYNO.Core.System` or `SYNO.DSM.Info`, which have other names for the same.
pub(super) fn system(data: &Value) -> Option<(Facts, Fields)> {
    let row = data.as_object()?;
    let facts = Facts {
        model: text(row, "model").unwrap_or_default(),
        serial: text(row, "serial").unwrap_or_default(),
        version: text(row, "firmware_ver")
            .or_else(|| text(row, "version_string"))
            .unwrap_or_default(),
    };
    let mut fields = Fields::new();
    let uptime = uptime(row);
    set_whole(&mut fields, "uptime_seconds", uptime);
    let degrees = celsius(row, "sys_temp").or_else(|| celsius(row, "temperature"));
    set_number(&mut fields, "temperature_celsius", degrees);
    let warnings: Vec<_> = [
        "temperature_warning",
        "sys_tempwarn",
        "systempwarn",
        "temperature_warn",
    ]
    .into_iter()
    .filter_map(|key| flag(row, key))
    .collect();
    let warning = (!warnings.is_empty()).then(|| warnings.contains(&true));
    set_flag(&mut fields, "temperature_warning", warning);
    (facts != Facts::default() || !fields.is_empty()).then_some((facts, fields))
}

/// Seconds: as a number, or as hours, minutes and seconds, as many hours as there are (`289:31:5`).
fn uptime(row: &Object) -> Option<u64> {
    if let Some(seconds) = whole(row, "uptime") {
        return Some(seconds);
    }
    let written = text(row, "up_time")?;
    let parts: Vec<u64> = written
        .split(':')
        .map(|part| part.trim().parse().ok())
        .collect::<Option<_>>()?;
    match parts.as_slice() {
        [hours, minutes @ 0..60, seconds @ 0..60] => {
            hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)
        }
        _ => None,
    }
}

/// The UPS, if one is there; what DSM writes in its place else are zeros that are no readings.
pub(super) fn ups(data: &Value) -> Option<(Entity, Fields)> {
    let row = data.as_object()?;
    let status = text(row, "status").map(|status| {
        let word = status
            .rsplit_once("_status_")
            .map_or(status.as_str(), |(_, word)| word);
        word.to_ascii_lowercase()
    });
    let known = status.filter(|status| status != "unknown");
    let at_usb = flag(row, "usb_ups_connect") == Some(true);
    let elsewhere = flag(row, "enable") == Some(true) && known.is_some();
    if !at_usb && !elsewhere {
        return None;
    }
    let mut fields = Fields::new();
    set_text(&mut fields, "status", known.as_deref());
    let charge = number(row, "charge");
    set_percent(&mut fields, "charge_ratio", charge);
    set_whole(&mut fields, "runtime_seconds", whole(row, "runtime"));
    let model = text(row, "model").unwrap_or_default();
    let entity = entity("ups", "ups")?
        .with_label("name", &model)
        .with_label("model", &model)
        .with_label("vendor", &text(row, "manufacture").unwrap_or_default());
    Some((entity, fields))
}

/// How DSM itself judges its storage (DSM 7): normal, abnormal, danger.
pub(super) fn storage_status(data: &Object) -> Option<String> {
    let level = text(object(data, "overview_data")?, "status_level")?;
    Some(
        level
            .strip_prefix("status_level_")
            .unwrap_or(&level)
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn both_calls_tell_the_same() {
        let (facts, fields) = system(
            &json!({"model": "DS920+", "serial": "S1", "firmware_ver": "DSM 7.2", "sys_temp": 41,
            "sys_tempwarn": false, "temperature_warning": true, "up_time": "289:31:5"}),
        )
        .unwrap();
        let (other_facts, other) = system(
            &json!({"model": "DS920+", "serial": "S1", "version_string": "DSM 7.2",
            "temperature": 41, "temperature_warn": true, "uptime": 1_042_265}),
        )
        .unwrap();
        assert_eq!(facts, other_facts);
        assert_eq!(fields, other);
        assert_eq!(
            fields.get("uptime_seconds"),
            Some(&FieldValue::I64(1_042_265))
        );
        assert_eq!(
            fields.get("temperature_warning"),
            Some(&FieldValue::Bool(true))
        );
    }

    #[test]
    fn what_is_no_uptime_or_temperature_is_absent() {
        for up_time in ["1:60:0", "1:2", "x:1:2", "", "-1:0:0", "1:2:3:4"] {
            let (_, fields) =
                system(&json!({"model": "m", "up_time": up_time, "sys_temp": 0})).unwrap();
            assert!(fields.is_empty(), "{up_time}: {fields:?}");
        }
        let huge = format!("{}:0:0", u64::MAX);
        assert!(
            system(&json!({"model": "m", "up_time": huge}))
                .unwrap()
                .1
                .is_empty()
        );
        assert_eq!(system(&json!({})), None);
        assert_eq!(system(&json!([1])), None);
    }

    #[test]
    fn only_a_ups_that_is_there_is_told() {
        let none = json!({"enable": false, "charge": 0, "runtime": 0, "model": "", "status": "usb_ups_status_unknown",
            "usb_ups_connect": false});
        assert_eq!(ups(&none), None);
        assert_eq!(ups(&json!({})), None);
        let (entity, fields) = ups(&json!({"enable": true, "charge": 95, "runtime": "3518", "usb_ups_connect": true,
            "status": "usb_ups_status_online", "model": "Smart-UPS_1500\n", "manufacture": "American Power Conversion \n"}))
        .unwrap();
        assert_eq!(&*entity.labels["model"], "Smart-UPS_1500");
        assert_eq!(fields.get("charge_ratio"), Some(&FieldValue::F64(0.95)));
        assert_eq!(fields.get("runtime_seconds"), Some(&FieldValue::I64(3518)));
        assert_eq!(
            fields.get("status"),
            Some(&FieldValue::Text("online".into()))
        );
        let network = ups(
            &json!({"enable": "yes", "status": "net_ups_status_onbattery", "usb_ups_connect": false}),
        );
        assert_eq!(network.unwrap().1.len(), 1);
    }

    #[test]
    fn the_level_of_the_storage_is_a_word() {
        let level = |text: &str| {
            let data = json!({"overview_data": {"status_level": text}});
            storage_status(data.as_object().unwrap())
        };
        assert_eq!(level("status_level_danger").as_deref(), Some("danger"));
        assert_eq!(level("new").as_deref(), Some("new"));
        assert_eq!(level(""), None);
    }
}
