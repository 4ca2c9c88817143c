//! Disks and ZFS pools of a node. Proxmox VE asks SMART without looking whether a disk sleeps, so its list is read without
//! SMART, and each disk that cannot sleep is asked by itself.

use schemas::{Entity, Fields};
use serde_json::Value;

use super::wire::{Object, entity, number, rows, set_number, set_ratio, set_whole, text, whole};
use crate::wire;

/// Most disks of one node.
const MOST: usize = 64;

/// One disk of `/nodes/{node}/disks/list`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Disk {
    pub(super) entity: Entity,
    /// `/dev/sda`.
    pub(super) device: String,
    /// Whether asking it wakes nothing.
    pub(super) is_solid: bool,
    pub(super) fields: Fields,
}

pub(super) fn list(node: &str, data: &Value) -> Vec<Disk> {
    rows(data)
        .filter_map(|row| {
            let device = text(row, "devpath").filter(|path| path.starts_with("/dev/"))?;
            let serial = text(row, "serial").filter(|serial| serial != "unknown");
            let id = serial.clone().unwrap_or_else(|| format!("{node}{device}"));
            let disk_type = text(row, "type").unwrap_or_default();
            let model = text(row, "model").filter(|model| model != "unknown");
            let mut fields = Fields::new();
            set_whole(&mut fields, "size_bytes", whole(row, "size"));
            set_condition(row, &mut fields);
            Some(Disk {
                entity: entity("proxmox_disk", &id)?
                    .with_label("node", node)
                    .with_label("device", &device)
                    .with_label("model", model.as_deref().unwrap_or_default())
                    .with_label("serial", serial.as_deref().unwrap_or_default())
                    .with_label("disk_type", &disk_type),
                is_solid: matches!(disk_type.as_str(), "ssd" | "nvme"),
                device,
                fields,
            })
        })
        .take(MOST)
        .collect()
}

/// `/nodes/{node}/disks/smart`: attributes of SATA disks, or the text of `smartctl` for others.
pub(super) fn smart(data: &Value) -> Option<Fields> {
    let row = data.as_object()?;
    let mut fields = Fields::new();
    set_condition(row, &mut fields);
    let attributes = row.get("attributes").unwrap_or(&Value::Null);
    let mut celsius = None;
    for attribute in rows(attributes) {
        let name = text(attribute, "name").unwrap_or_default();
        match whole(attribute, "id") {
            // "33 (Min/Max 20/45)"; 190 is the case's, where there is nothing better
            Some(194) => celsius = first_number(attribute).or(celsius),
            Some(190) => celsius = celsius.or_else(|| first_number(attribute)),
            _ => {}
        }
        if fields.get("life_left_ratio").is_none() && TELLS_LIFE_LEFT.contains(&name.as_str()) {
            set_life(&mut fields, number(attribute, "value"));
        }
    }
    for line in text_of(row).lines().take(200) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.split_whitespace().next().unwrap_or_default();
        let value = value.trim_end_matches('%').parse::<f64>().ok();
        match name.trim() {
            "Temperature" | "Current Drive Temperature" => celsius = celsius.or(value),
            "Percentage Used" | "Percentage used endurance indicator"
                if fields.get("life_left_ratio").is_none() =>
            {
                // a disk may be used beyond what its maker promised
                set_life(&mut fields, value.map(|used| (100.0 - used).max(0.0)));
            }
            _ => {}
        }
    }
    let plausible = celsius.filter(|celsius| (-40.0..150.0).contains(celsius) && *celsius != 0.0);
    set_number(&mut fields, "temperature_celsius", plausible);
    Some(fields)
}

const TELLS_LIFE_LEFT: [&str; 7] = [
    "Media_Wearout_Indicator",
    "SSD_Life_Left",
    "Wear_Leveling_Count",
    "Percent_Lifetime_Remain",
    "Remaining_Lifetime_Perc",
    "Perc_Rated_Life_Remain",
    "Percent_Life_Remaining",
];

fn set_condition(row: &Object, fields: &mut Fields) {
    if let Some(health) = health(row) {
        fields.set_text("health", &health);
    }
    // what is left, not what is worn, whatever the name says
    set_life(fields, number(row, "wearout"));
}

fn set_life(fields: &mut Fields, percent: Option<f64>) {
    let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
    set_number(fields, "life_left_ratio", percent.map(|left| left / 100.0));
}

fn health(row: &Object) -> Option<String> {
    match text(row, "health")?.to_ascii_lowercase().as_str() {
        "unknown" => None,
        // SAS disks say so
        "ok" => Some("passed".to_owned()),
        other => Some(other.to_owned()),
    }
}

fn first_number(attribute: &Object) -> Option<f64> {
    let raw = text(attribute, "raw")?;
    wire::number(&Value::from(raw.split_whitespace().next()?))
}

fn text_of(row: &Object) -> &str {
    row.get("text").and_then(Value::as_str).unwrap_or_default()
}

/// One pool of `/nodes/{node}/disks/zfs`: itself, its health, and what it holds.
pub(super) fn pools(node: &str, data: &Value) -> Vec<(Entity, String, Fields)> {
    rows(data)
        .filter_map(|row| {
            let name = text(row, "name")?;
            let health = text(row, "health")?.to_ascii_lowercase();
            let mut fields = Fields::new();
            fields.set_text("health", &health);
            let (used, size) = (whole(row, "alloc"), whole(row, "size"));
            set_whole(&mut fields, "size_bytes", size);
            set_whole(&mut fields, "used_bytes", used);
            set_ratio(&mut fields, "used_ratio", used, size);
            let fragmented = number(row, "frag").map(|percent| percent / 100.0);
            set_number(&mut fields, "fragmentation_ratio", fragmented);
            let entity = entity("proxmox_pool", &format!("{node}/{name}"))?
                .with_label("name", &name)
                .with_label("node", node);
            Some((entity, health, fields))
        })
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_disk_is_its_serial_number() {
        let disks = list(
            "pve1",
            &json!([
                {"devpath": "/dev/sda", "serial": "S1", "model": "unknown", "type": "ssd", "size": "512", "health": "UNKNOWN", "wearout": "N/A"},
                {"devpath": "/dev/sdb", "type": "hdd", "health": "OK", "wearout": 0},
                {"devpath": "sdc"}, {"serial": "S2"}, 5]),
        );
        assert_eq!(disks.len(), 2);
        assert_eq!(disks[0].entity.id.as_str(), "S1");
        assert_eq!(disks[1].entity.id.as_str(), "pve1/dev/sdb");
        assert_eq!((disks[0].is_solid, disks[1].is_solid), (true, false));
        assert_eq!(disks[0].fields.len(), 1, "only its size is known");
        assert_eq!(
            disks[1].fields.get("health"),
            Some(&FieldValue::Text("passed".into()))
        );
        assert_eq!(
            disks[1].fields.get("life_left_ratio"),
            Some(&FieldValue::F64(0.0))
        );
    }

    #[test]
    fn smart_is_read_from_attributes_or_text() {
        let sata = smart(&json!({"type": "ata", "health": "FAILED!", "attributes": [
            {"id": "190", "name": "Airflow_Temperature_Cel", "raw": "31"},
            {"id": "194", "name": "Temperature_Celsius", "raw": "33 (Min/Max 20/45)", "value": "67"},
            {"id": "177", "name": "Wear_Leveling_Count", "value": "098", "raw": "30"}]}))
        .unwrap();
        for (name, value) in [
            ("health", FieldValue::Text("failed!".into())),
            ("temperature_celsius", FieldValue::F64(33.0)),
            ("life_left_ratio", FieldValue::F64(0.98)),
        ] {
            assert_eq!(sata.get(name), Some(&value), "{name}");
        }
        let nvme = smart(&json!({"type": "text", "health": "PASSED",
            "text": "\nCritical Warning:  0x00\nTemperature:   41 Celsius\nAvailable Spare: 100%\nPercentage Used:  103%\n"}))
        .unwrap();
        assert_eq!(
            nvme.get("temperature_celsius"),
            Some(&FieldValue::F64(41.0))
        );
        assert_eq!(nvme.get("life_left_ratio"), Some(&FieldValue::F64(0.0)));
        assert!(
            smart(&json!({"health": "UNKNOWN", "attributes": {}, "text": 7}))
                .unwrap()
                .is_empty()
        );
        assert_eq!(smart(&json!(null)), None);
    }

    #[test]
    fn a_pool_tells_its_health() {
        let pools = pools(
            "pve1",
            &json!([{"name": "rpool", "health": "DEGRADED", "size": 1000, "alloc": "250", "frag": 5},
            {"name": "tank"}]),
        );
        assert_eq!(pools.len(), 1);
        let (entity, health, fields) = &pools[0];
        assert_eq!(
            (entity.id.as_str(), health.as_str()),
            ("pve1/rpool", "degraded")
        );
        assert_eq!(fields.get("used_ratio"), Some(&FieldValue::F64(0.25)));
        assert_eq!(
            fields.get("fragmentation_ratio"),
            Some(&FieldValue::F64(0.05))
        );
    }
}
