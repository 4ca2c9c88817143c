//! Volumes and shared folders, `chartReq.cgi?chart_func=disk_usage`: two lists that belong together by `volumeValue`.

use std::collections::BTreeMap;

use schemas::{Entity, Fields};

use super::{
    value::{entity, integer, name, set_used, set_whole, whole},
    xml::Element,
};

/// Most volumes, and most folders of a volume.
const MOST: usize = 256;

#[derive(Debug, PartialEq)]
pub(super) struct Volume {
    pub(super) entity: Entity,
    pub(super) status: Option<String>,
    pub(super) fields: Fields,
    pub(super) shares: Vec<(Entity, Fields)>,
}

/// Reads both lists; nothing where it is no answer of this call. What only the second list has is the system's own.
pub(super) fn read(reply: &Element) -> Option<Vec<Volume>> {
    let volumes = reply.child("volumeList");
    let uses = reply.child("volumeUseList");
    if volumes.is_none() && uses.is_none() {
        return None;
    }
    let uses: BTreeMap<_, _> = uses
        .into_iter()
        .flat_map(|list| list.all("volumeUse"))
        .filter_map(|one| Some((name(one, "volumeValue")?, one)))
        .collect();
    let read = volumes
        .into_iter()
        .flat_map(|list| list.all("volume"))
        .take(MOST)
        .filter_map(|one| {
            let id = name(one, "volumeValue")?;
            volume(&id, one, uses.get(&id).copied())
        })
        .collect();
    Some(read)
}

fn volume(id: &str, one: &Element, usage: Option<&Element>) -> Option<Volume> {
    let of = |key: &str| name(one, key).unwrap_or_default();
    let label = name(one, "volumeLabel").unwrap_or_else(|| format!("Volume {id}"));
    let entity = entity("qnap_volume", id)?
        .with_label("name", &label)
        .with_label("raid", &of("volumeStat"))
        .with_label("disks", &of("volumeDisks"));
    let status = integer(one, "volumeStatus").map(|code| match code {
        0 => "ready".to_owned(),
        -1 => "unmounted".to_owned(),
        -4 => "degraded".to_owned(),
        other => format!("code {other}"),
    });
    let mut fields = Fields::new();
    if let Some(status) = &status {
        fields.set_text("status", status);
    }
    let mut shares = Vec::new();
    if let Some(usage) = usage {
        let size = whole(usage, "total_size").filter(|size| *size > 0);
        set_whole(&mut fields, "size_bytes", size);
        let free = whole(usage, "free_size");
        set_used(&mut fields, ["used_bytes", "used_ratio"], size, free);
        shares.extend(
            usage
                .all("folder_element")
                .take(MOST)
                .filter_map(|folder| share(folder, id, &label)),
        );
    }
    Some(Volume {
        entity,
        status,
        fields,
        shares,
    })
}

/// A shared folder; what the system keeps for itself is none.
fn share(folder: &Element, volume: &str, label: &str) -> Option<(Entity, Fields)> {
    if folder.text("type") == Some("system") {
        return None;
    }
    let mut fields = Fields::new();
    fields.set("used_bytes", whole(folder, "used_size")?);
    let shown = name(folder, "sharename")?;
    let entity = entity("qnap_share", &format!("{volume}/{shown}"))?;
    Some((
        entity
            .with_label("name", &shown)
            .with_label("volume", label),
        fields,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::qnap::xml::parse;

    fn shown(fields: &Fields) -> String {
        fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn volumes(text: &str) -> Option<Vec<Volume>> {
        read(&parse(&format!("<QDocRoot>{text}</QDocRoot>")).unwrap())
    }

    #[test]
    fn a_volume_finds_its_use_in_the_other_list() {
        let read = volumes(
            "<volumeList><volume><volumeValue>1</volumeValue><volumeLabel>Data</volumeLabel><volumeStat>raid5</volumeStat>\
             <volumeDisks> 1,2,3</volumeDisks><volumeStatus>0</volumeStatus><freeSize>804</freeSize></volume>\
             <volume><volumeValue>3</volumeValue><volumeStatus>-4</volumeStatus></volume>\
             <volume><volumeValue>4</volumeValue><volumeStatus>-7</volumeStatus></volume><volume></volume></volumeList>\
             <volumeUseList><volumeUse><volumeValue>2</volumeValue><total_size>0</total_size></volumeUse>\
             <volumeUse><volumeValue>1</volumeValue><total_size>1000</total_size><free_size>250</free_size>\
             <folder_element><sharename>Public</sharename><used_size>12</used_size></folder_element><folder_element></folder_element>\
             <folder_element><sharename>System Reserved</sharename><used_size>9</used_size><type>system</type></folder_element>\
             </volumeUse><volumeUse><volumeValue>3</volumeValue><total_size>8</total_size><free_size>9</free_size></volumeUse>\
             </volumeUseList>",
        )
        .unwrap();
        let told: Vec<_> = read
            .iter()
            .map(|v| format!("{} {}", v.entity.id, shown(&v.fields)))
            .collect();
        assert_eq!(
            told,
            [
                "1 size_bytes=1000 status=ready used_bytes=750 used_ratio=0.75",
                "3 size_bytes=8 status=degraded",
                "4 status=code -7"
            ]
        );
        let labels: Vec<_> = read[0]
            .entity
            .labels
            .values()
            .map(|label| &**label)
            .collect();
        assert_eq!(labels, ["1,2,3", "Data", "raid5"]);
        assert_eq!(
            read[1].entity.labels.get("name").map(|l| &**l),
            Some("Volume 3")
        );
        assert_eq!(read[0].shares.len(), 1);
        let (share, fields) = &read[0].shares[0];
        assert_eq!(
            (share.id.as_str(), shown(fields)),
            ("1/Public", "used_bytes=12".to_owned())
        );
    }

    #[test]
    fn no_volume_is_told_from_no_answer() {
        assert_eq!(volumes("<volumeList></volumeList>"), Some(Vec::new()));
        assert_eq!(
            volumes(
                "<volumeUseList><volumeUse><volumeValue>1</volumeValue></volumeUse></volumeUseList>"
            ),
            Some(Vec::new())
        );
        assert_eq!(volumes("<authPassed>1</authPassed>"), None);
    }
}
