//! Disks, as the storage manager tells them to administrators, or as the system tells them to everybody who may look.

use schemas::{Entity, Fields};

use super::wire::{
    Object, celsius, entity, flag, number, object, rows, set_flag, set_number, set_percent,
    set_text, set_whole, text, whole,
};

/// One disk.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Disk {
    pub(super) entity: Entity,
    pub(super) status: Option<String>,
    /// What SMART says.
    pub(super) health: Option<String>,
    /// `sda`, `sata1`; empty where it is not told.
    pub(super) device: String,
    /// What DSM calls it, as `Drive 1`.
    pub(super) name: String,
    /// Whether it has nothing that turns.
    pub(super) is_solid: bool,
    pub(super) fields: Fields,
}

/// `disks` of `load_info`.
pub(super) fn list(data: &Object) -> Vec<Disk> {
    rows(data, "disks").filter_map(disk).collect()
}

fn disk(row: &Object) -> Option<Disk> {
    let device = text(row, "id").unwrap_or_default();
    let serial = text(row, "serial").or_else(|| text(row, "ui_serial"));
    let name = text(row, "name").unwrap_or_default();
    let status = text(row, "status");
    // a test that runs is told as how far it is
    let health = text(row, "smart_status").map(|health| {
        if health.ends_with('%') {
            "testing".to_owned()
        } else {
            health
        }
    });
    let mut fields = Fields::new();
    set_text(&mut fields, "status", status.as_deref());
    set_text(&mut fields, "smart_status", health.as_deref());
    set_number(&mut fields, "temperature_celsius", celsius(row, "temp"));
    set_whole(&mut fields, "size_bytes", whole(row, "size_total"));
    // an object in some versions
    let life = object(row, "remain_life")
        .and_then(|life| number(life, "value"))
        .or_else(|| number(row, "remain_life"));
    set_percent(&mut fields, "life_left_ratio", life);
    set_whole(
        &mut fields,
        "uncorrectable_sectors_count",
        whole(row, "unc"),
    );
    set_flag(
        &mut fields,
        "bad_sectors_exceeded",
        flag(row, "exceed_bad_sector_thr"),
    );
    if fields.is_empty() {
        return None;
    }
    let label = |key| text(row, key).unwrap_or_default();
    let kind = label("diskType");
    let is_solid = flag(row, "isSsd") == Some(true) || kind.eq_ignore_ascii_case("nvme");
    let enclosure = object(row, "container").and_then(|container| text(container, "str"));
    let entity = entity("disk", serial.as_deref().unwrap_or(&device))?
        .with_label("name", &name)
        .with_label("device", &device)
        .with_label("serial", serial.as_deref().unwrap_or_default())
        .with_label("model", &label("model"))
        .with_label("vendor", &label("vendor"))
        .with_label("firmware", &label("firm"))
        .with_label("disk_type", &kind)
        .with_label("medium", if is_solid { "ssd" } else { "hdd" })
        .with_label("enclosure", &enclosure.unwrap_or_default())
        .with_label("pool", &label("used_by"));
    Some(Disk {
        entity,
        status,
        health,
        device,
        name,
        is_solid,
        fields,
    })
}

/// `hdd_info` of `SYNO.Core.System`, which has no serial numbers: a disk is the bay that it is in.
pub(super) fn bays(data: &Object) -> Vec<Disk> {
    rows(data, "hdd_info").filter_map(bay).collect()
}

fn bay(row: &Object) -> Option<Disk> {
    let name = text(row, "diskno")?;
    let status = text(row, "status").or_else(|| text(row, "overview_status"));
    let mut fields = Fields::new();
    set_text(&mut fields, "status", status.as_deref());
    set_number(&mut fields, "temperature_celsius", celsius(row, "temp"));
    set_whole(&mut fields, "size_bytes", whole(row, "capacity"));
    if fields.is_empty() {
        return None;
    }
    let label = |key| text(row, key).unwrap_or_default();
    let kind = label("diskType");
    let entity = entity("disk", &name)?
        .with_label("name", &name)
        .with_label("model", &label("model"))
        .with_label("disk_type", &kind)
        .with_label("pool", &label("volume"));
    Some(Disk {
        entity,
        status,
        health: None,
        device: String::new(),
        name,
        is_solid: flag(row, "isSsd") == Some(true) || kind.eq_ignore_ascii_case("nvme"),
        fields,
    })
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;
    use serde_json::{Value, json};

    use super::*;

    fn read(value: &Value, of: fn(&Object) -> Vec<Disk>) -> Vec<Disk> {
        of(value.as_object().unwrap())
    }

    #[test]
    fn a_disk_is_its_serial_number() {
        let disks = read(
            &json!({"disks": [{"id": "test_disk"}, 7, null,
                {"id": "sda", "name": "硬盘 1", "serial": "S1 ", "model": "X200  ", "vendor": "Acme ", "diskType": "SATA",
                    "isSsd": false, "size_total": "3000592982016", "temp": 45, "status": "normal", "smart_status": "normal",
                    "remain_life": -1, "unc": 3, "exceed_bad_sector_thr": true, "container": {"str": "DS918+"},
                    "used_by": "reuse_1"},
                {"id": "nvme0n1", "diskType": "NVME", "status": "critical", "temp": -1, "smart_status": "90%",
                    "remain_life": {"trustable": true, "value": 97}, "size_total": ""}]}),
            list,
        );
        let [spinning, solid] = disks.as_slice() else {
            panic!("{disks:?}");
        };
        assert_eq!(spinning.entity.id.as_str(), "S1");
        assert_eq!(&*spinning.entity.labels["vendor"], "Acme");
        assert_eq!(&*spinning.entity.labels["medium"], "hdd");
        for (field, value) in [
            ("temperature_celsius", FieldValue::F64(45.0)),
            ("size_bytes", FieldValue::I64(3_000_592_982_016)),
            ("uncorrectable_sectors_count", FieldValue::I64(3)),
            ("bad_sectors_exceeded", FieldValue::Bool(true)),
            ("smart_status", FieldValue::Text("normal".into())),
        ] {
            assert_eq!(spinning.fields.get(field), Some(&value), "{field}");
        }
        assert_eq!(spinning.fields.get("life_left_ratio"), None);
        assert!(!spinning.is_solid && solid.is_solid);
        assert_eq!(
            solid.entity.id.as_str(),
            "nvme0n1",
            "it has no serial number"
        );
        assert_eq!(solid.health.as_deref(), Some("testing"));
        assert_eq!(
            solid.fields.get("life_left_ratio"),
            Some(&FieldValue::F64(0.97))
        );
        for absent in ["temperature_celsius", "size_bytes"] {
            assert_eq!(solid.fields.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn without_serial_numbers_a_disk_is_its_bay() {
        let disks = read(
            &json!({"hdd_info": [{"diskno": "Drive 2", "model": "X200", "status": "normal", "temp": 33, "capacity": "4000787030016",
                "volume": "volume_1"}, {"model": "no place"}, {"diskno": "Drive 3"}, "x"]}),
            bays,
        );
        assert_eq!(disks.len(), 1);
        assert_eq!(disks[0].entity.id.as_str(), "Drive 2");
        assert_eq!(disks[0].fields.len(), 3);
        assert_eq!(disks[0].health, None);
    }
}
