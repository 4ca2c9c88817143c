//! The disks and what SMART says of them, `qsmart.cgi?func=all_hd_data`.

use std::collections::HashMap;

use schemas::{Entity, Fields};

use super::{
    value::{entity, integer, name, set_number, temperature},
    xml::Element,
};

/// Most disks, those in enclosures included.
const MOST: usize = 512;

#[derive(Debug, PartialEq)]
pub(super) struct Disk {
    pub(super) entity: Entity,
    pub(super) status: Option<String>,
    pub(super) health: Option<String>,
    pub(super) fields: Fields,
    /// Where it is, as `0:1`.
    pub(super) bay: String,
    pub(super) spins: bool,
    /// A disk that sleeps has no temperature.
    pub(super) has_temperature: bool,
}

/// Reads the list; nothing where it is no answer of this call. Bays without a disk are left out.
pub(super) fn read(reply: &Element) -> Option<Vec<Disk>> {
    let entries: Vec<_> = reply
        .child("Disk_Info")?
        .all("entry")
        .filter(|entry| entry.text("Model").is_some())
        .take(MOST)
        .collect();
    let mut serials: HashMap<String, usize> = HashMap::new();
    for serial in entries.iter().filter_map(|entry| name(entry, "Serial")) {
        *serials.entry(serial).or_default() += 1;
    }
    let disks = entries
        .into_iter()
        .filter_map(|entry| disk(entry, &serials))
        .collect();
    Some(disks)
}

fn disk(entry: &Element, serials: &HashMap<String, usize>) -> Option<Disk> {
    let of = |key: &str| name(entry, key).unwrap_or_default();
    let bay = name(entry, "HDNo")?;
    // a serial that several have says nothing of one of them
    let serial = name(entry, "Serial").filter(|serial| serials.get(serial) == Some(&1));
    let id = serial.unwrap_or_else(|| format!("bay {bay}"));
    let temperature = entry
        .child("Temperature")
        .and_then(|both| temperature(both, "oC"));
    let is_ssd = entry.text("hd_is_ssd") == Some("1");
    let entity = entity("qnap_disk", &id)?
        .with_label("name", &format!("bay {bay}"))
        .with_label("model", &of("Model"))
        .with_label("firmware", &of("FirmVersion"))
        .with_label("capacity", &of("Capacity"))
        .with_label("kind", if is_ssd { "ssd" } else { "hdd" });
    let status = integer(entry, "Disk_Status").map(|code| match code {
        0 => "ready".to_owned(),
        -4 => "unknown".to_owned(),
        -5 => "no disk".to_owned(),
        -6 => "invalid".to_owned(),
        -9 => "read or write error".to_owned(),
        other => format!("code {other}"),
    });
    let health = name(entry, "Health")
        .filter(|health| health != "--")
        .map(|health| health.to_lowercase());
    let mut fields = Fields::new();
    set_number(&mut fields, "temperature_celsius", temperature);
    if let Some(status) = &status {
        fields.set_text("status", status);
    }
    if let Some(health) = &health {
        fields.set_text("health", health);
    }
    Some(Disk {
        entity,
        status,
        health,
        fields,
        bay,
        spins: !is_ssd,
        has_temperature: temperature.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;

    use super::*;
    use crate::integrations::qnap::xml::parse;

    fn disks(entries: &str) -> Vec<Disk> {
        read(
            &parse(&format!(
                "<QDocRoot><Disk_Info>{entries}</Disk_Info></QDocRoot>"
            ))
            .unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn a_disk_is_its_serial_and_an_empty_bay_is_none() {
        let read = disks(
            "<entry><HDNo>0:1</HDNo><Model>WD1</Model><Serial>S1</Serial><FirmVersion>80</FirmVersion><Capacity>2.73 TB</Capacity>\
             <Health>OK</Health><Disk_Status>0</Disk_Status><Temperature><oC>37</oC><oF>98</oF></Temperature></entry>\
             <entry><HDNo>0:2</HDNo><Model></Model><Serial></Serial><Health>--</Health><Disk_Status>-5</Disk_Status></entry>\
             <entry><HDNo>0:3</HDNo><Model>SSD</Model><Serial>S3</Serial><Health>Abnormal</Health><Disk_Status>-7</Disk_Status>\
             <Temperature><oC></oC><oF></oF></Temperature><hd_is_ssd>1</hd_is_ssd></entry><entry><Model>no bay</Model></entry>",
        );
        assert_eq!(read.len(), 2);
        let labels: Vec<_> = read[0]
            .entity
            .labels
            .values()
            .map(|label| &**label)
            .collect();
        assert_eq!(labels, ["2.73 TB", "80", "hdd", "WD1", "bay 0:1"]);
        assert_eq!(read[0].entity.id.as_str(), "S1");
        assert_eq!(
            read[0].fields.get("temperature_celsius"),
            Some(&FieldValue::F64(37.0))
        );
        assert_eq!(
            (read[0].status.as_deref(), read[0].health.as_deref()),
            (Some("ready"), Some("ok"))
        );
        assert!(read[0].spins && read[0].has_temperature);
        assert_eq!(
            (read[1].status.as_deref(), read[1].health.as_deref()),
            (Some("code -7"), Some("abnormal"))
        );
        assert_eq!(read[1].fields.get("temperature_celsius"), None);
        assert!(!read[1].spins);
    }

    #[test]
    fn disks_that_share_a_serial_are_told_apart_by_their_bays() {
        let entry = |bay: &str, serial: &str| {
            format!("<entry><HDNo>{bay}</HDNo><Model>M</Model><Serial>{serial}</Serial></entry>")
        };
        let read = disks(
            &[
                entry("1", "X"),
                entry("2", "X"),
                entry("3", "Y"),
                entry("4", ""),
            ]
            .concat(),
        );
        let ids: Vec<_> = read.iter().map(|disk| disk.entity.id.as_str()).collect();
        assert_eq!(ids, ["bay 1", "bay 2", "Y", "bay 4"]);
        assert_eq!(disks(&entry("1", "").repeat(2 * MOST)).len(), MOST);
    }

    #[test]
    fn another_answer_is_told_from_an_empty_one() {
        assert!(disks("").is_empty());
        assert_eq!(
            read(&parse("<QDocRoot><authPassed>1</authPassed></QDocRoot>").unwrap()),
            None
        );
    }
}
