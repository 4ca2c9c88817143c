//! What one node tells about itself, `/nodes/{node}/status`.

use schemas::{Entity, Fields};
use serde_json::Value;

use super::wire::{number, set_number, set_whole, text, whole};
use crate::wire;

/// Slow facts about a node, which become labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    version: String,
    kernel: String,
    cpu_model: String,
}

impl Facts {
    pub(super) fn label(&self, entity: Entity) -> Entity {
        entity
            .with_label("version", &self.version)
            .with_label("kernel", &self.kernel)
            .with_label("cpu_model", &self.cpu_model)
    }
}

/// Reads what the list of resources does not have.
pub(super) fn status(data: &Value) -> Option<(Facts, Fields)> {
    let row = data.as_object()?;
    let mut fields = Fields::new();
    if let Some(loads) = row.get("loadavg").and_then(Value::as_array) {
        for (field, load) in ["load_1", "load_5", "load_15"].into_iter().zip(loads) {
            set_number(&mut fields, field, wire::number(load));
        }
    }
    set_number(&mut fields, "io_wait_ratio", number(row, "wait"));
    let part = |name: &str, key: &str| whole(row.get(name)?.as_object()?, key);
    set_whole(&mut fields, "swap_used_bytes", part("swap", "used"));
    set_whole(&mut fields, "swap_total_bytes", part("swap", "total"));
    set_whole(
        &mut fields,
        "memory_available_bytes",
        part("memory", "available"),
    );
    set_whole(&mut fields, "ksm_shared_bytes", part("ksm", "shared"));
    // "pve-manager/8.4-1/761609f7"
    let version = text(row, "pveversion").unwrap_or_default();
    let version = version.split('/').nth(1).unwrap_or(&version).to_owned();
    let inside = |name: &str, key: &str| text(row.get(name)?.as_object()?, key);
    let kernel = inside("current-kernel", "release").or_else(|| text(row, "kversion"));
    let facts = Facts {
        version,
        kernel: kernel.unwrap_or_default(),
        cpu_model: inside("cpuinfo", "model").unwrap_or_default(),
    };
    Some((facts, fields))
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn loads_are_strings_and_what_is_absent_stays_absent() {
        let (facts, fields) = status(&json!({"loadavg": ["0.15", 1, null], "wait": "0.031415926",
            "swap": {"used": 0, "total": "8589934592"}, "memory": {"total": 5}, "ksm": [], "cpuinfo": {"model": "Some CPU"},
            "pveversion": "pve-manager/8.2.4/abc", "kversion": "Linux 6.8", "current-kernel": {"release": "6.8.12-4-pve"}}))
        .unwrap();
        for (name, value) in [
            ("load_1", Some(FieldValue::F64(0.15))),
            ("load_5", Some(FieldValue::F64(1.0))),
            ("load_15", None),
            ("io_wait_ratio", Some(FieldValue::F64(0.0314))),
            ("swap_used_bytes", Some(FieldValue::I64(0))),
            ("swap_total_bytes", Some(FieldValue::I64(8_589_934_592))),
            ("memory_available_bytes", None),
            ("ksm_shared_bytes", None),
        ] {
            assert_eq!(fields.get(name), value.as_ref(), "{name}");
        }
        assert_eq!(
            (facts.version.as_str(), facts.kernel.as_str()),
            ("8.2.4", "6.8.12-4-pve")
        );
        assert_eq!(facts.cpu_model, "Some CPU");
        assert_eq!(status(&json!([1])), None);
    }
}
