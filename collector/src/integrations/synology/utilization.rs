//! What the NAS does now: processor, memory, network, disks, volumes. DSM samples it by itself, so that asking is cheap.

use schemas::Fields;
use serde_json::Value;

use super::wire::{
    Object, number, object, rows, set_number, set_percent, set_ratio, set_whole, text, whole,
};

/// Most network interfaces, disks or volumes of one NAS that are told.
const MOST: usize = 256;

/// One answer to `SYNO.Core.System.Utilization`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Utilization {
    /// Of the NAS itself.
    pub(super) fields: Fields,
    /// By interface.
    pub(super) networks: Vec<(String, Fields)>,
    pub(super) disks: Vec<DiskUse>,
    /// By DSM's short name, as `volume1`.
    pub(super) volumes: Vec<(String, Fields)>,
}

/// What one disk does.
#[derive(Debug, Default, PartialEq)]
pub(super) struct DiskUse {
    /// `sda`, `sata1`, `nvme0n1`.
    pub(super) device: String,
    /// What DSM calls it, as `Drive 1`.
    pub(super) name: String,
    /// Whether it reads or writes anything.
    pub(super) works: bool,
    /// In the NAS or in an enclosure of its own, not at USB.
    pub(super) is_inside: bool,
    pub(super) fields: Fields,
}

impl Utilization {
    /// Nothing where the answer tells nothing that is understood.
    pub(super) fn of(data: &Value) -> Option<Self> {
        let row = data.as_object()?;
        let mut read = Self::default();
        if let Some(cpu) = object(row, "cpu") {
            processor(cpu, &mut read.fields);
        }
        if let Some(row) = object(row, "memory") {
            memory(row, &mut read.fields);
        }
        for network in rows(row, "network").take(MOST) {
            // `total` is the sum of the others
            let Some(device) = text(network, "device").filter(|device| device != "total") else {
                continue;
            };
            let mut fields = Fields::new();
            set_whole(&mut fields, "rx_bytes_per_second", whole(network, "rx"));
            set_whole(&mut fields, "tx_bytes_per_second", whole(network, "tx"));
            read.networks.push((device, fields));
        }
        if let Some(disks) = object(row, "disk") {
            read.disks = rows(disks, "disk")
                .take(MOST)
                .filter_map(disk_use)
                .collect();
            if let Some(total) = object(disks, "total") {
                for (field, key) in [
                    ("disks_read_bytes_per_second", "read_byte"),
                    ("disks_written_bytes_per_second", "write_byte"),
                ] {
                    set_whole(&mut read.fields, field, whole(total, key));
                }
                let busy = number(total, "utilization");
                set_percent(&mut read.fields, "disks_busy_ratio", busy);
            }
        }
        if let Some(space) = object(row, "space") {
            read.volumes = rows(space, "volume")
                .take(MOST)
                .filter_map(|volume| Some((text(volume, "display_name")?, traffic(volume))))
                .collect();
        }
        let is_told = !(read.fields.is_empty() && read.networks.is_empty());
        is_told.then_some(read)
    }
}

fn processor(cpu: &Object, fields: &mut Fields) {
    let load = |key| number(cpu, key);
    let (user, system) = (load("user_load"), load("system_load"));
    if let (Some(user), Some(system)) = (user, system) {
        set_percent(fields, "cpu_ratio", Some((user + system).min(100.0)));
    }
    set_percent(fields, "cpu_user_ratio", user);
    set_percent(fields, "cpu_system_ratio", system);
    set_percent(fields, "cpu_other_ratio", load("other_load"));
    for (field, key) in [
        ("load_1", "1min_load"),
        ("load_5", "5min_load"),
        ("load_15", "15min_load"),
    ] {
        // in hundredths
        let load = load(key).filter(|load| *load >= 0.0);
        set_number(fields, field, load.map(|load| load / 100.0));
    }
}

fn memory(row: &Object, fields: &mut Fields) {
    let bytes = |key| whole(row, key).and_then(|kib| kib.checked_mul(1024));
    let total = bytes("total_real");
    set_whole(fields, "memory_installed_bytes", bytes("memory_size"));
    set_whole(fields, "memory_total_bytes", total);
    let free = [bytes("avail_real"), bytes("buffer"), bytes("cached")];
    let used = total.and_then(|total| {
        free.into_iter()
            .try_fold(total, |left, part| left.checked_sub(part?))
    });
    set_whole(fields, "memory_used_bytes", used);
    set_ratio(fields, "memory_used_ratio", used, total);
    let swap = bytes("total_swap");
    set_whole(fields, "swap_total_bytes", swap);
    let used = swap.and_then(|total| total.checked_sub(bytes("avail_swap")?));
    set_whole(fields, "swap_used_bytes", used);
}

fn disk_use(row: &Object) -> Option<DiskUse> {
    let device = text(row, "device")?;
    let works = [
        "read_access",
        "write_access",
        "read_byte",
        "write_byte",
        "utilization",
    ]
    .into_iter()
    .any(|key| number(row, key).is_some_and(|number| number > 0.0));
    let place = text(row, "type");
    Some(DiskUse {
        device,
        name: text(row, "display_name").unwrap_or_default(),
        works,
        is_inside: matches!(place.as_deref(), None | Some("internal" | "ebox")),
        fields: traffic(row),
    })
}

fn traffic(row: &Object) -> Fields {
    let mut fields = Fields::new();
    for (field, key) in [
        ("read_bytes_per_second", "read_byte"),
        ("written_bytes_per_second", "write_byte"),
        ("reads_per_second", "read_access"),
        ("writes_per_second", "write_access"),
    ] {
        set_whole(&mut fields, field, whole(row, key));
    }
    set_percent(&mut fields, "busy_ratio", number(row, "utilization"));
    fields
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_load_is_read_in_its_units() {
        let read = Utilization::of(&json!({
            "cpu": {"1min_load": 141, "5min_load": "234", "15min_load": -1, "user_load": 7, "system_load": 3, "other_load": 63},
            "memory": {"memory_size": 8192, "total_real": 1000, "avail_real": 100, "buffer": 50, "cached": "350",
                "total_swap": 200, "avail_swap": 150},
            "network": [{"device": "total", "rx": 30, "tx": 7}, {"device": "eth0", "rx": 10, "tx": "7"}, {"rx": 1}, 5],
            "disk": {"total": {"read_byte": 5, "write_byte": 6, "utilization": 40}, "disk": [
                {"device": "sda", "display_name": "Drive 1", "type": "internal", "utilization": 0, "read_access": 0,
                    "write_access": 0, "read_byte": 0, "write_byte": 0},
                {"device": "sdq", "type": "usb", "write_byte": 4, "utilization": 700}, {}]},
            "space": {"volume": [{"device": "md2", "display_name": "volume1", "read_byte": 1, "utilization": 50}, null]}
        }))
        .unwrap();
        for (field, value) in [
            ("cpu_ratio", FieldValue::F64(0.1)),
            ("cpu_other_ratio", FieldValue::F64(0.63)),
            ("load_1", FieldValue::F64(1.41)),
            ("load_5", FieldValue::F64(2.34)),
            ("memory_total_bytes", FieldValue::I64(1_024_000)),
            ("memory_used_bytes", FieldValue::I64(512_000)),
            ("memory_used_ratio", FieldValue::F64(0.5)),
            ("swap_used_bytes", FieldValue::I64(51_200)),
            ("disks_busy_ratio", FieldValue::F64(0.4)),
            ("disks_read_bytes_per_second", FieldValue::I64(5)),
        ] {
            assert_eq!(read.fields.get(field), Some(&value), "{field}");
        }
        assert_eq!(read.fields.get("load_15"), None);
        assert_eq!(read.networks.len(), 1);
        assert_eq!(read.networks[0].0, "eth0");
        assert_eq!(
            read.networks[0].1.get("tx_bytes_per_second"),
            Some(&FieldValue::I64(7))
        );
        let [inside, outside] = read.disks.as_slice() else {
            panic!("{:?}", read.disks);
        };
        assert_eq!((inside.works, inside.is_inside), (false, true));
        assert_eq!((outside.works, outside.is_inside), (true, false));
        assert_eq!(outside.fields.get("busy_ratio"), None, "more than all");
        assert_eq!(
            read.volumes[0].1.get("busy_ratio"),
            Some(&FieldValue::F64(0.5))
        );
    }

    #[test]
    fn what_is_missing_is_absent_and_nothing_is_nothing() {
        let read = Utilization::of(
            &json!({"cpu": {"user_load": 7}, "memory": {"total_real": 10, "avail_real": 20,
            "buffer": 0, "cached": 0}}),
        )
        .unwrap();
        for field in ["cpu_ratio", "memory_used_bytes", "swap_total_bytes"] {
            assert_eq!(read.fields.get(field), None, "{field}");
        }
        for nothing in [
            json!({}),
            json!([]),
            json!(null),
            json!({"cpu": 7, "network": {"a": 1}, "disk": []}),
        ] {
            assert_eq!(Utilization::of(&nothing), None, "{nothing}");
        }
    }
}
