use std::fmt;

use schemas::name::excerpt;
use serde_json::Value;

/// Longest name of a device or a type.
const LONGEST: usize = 128;

/// A disk as `smartctl` is asked for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Device {
    pub(super) name: String,
    /// How it is spoken to, where `smartctl` must not find that out itself.
    pub(super) kind: Option<String>,
}

impl Device {
    /// Reads `/dev/sda`, or `/dev/bus/0 megaraid,3`.
    ///
    /// # Errors
    /// It is neither, with what to write.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split_whitespace();
        let device = parts.next().and_then(|name| Self::of(name, parts.next()));
        device.filter(|_| parts.next().is_none()).ok_or_else(|| {
            format!(
                "`{}` is no disk: write `/dev/sda`, or with the type that smartctl wants `/dev/bus/0 megaraid,3`",
                excerpt(text)
            )
        })
    }

    /// One that a scan found.
    pub(super) fn found(row: &Value) -> Option<Self> {
        let kind = row.get("type").and_then(Value::as_str);
        // a scan opens nothing, so what it takes for SCSI may be SATA, which looks different
        Self::of(
            row.get("name")?.as_str()?,
            kind.filter(|kind| *kind != "scsi"),
        )
    }

    /// Neither is taken for an option, nor for anything but a device.
    fn of(name: &str, kind: Option<&str>) -> Option<Self> {
        let fits = |text: &str| {
            (1..=LONGEST).contains(&text.len())
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "/._-,:+".contains(c))
        };
        let is_device = name.starts_with("/dev/") && !name.contains("..") && fits(name);
        let is_kind = kind.is_none_or(|kind| fits(kind) && !kind.starts_with('-'));
        (is_device && is_kind).then(|| Self {
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.kind {
            Some(kind) if kind.contains(',') => write!(f, " {kind}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_device_is_a_path_and_perhaps_a_type() {
        let disk = Device::parse(" /dev/bus/0  megaraid,3 ").unwrap();
        assert_eq!(disk.to_string(), "/dev/bus/0 megaraid,3");
        assert_eq!(Device::parse("/dev/sda").unwrap().kind, None);
        for odd in [
            "",
            "sda",
            "-n",
            "/dev/sda --set=standby,now",
            "/dev/sda -x",
            "/dev/sda sat more",
            "/dev/../etc/shadow",
            "/dev/sda;reboot",
        ] {
            assert!(Device::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn what_a_scan_takes_for_scsi_is_left_to_smartctl() {
        let found = |row| Device::found(&row);
        let sata = found(json!({"name": "/dev/sda", "type": "sat"})).unwrap();
        assert_eq!(sata.kind.as_deref(), Some("sat"));
        let unknown = found(json!({"name": "/dev/sdb", "type": "scsi"})).unwrap();
        assert_eq!(unknown.kind, None);
        for odd in [json!({}), json!({"name": "--all"}), json!(7)] {
            assert_eq!(found(odd), None);
        }
    }
}
