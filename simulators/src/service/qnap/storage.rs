//! Disks and volumes.

use super::{Qnap, tag};
use crate::{
    number::{real, whole},
    world::nas::Reading,
};

/// How a disk's size is shown: in binary units that are called decimal ones.
fn capacity(bytes: i64) -> String {
    let tebi = real(bytes) / 1_099_511_627_776.0;
    if tebi >= 1.0 {
        format!("{tebi:.2} TB")
    } else {
        format!("{:.2} GB", tebi * 1024.0)
    }
}

impl Qnap {
    pub(super) fn disks(&self, reading: &Reading) -> String {
        let mut entries = String::new();
        for (disk, now) in self.nas.disks.iter().zip(&reading.disks) {
            entries.push_str(&format!(
                "<entry>{}{}{}{}{}<Temperature>{}{}</Temperature>{}{}{}{}{}{}</entry>\n",
                tag("Disk_Status", 0),
                tag("HDNo", format!("0:{}", disk.slot)),
                tag(
                    "Vendor",
                    format!("{} {} {}", disk.vendor, disk.model, disk.firmware)
                ),
                tag("Health", "OK"),
                tag("Capacity", capacity(disk.bytes)),
                tag("oC", now.celsius),
                tag("oF", whole(real(now.celsius) * 1.8 + 32.0)),
                tag("LastTestSts", ""),
                tag("Model", disk.model),
                tag("Serial", &disk.serial),
                tag("FirmVersion", disk.firmware),
                tag("ATAVersion", disk.firmware),
                tag("hd_is_ssd", i64::from(disk.ssd)),
            ));
        }
        // an M.2 slot with nothing in it
        entries.push_str(&format!(
            "<entry>{}{}{}{}{}<Temperature>{}{}</Temperature>{}{}{}</entry>\n",
            tag("Disk_Status", -5),
            tag("HDNo", "0:5"),
            tag("Vendor", ""),
            tag("Health", "--"),
            tag("Capacity", "--"),
            tag("oC", ""),
            tag("oF", ""),
            tag("Model", ""),
            tag("Serial", ""),
            tag("hd_is_ssd", 0),
        ));
        format!(
            "{}{}{}<Disk_Info>{entries}</Disk_Info>\n",
            tag("HDTempWarnT", 55),
            tag("HDTempErrT", 60),
            tag("SSDTempWarnT", 70),
        )
    }

    pub(super) fn disk_usage(&self, reading: &Reading) -> String {
        let (mut list, mut used_list) = (String::new(), String::new());
        for (volume, used) in self.nas.volumes.iter().zip(&reading.used) {
            let free = volume.bytes - used;
            let disks: Vec<_> = volume.slots.iter().map(ToString::to_string).collect();
            list.push_str(&format!(
                "<volume>{}{}{}{}{}{}{}{}</volume>\n",
                tag("volumeStat", volume.raid),
                tag("volumeDisks", disks.join(",")),
                tag("volumeStatus", 0),
                tag("Progress", 100),
                tag("volumeValue", volume.number),
                tag("freeSize", free >> 30),
                tag("fstype", 9),
                tag("volumeLabel", volume.label),
            ));
            let folders: String = [("Public", 0.2), ("Multimedia", 0.6), ("homes", 0.1)]
                .map(|(name, share)| {
                    format!(
                        "<folder_element>{}{}</folder_element>\n",
                        tag("sharename", name),
                        tag("used_size", whole(real(*used) * share))
                    )
                })
                .concat();
            used_list.push_str(&format!(
                "<volumeUse>{}{}{}{folders}{}</volumeUse>\n",
                tag("volumeValue", volume.number),
                tag("total_size", volume.bytes),
                tag("free_size", free),
                tag("found_quota", 0),
            ));
        }
        // the system has one of its own, which is in no list of volumes
        used_list.push_str(&format!(
            "<volumeUse>{}{}{}<folder_element>{}{}</folder_element></volumeUse>\n",
            tag("volumeValue", 256),
            tag("total_size", 0),
            tag("free_size", 0),
            tag("sharename", "System Reserved"),
            tag("used_size", 0),
        ));
        format!("<volumeList>{list}</volumeList>\n<volumeUseList>{used_list}</volumeUseList>\n")
    }

    pub(super) fn volumes(&self, reading: &Reading) -> String {
        let rows: String = self
            .nas
            .volumes
            .iter()
            .zip(&reading.used)
            .map(|(volume, used)| {
                format!(
                    "<row>{}{}{}{}{}{}{}{}</row>\n",
                    tag("vol_no", volume.number),
                    tag("vol_label", volume.label),
                    tag("vol_status", 0),
                    tag("lv_type", "qnap_thick"),
                    tag("poolID", volume.number),
                    tag(
                        "mappingName",
                        format!("/dev/mapper/cachedev{}", volume.number)
                    ),
                    tag("unclean", 0),
                    tag("used_percent", used * 100 / volume.bytes),
                )
            })
            .collect();
        format!("<Volume_Index>{rows}</Volume_Index>\n")
    }

    pub(super) fn pools(&self) -> String {
        let rows: String = self
            .nas
            .volumes
            .iter()
            .map(|volume| {
                format!(
                    "<row>{}{}{}{}</row>\n",
                    tag("poolID", volume.number),
                    tag("pool_status", 0),
                    tag("capacity_bytes", volume.bytes + (1 << 36)),
                    tag("freesize_bytes", 0),
                )
            })
            .collect();
        format!("<Pool_Index>{rows}</Pool_Index>\n")
    }
}
