//! Volumes, and the storage pools (RAID groups) that they stand on.

use schemas::{Entity, Fields};

use super::wire::{
    Object, entity, flag, number, object, rows, set_flag, set_percent, set_ratio, set_text,
    set_whole, text, whole,
};

/// A volume or a pool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Space {
    pub(super) entity: Entity,
    pub(super) status: Option<String>,
    /// What is done with it now, as a repair; `none` else.
    pub(super) task: Option<String>,
    pub(super) fields: Fields,
}

/// `volumes` of `load_info`.
pub(super) fn volumes(data: &Object) -> Vec<Space> {
    rows(data, "volumes").filter_map(volume).collect()
}

/// `vol_info` of `SYNO.Core.System`.
pub(super) fn summaries(data: &Object) -> Vec<Space> {
    rows(data, "vol_info").filter_map(summary).collect()
}

/// `storagePools` of `load_info`.
pub(super) fn pools(data: &Object) -> Vec<Space> {
    rows(data, "storagePools").filter_map(pool).collect()
}

/// The name of a volume where DSM writes it short: `volume1` of `volume_1`.
pub(super) fn short_name(id: &str) -> String {
    id.replace('_', "")
}

fn volume(row: &Object) -> Option<Space> {
    let id = text(row, "id")?;
    let mut fields = Fields::new();
    let (status, task) = condition(row, &mut fields);
    if let Some(size) = object(row, "size") {
        let (used, total) = (whole(size, "used"), whole(size, "total"));
        set_whole(&mut fields, "used_bytes", used);
        set_whole(&mut fields, "size_bytes", total);
        set_ratio(&mut fields, "used_ratio", used, total);
        // a file system without a fixed number of them writes 0
        let inodes = whole(size, "total_inode").filter(|total| *total > 0);
        let free = whole(size, "free_inode");
        let used = inodes.and_then(|total| total.checked_sub(free?));
        set_ratio(&mut fields, "inodes_used_ratio", used, inodes);
    }
    set_flag(&mut fields, "writable", flag(row, "is_writable"));
    if fields.is_empty() {
        return None;
    }
    let label = |key| text(row, key).unwrap_or_default();
    let path = label("vol_path");
    let entity = entity("volume", &id)?
        .with_label("name", path.trim_matches('/'))
        .with_label("description", &label("vol_desc"))
        .with_label("file_system", &label("fs_type"))
        .with_label("raid_type", &label("device_type"))
        .with_label("pool", &label("pool_path"));
    Some(Space {
        entity,
        status,
        task,
        fields,
    })
}

fn summary(row: &Object) -> Option<Space> {
    let id = text(row, "name")?;
    let status = text(row, "status");
    let (used, total) = (whole(row, "used_size"), whole(row, "total_size"));
    let mut fields = Fields::new();
    set_text(&mut fields, "status", status.as_deref());
    set_whole(&mut fields, "used_bytes", used);
    set_whole(&mut fields, "size_bytes", total);
    set_ratio(&mut fields, "used_ratio", used, total);
    if fields.is_empty() {
        return None;
    }
    let entity = entity("volume", &id)?.with_label("name", &short_name(&id));
    Some(Space {
        entity,
        status,
        task: None,
        fields,
    })
}

fn pool(row: &Object) -> Option<Space> {
    let id = text(row, "id")?;
    let mut fields = Fields::new();
    let (status, task) = condition(row, &mut fields);
    if let Some(size) = object(row, "size") {
        set_whole(&mut fields, "size_bytes", whole(size, "total"));
        set_whole(&mut fields, "allocated_bytes", whole(size, "used"));
    }
    let failed = whole(row, "disk_failure_number");
    set_whole(&mut fields, "failed_disks_count", failed);
    let (mut wanted, mut normal) = (None, None);
    for raid in rows(row, "raids") {
        wanted = sum(wanted, whole(raid, "designedDiskCount"));
        normal = sum(normal, whole(raid, "normalDevCount"));
    }
    set_whole(&mut fields, "raid_devices_count", wanted);
    set_whole(&mut fields, "raid_devices_normal_count", normal);
    let scrubbing = text(row, "scrubbingStatus");
    set_text(&mut fields, "scrubbing", scrubbing.as_deref());
    if fields.is_empty() {
        return None;
    }
    let label = |key| text(row, key).unwrap_or_default();
    let number = label("num_id");
    let name = if number.is_empty() {
        String::new()
    } else {
        format!("Storage Pool {number}")
    };
    let entity = entity("pool", &id)?
        .with_label("name", &name)
        .with_label("description", &label("desc"))
        .with_label("raid_type", &label("device_type"));
    Some(Space {
        entity,
        status,
        task,
        fields,
    })
}

fn sum(so_far: Option<u64>, more: Option<u64>) -> Option<u64> {
    match (so_far, more) {
        (Some(so_far), Some(more)) => so_far.checked_add(more),
        (so_far, more) => so_far.or(more),
    }
}

/// The status, and what is done and how far it is.
fn condition(row: &Object, fields: &mut Fields) -> (Option<String>, Option<String>) {
    let status = text(row, "status");
    set_text(fields, "status", status.as_deref());
    let progress = object(row, "progress");
    let task = progress.and_then(|progress| text(progress, "step"));
    set_text(fields, "task", task.as_deref());
    let percent = progress.and_then(|progress| number(progress, "percent"));
    set_percent(fields, "task_progress_ratio", percent);
    (status, task)
}

#[cfg(test)]
mod tests {
    use schemas::FieldValue;
    use serde_json::{Value, json};

    use super::*;

    fn read(value: &Value, of: fn(&Object) -> Vec<Space>) -> Vec<Space> {
        of(value.as_object().unwrap())
    }

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.into())
    }

    #[test]
    fn a_volume_tells_how_full_it_is() {
        let volumes = read(
            &json!({"volumes": [{"id": "test_volume"}, {"status": "normal"}, 7,
                {"id": "volume_4", "vol_path": "/volume4", "fs_type": "btrfs", "device_type": "shr_without_disk_protect",
                    "status": "attention", "is_writable": true, "pool_path": "reuse_4", "progress": {"percent": "12.5", "step": "repair"},
                    "size": {"total": "1000", "used": "250", "total_inode": "0", "free_inode": "0"}},
                {"id": "volume_1", "progress": {"percent": "-1", "step": "none"},
                    "size": {"total": "0", "used": "x", "total_inode": "1000", "free_inode": "900"}}]}),
            volumes,
        );
        let [btrfs, ext] = volumes.as_slice() else {
            panic!("{volumes:?}");
        };
        assert_eq!(&*btrfs.entity.labels["name"], "volume4");
        assert_eq!(btrfs.status.as_deref(), Some("attention"));
        assert_eq!(btrfs.task.as_deref(), Some("repair"));
        for (field, value) in [
            ("used_bytes", FieldValue::I64(250)),
            ("used_ratio", FieldValue::F64(0.25)),
            ("task_progress_ratio", FieldValue::F64(0.125)),
            ("task", text("repair")),
            ("writable", FieldValue::Bool(true)),
        ] {
            assert_eq!(btrfs.fields.get(field), Some(&value), "{field}");
        }
        assert_eq!(btrfs.fields.get("inodes_used_ratio"), None);
        assert_eq!(
            ext.fields.get("inodes_used_ratio"),
            Some(&FieldValue::F64(0.1))
        );
        for absent in ["used_bytes", "used_ratio", "task_progress_ratio", "status"] {
            assert_eq!(ext.fields.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn a_volume_is_the_same_for_whoever_may_only_look() {
        let summaries = read(
            &json!({"vol_info": [{"name": "volume_1", "status": "normal", "used_size": "5", "total_size": "20"}, {"status": "x"},
                {"name": "volume_2"}]}),
            summaries,
        );
        assert_eq!(summaries.len(), 1);
        assert_eq!(summaries[0].entity.id.as_str(), "volume_1");
        assert_eq!(&*summaries[0].entity.labels["name"], "volume1");
        assert_eq!(
            summaries[0].fields.get("used_ratio"),
            Some(&FieldValue::F64(0.25))
        );
    }

    #[test]
    fn a_pool_tells_its_raid() {
        let pools = read(
            &json!({"storagePools": [{"id": "reuse_1", "num_id": 1, "status": "degrade", "device_type": "raid_5", "disk_failure_number": 1,
                "size": {"total": "2000", "used": "1500"}, "scrubbingStatus": "ready",
                "raids": [{"designedDiskCount": 3, "normalDevCount": 2}, {"designedDiskCount": "2", "normalDevCount": 2}, 5]},
                {"id": "reuse_2"}, {}]}),
            pools,
        );
        assert_eq!(pools.len(), 1);
        assert_eq!(&*pools[0].entity.labels["name"], "Storage Pool 1");
        for (field, value) in [
            ("status", text("degrade")),
            ("size_bytes", FieldValue::I64(2000)),
            ("allocated_bytes", FieldValue::I64(1500)),
            ("failed_disks_count", FieldValue::I64(1)),
            ("raid_devices_count", FieldValue::I64(5)),
            ("raid_devices_normal_count", FieldValue::I64(4)),
            ("scrubbing", text("ready")),
        ] {
            assert_eq!(pools[0].fields.get(field), Some(&value), "{field}");
        }
    }
}
