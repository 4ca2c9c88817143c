//! The state of the system, `manaRequest.cgi?subfunc=sysinfo`: processor, memory, temperatures, fans, network adapters.

use schemas::{Entity, Fields};

use super::{
    value::{
        bytes_of_mebibytes, entity, integer, name, number, ratio_of_percent, set_number, set_used,
        set_whole, temperature, whole,
    },
    xml::Element,
};

/// Most fans, adapters or bays that are read.
const MOST: u64 = 64;

/// What the system tells.
#[derive(Debug, Default)]
pub(super) struct System {
    pub(super) facts: Facts,
    pub(super) fields: Fields,
    pub(super) fans: Vec<Fan>,
    pub(super) adapters: Vec<(Entity, Fields)>,
    /// Bays with a disk that spins, and whether its temperature is known; QTS 5 and newer.
    pub(super) bays: Vec<(String, bool)>,
}

/// Slow facts about the NAS, which become labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    name: String,
    model: String,
    version: String,
    serial: String,
    cpu_model: String,
}

impl Facts {
    pub(super) fn label(&self, entity: Entity) -> Entity {
        entity
            .with_label("name", &self.name)
            .with_label("model", &self.model)
            .with_label("version", &self.version)
            .with_label("serial", &self.serial)
            .with_label("cpu_model", &self.cpu_model)
    }

    /// Whether its firmware is at least of a version.
    pub(super) fn is_at_least(&self, version: [u32; 3]) -> bool {
        let mut parts = self
            .version
            .split(|c: char| !c.is_ascii_digit())
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().unwrap_or(u32::MAX));
        let own = [(); 3].map(|()| parts.next().unwrap_or(0));
        own >= version
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Fan {
    pub(super) entity: Entity,
    pub(super) status: Option<String>,
    pub(super) fields: Fields,
}

/// Reads it; nothing where it tells nothing of a system.
pub(super) fn read(reply: &Element) -> Option<System> {
    let root = reply.at(&["func", "ownContent", "root"])?;
    let mut fields = Fields::new();
    set_number(
        &mut fields,
        "cpu_ratio",
        ratio_of_percent(root, "cpu_usage"),
    );
    let total = bytes_of_mebibytes(root, "total_memory");
    let free = bytes_of_mebibytes(root, "free_memory");
    set_whole(&mut fields, "memory_total_bytes", total);
    set_used(
        &mut fields,
        ["memory_used_bytes", "memory_used_ratio"],
        total,
        free,
    );
    set_number(
        &mut fields,
        "cpu_temperature_celsius",
        temperature(root, "cpu_tempc"),
    );
    set_number(
        &mut fields,
        "system_temperature_celsius",
        temperature(root, "sys_tempc"),
    );
    set_whole(&mut fields, "uptime_seconds", uptime(root));
    if fields.is_empty() {
        return None;
    }
    Some(System {
        facts: facts(reply, root),
        fields,
        fans: numbered(root, "sysfan_count")
            .filter_map(|i| fan(root, i))
            .collect(),
        adapters: numbered(root, "nic_cnt")
            .filter_map(|i| adapter(root, i))
            .collect(),
        bays: numbered(root, "disk_num")
            .filter_map(|i| bay(root, i))
            .collect(),
    })
}

/// Numbers that stand behind the names of what there is several of.
fn numbered(root: &Element, count: &str) -> impl Iterator<Item = u64> + use<> {
    1..=whole(root, count).unwrap_or(0).min(MOST)
}

fn uptime(root: &Element) -> Option<u64> {
    let part = |of: &str| whole(root, &format!("uptime_{of}")).filter(|n| *n < 1_000_000);
    Some(part("day")? * 86_400 + part("hour")? * 3600 + part("min")? * 60 + part("sec")?)
}

fn facts(reply: &Element, root: &Element) -> Facts {
    let model = reply.child("model");
    let firmware = reply.child("firmware");
    let of = |element: Option<&Element>, key: &str| {
        element
            .and_then(|element| name(element, key))
            .unwrap_or_default()
    };
    Facts {
        name: name(root, "server_name")
            .or_else(|| name(reply, "hostname"))
            .unwrap_or_default(),
        model: of(model, "displayModelName"),
        version: of(firmware, "version"),
        serial: of(Some(root), "serial_number"),
        cpu_model: of(Some(root), "cpu_model"),
    }
}

fn fan(root: &Element, i: u64) -> Option<Fan> {
    let mut fields = Fields::new();
    set_whole(&mut fields, "speed_rpm", whole(root, &format!("sysfan{i}")));
    let status = integer(root, &format!("sysfan{i}_stat")).map(|code| match code {
        0 => "ok".to_owned(),
        -1 => "alarm".to_owned(),
        other => format!("code {other}"),
    });
    if let Some(status) = &status {
        fields.set_text("status", status);
    }
    let entity = entity("qnap_fan", &i.to_string())?;
    (!fields.is_empty()).then_some(Fan {
        entity,
        status,
        fields,
    })
}

fn adapter(root: &Element, i: u64) -> Option<(Entity, Fields)> {
    let of = |what: &str| name(root, &format!("{what}{i}"));
    let count = |what: &str| whole(root, &format!("{what}{i}"));
    // older versions number them without naming them
    let id = of("ifname").unwrap_or_else(|| format!("eth{}", i - 1));
    let address = of("eth_ip").filter(|address| address != "0.0.0.0");
    let entity = entity("qnap_interface", &id)?
        .with_label("name", &of("dname").unwrap_or_default())
        .with_label("mac", &of("eth_mac").unwrap_or_default())
        .with_label("address", &address.unwrap_or_default());
    let mut fields = Fields::new();
    match count("eth_status") {
        Some(0) => fields.set("link_up", false),
        Some(1) => fields.set("link_up", true),
        _ => &mut fields,
    };
    set_whole(&mut fields, "rx_packets_total", count("rx_packet"));
    set_whole(&mut fields, "tx_packets_total", count("tx_packet"));
    set_whole(&mut fields, "errors_total", count("err_packet"));
    (!fields.is_empty()).then_some((entity, fields))
}

fn bay(root: &Element, i: u64) -> Option<(String, bool)> {
    let of = |what: &str| number(root, &format!("{what}{i}"));
    let spins = of("disk_installed") == Some(1.0) && of("hd_is_ssd") != Some(1.0);
    let temperature = temperature(root, &format!("tempc{i}"));
    spins.then(|| (i.to_string(), temperature.is_some()))
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;

    use super::*;
    use crate::integrations::qnap::xml::parse;

    fn reply(root: &str) -> Element {
        parse(&format!(
            "<QDocRoot><model><displayModelName>TS-1</displayModelName></model><firmware><version>5.1.0</version></firmware>\
             <hostname>attic</hostname><func><ownContent><root>{root}</root></ownContent></func></QDocRoot>"
        ))
        .unwrap()
    }

    fn shown(fields: &Fields) -> String {
        fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn a_system_tells_what_it_has() {
        let read = read(&reply(
            "<cpu_usage>2.5 %</cpu_usage><total_memory>1024.0</total_memory><free_memory>256.0</free_memory>\
             <cpu_tempc>0</cpu_tempc><sys_tempc>38</sys_tempc><cpu_model>Some CPU</cpu_model><serial_number>Q1</serial_number>\
             <uptime_day>1</uptime_day><uptime_hour>2</uptime_hour><uptime_min>3</uptime_min><uptime_sec>4</uptime_sec>\
             <sysfan_count>3</sysfan_count><sysfan1>900</sysfan1><sysfan1_stat>0</sysfan1_stat><sysfan2>--</sysfan2>\
             <sysfan2_stat>-1</sysfan2_stat>\
             <nic_cnt>2</nic_cnt><eth_status1>1</eth_status1><rx_packet1>10</rx_packet1><tx_packet1>-</tx_packet1>\
             <err_packet1>0</err_packet1><eth_ip1>192.0.2.1</eth_ip1><eth_mac1>00:08:9b:00:00:01</eth_mac1>\
             <ifname2>bond0</ifname2><dname2>Trunk</dname2><eth_status2>0</eth_status2><eth_ip2>0.0.0.0</eth_ip2>",
        ))
        .unwrap();
        assert_eq!(
            shown(&read.fields),
            "cpu_ratio=0.025 memory_total_bytes=1073741824 memory_used_bytes=805306368 memory_used_ratio=0.75 \
             system_temperature_celsius=38 uptime_seconds=93784"
        );
        let nas = read.facts.label(entity("qnap", "nas1").unwrap());
        let labels: Vec<_> = nas.labels.values().map(|value| &**value).collect();
        assert_eq!(labels, ["Some CPU", "TS-1", "attic", "Q1", "5.1.0"]);
        let fans: Vec<_> = read.fans.iter().map(|fan| shown(&fan.fields)).collect();
        assert_eq!(fans, ["speed_rpm=900 status=ok", "status=alarm"]);
        let adapters: Vec<_> = read
            .adapters
            .iter()
            .map(|(entity, fields)| format!("{} {}", entity.id, shown(fields)))
            .collect();
        assert_eq!(
            adapters,
            [
                "eth0 errors_total=0 link_up=true rx_packets_total=10",
                "bond0 link_up=false"
            ]
        );
        let labels = &read.adapters[1].0.labels;
        assert_eq!(labels.get("name").map(|label| &**label), Some("Trunk"));
        assert_eq!(labels.get("address"), None);
    }

    #[test]
    fn bays_with_disks_that_spin_tell_whether_they_sleep() {
        let read = read(&reply(
            "<cpu_usage>1 %</cpu_usage><disk_num>4</disk_num><disk_installed1>1</disk_installed1><tempc1>35</tempc1>\
             <disk_installed2>1</disk_installed2><tempc2>0</tempc2><disk_installed3>0</disk_installed3>\
             <disk_installed4>1</disk_installed4><hd_is_ssd4>1</hd_is_ssd4><tempc4>40</tempc4>",
        ))
        .unwrap();
        assert_eq!(read.bays, [("1".to_owned(), true), ("2".to_owned(), false)]);
    }

    #[test]
    fn nothing_of_a_system_is_no_system() {
        assert!(read(&reply("")).is_none());
        assert!(read(&reply("<cpu_usage>--</cpu_usage><nic_cnt>2</nic_cnt>")).is_none());
        assert!(read(&parse("<QDocRoot><authPassed>1</authPassed></QDocRoot>").unwrap()).is_none());
    }

    #[test]
    fn a_count_that_cannot_be_is_bounded() {
        let read = read(&reply(
            "<cpu_usage>1 %</cpu_usage><nic_cnt>18446744073709551615</nic_cnt><eth_status65>1</eth_status65>\
             <eth_status64>1</eth_status64><uptime_day>18446744073709551615</uptime_day><uptime_hour>0</uptime_hour>\
             <uptime_min>0</uptime_min><uptime_sec>0</uptime_sec>",
        ))
        .unwrap();
        assert_eq!(read.adapters.len(), 1);
        assert_eq!(
            read.fields.get("cpu_ratio"),
            Some(&FieldValue::F64(0.01)),
            "{read:?}"
        );
        assert_eq!(read.fields.get("uptime_seconds"), None);
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let at_least = |version: &str| {
            let facts = Facts {
                version: version.to_owned(),
                ..Facts::default()
            };
            facts.is_at_least([4, 5, 4])
        };
        for newer in ["4.5.4", "5.0.0", "h5.1.0", "10.0", "5"] {
            assert!(at_least(newer), "{newer}");
        }
        for older in ["4.5.3", "4.2.6", "4.5", ""] {
            assert!(!at_least(older), "{older}");
        }
    }
}
