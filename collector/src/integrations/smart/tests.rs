mod fake;
mod real;
pub(in crate::integrations) mod recorded;

use fake::Fake;
use schemas::{EventType, FieldValue};
use serde_json::{Value, json};

use super::*;
use crate::{batch::Observation, testing};

fn open(command: &str, devices: &[&str]) -> Smart {
    let params = Params {
        command: command.to_owned(),
        devices: devices.iter().map(ToString::to_string).collect(),
        ..Params::default()
    };
    Smart::open(params, &testing::context("here.smart")).unwrap()
}

async fn poll(smart: &mut Smart) -> Vec<Observation> {
    let mut batch = testing::batch();
    smart.poll(&mut batch).await.unwrap();
    testing::checked(batch, METRICS).0
}

async fn fails(smart: &mut Smart) -> PollError {
    smart.poll(&mut testing::batch()).await.unwrap_err()
}

/// A disk over ATA as `smartctl` writes it.
fn ata(serial: &str) -> Value {
    json!({
        "smartctl": {"exit_status": 0}, "device": {"name": "/dev/sda", "protocol": "ATA"},
        "model_name": "SPIN 4T", "model_family": "Spin", "serial_number": serial, "firmware_version": "81.0",
        "user_capacity": {"blocks": 7_814_037_168_u64, "bytes": 4_000_787_030_016_u64},
        "smart_status": {"passed": true}, "temperature": {"current": 34},
        "power_on_time": {"hours": 1000, "minutes": 30}, "power_cycle_count": 12,
        "ata_smart_attributes": {"table": [
            {"id": 5, "name": "Reallocated_Sector_Ct", "raw": {"value": 8, "string": "8"}},
            {"id": 197, "name": "Current_Pending_Sector", "raw": {"value": 2, "string": "2"}},
            {"id": 198, "name": "Offline_Uncorrectable", "raw": {"value": 4_294_967_297_u64, "string": "1 (2 3)"}},
            {"id": 199, "name": "UDMA_CRC_Error_Count", "raw": {"value": 7}},
            {"id": 187, "name": "Something_Else", "raw": {"value": 9}},
            {"id": "5", "name": 7, "raw": []}]},
        "ata_smart_error_log": {"summary": {"count": 3}},
        "ata_smart_self_test_log": {"standard": {"table": [
            {"status": {"value": 0, "string": "Completed without error", "passed": true}}]}}
    })
}

fn has(event: &Observation, expected: &[(&str, FieldValue)]) {
    for (field, value) in expected {
        assert_eq!(event.fields.get(field), Some(value), "{field}");
    }
}

#[tokio::test]
async fn a_disk_over_ata_is_known_by_its_serial_number() {
    let fake = Fake::start();
    fake.scan(&json!([{"name": "/dev/sda", "type": "sat"}]));
    // bits 2, 5 and 6: some command failed, an attribute failed before, errors are logged
    fake.disk("sda", 100, &ata("S1"));
    let told = poll(&mut open(&fake.command(), &[])).await;
    let [disk] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(disk.entity.id.as_str(), "S1");
    let label = |name: &str| disk.entity.labels.get(name).map(|text| &**text);
    assert_eq!(label("name"), Some("/dev/sda"));
    assert_eq!(
        (label("model"), label("protocol")),
        (Some("SPIN 4T"), Some("ATA"))
    );
    has(
        disk,
        &[
            ("health", FieldValue::text("passed").unwrap()),
            ("power_mode", FieldValue::text("active").unwrap()),
            ("temperature_celsius", FieldValue::F64(34.0)),
            ("power_on_seconds_total", FieldValue::I64(3_601_800)),
            ("power_cycles_total", FieldValue::I64(12)),
            ("size_bytes", FieldValue::I64(4_000_787_030_016)),
            ("reallocated_sectors_count", FieldValue::I64(8)),
            ("pending_sectors_count", FieldValue::I64(2)),
            ("uncorrectable_sectors_count", FieldValue::I64(1)),
            ("crc_errors_total", FieldValue::I64(7)),
            ("logged_errors_total", FieldValue::I64(3)),
            ("attribute_failing", FieldValue::Bool(false)),
            ("attribute_failed_before", FieldValue::Bool(true)),
            ("self_test_passed", FieldValue::Bool(true)),
        ],
    );
    for absent in [
        "reported_errors_total",
        "life_left_ratio",
        "media_errors_total",
    ] {
        assert_eq!(disk.fields.get(absent), None, "{absent}");
    }
    assert_eq!(
        fake.asked(),
        [
            "--scan --json=c",
            "-n standby,3 --json=c --all -d sat /dev/sda"
        ]
    );
}

#[tokio::test]
async fn disks_over_nvme_and_scsi_are_read() {
    let fake = Fake::start();
    fake.disk(
        "nvme0",
        0,
        &json!({"smartctl": {}, "device": {"protocol": "NVMe"}, "serial_number": "N1", "model_name": "Quick",
            "smart_status": {"passed": false}, "temperature": {"current": -273},
            "nvme_smart_health_information_log": {"critical_warning": 4, "available_spare": 90, "percentage_used": 130,
                "data_units_read": 2, "data_units_written": "3", "unsafe_shutdowns": 5, "media_errors": 6,
                "num_err_log_entries": u64::MAX},
            "nvme_self_test_log": {"table": [{"self_test_result": {"value": 7, "string": "Completed: failed segments"}}]}}),
    );
    fake.disk(
        "sdb",
        0,
        &json!({"smartctl": {}, "device": {"protocol": "SCSI"}, "serial_number": "", "logical_unit_id": "0x5000",
            "scsi_model_name": "SAS 9", "smart_status": {"passed": true}, "scsi_grown_defect_list": 3,
            "scsi_percentage_used_endurance_indicator": 10,
            "scsi_error_counter_log": {"read": {"total_uncorrected_errors": 1}, "write": {"total_uncorrected_errors": 2}}}),
    );
    let mut smart = open(&fake.command(), &["/dev/nvme0", "/dev/sdb"]);
    let mut told = poll(&mut smart).await;
    told.sort_by(|a, b| a.entity.id.cmp(&b.entity.id));
    let [scsi, nvme] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (nvme.entity.id.as_str(), scsi.entity.id.as_str()),
        ("N1", "0x5000")
    );
    has(
        nvme,
        &[
            ("health", FieldValue::text("failed").unwrap()),
            ("critical_warning", FieldValue::I64(4)),
            ("life_left_ratio", FieldValue::F64(0.0)),
            ("spare_left_ratio", FieldValue::F64(0.9)),
            ("read_bytes_total", FieldValue::I64(1_024_000)),
            ("written_bytes_total", FieldValue::I64(1_536_000)),
            ("media_errors_total", FieldValue::I64(6)),
            ("unsafe_shutdowns_total", FieldValue::I64(5)),
            ("self_test_passed", FieldValue::Bool(false)),
        ],
    );
    assert_eq!(
        nvme.fields.get("temperature_celsius"),
        None,
        "absolute zero is no temperature"
    );
    assert_eq!(nvme.fields.get("power_mode"), None);
    has(
        scsi,
        &[
            ("grown_defects_count", FieldValue::I64(3)),
            ("uncorrected_errors_total", FieldValue::I64(3)),
            ("life_left_ratio", FieldValue::F64(0.9)),
        ],
    );
}

/// The fake counts as woken what is asked of a sleeping disk beyond its power mode.
#[tokio::test]
async fn a_disk_in_standby_is_never_asked_for_more() {
    let fake = Fake::start();
    fake.scan(&json!([{"name": "/dev/sda", "type": "scsi"}, {"name": "/dev/sdb", "type": "sat"}]));
    fake.disk("sda", 0, &ata("S1"));
    fake.disk("sdb", 0, &ata("S2"));
    fake.sleep("sdb", true);
    let mut smart = open(&fake.command(), &[]);
    let told = poll(&mut smart).await;
    assert_eq!(
        told.len(),
        1,
        "one that never woke has no name yet: {told:?}"
    );
    fake.sleep("sda", true);
    for _ in 0..3 {
        let told = poll(&mut smart).await;
        let [asleep] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(asleep.entity.id.as_str(), "S1");
        assert_eq!(asleep.fields.len(), 1);
        has(
            asleep,
            &[("power_mode", FieldValue::text("standby").unwrap())],
        );
    }
    assert_eq!(fake.woken(), Vec::<String>::new());
    let asked = fake.asked();
    let of_disks: Vec<_> = asked
        .iter()
        .filter(|line| !line.starts_with("--scan "))
        .collect();
    assert_eq!(of_disks.len(), 8);
    assert!(
        of_disks
            .iter()
            .all(|line| line.starts_with("-n standby,3 ")),
        "{asked:?}"
    );
    assert!(
        asked.iter().all(|line| !line.contains("--scan-open")),
        "{asked:?}"
    );
    fake.sleep("sdb", false);
    assert_eq!(
        poll(&mut smart).await.len(),
        2,
        "it is read when it woke by itself"
    );

    // the fake can fail: without the option a sleeping disk wakes
    fake.sleep("sda", true);
    let plain = tokio::process::Command::new(fake.command())
        .args(["--all", "/dev/sda"])
        .output()
        .await
        .unwrap();
    assert!(plain.status.success());
    assert_eq!(fake.woken(), ["/dev/sda"]);
}

#[tokio::test]
async fn a_disk_that_begins_to_fail_is_a_change() {
    let fake = Fake::start();
    fake.disk("sda", 0, &ata("S1"));
    let mut smart = open(&fake.command(), &["/dev/sda"]);
    assert!(
        poll(&mut smart)
            .await
            .iter()
            .all(|e| e.event_type == EventType::Sample)
    );
    let mut failing = ata("S1");
    failing["smart_status"] = json!({"passed": false});
    fake.disk("sda", 24, &failing);
    let told = poll(&mut smart).await;
    let change = told
        .iter()
        .find(|e| e.event_type == EventType::Change)
        .unwrap();
    has(
        change,
        &[
            ("health", FieldValue::text("failed").unwrap()),
            ("old_health", FieldValue::text("passed").unwrap()),
        ],
    );
    has(&told[1], &[("attribute_failing", FieldValue::Bool(true))]);
    // another disk in its place did not change
    fake.disk("sda", 0, &ata("S2"));
    assert_eq!(poll(&mut smart).await.len(), 1);
}

#[tokio::test]
async fn what_hinders_it_is_told_with_the_fix() {
    let mut missing = open("/nowhere/smartctl", &[]);
    let failed = fails(&mut missing).await;
    assert_eq!(failed.class, FailureClass::Other);
    assert!(failed.message.contains("install smartmontools"), "{failed}");

    let fake = Fake::start();
    fake.scan(&json!([]));
    let none = fails(&mut open(&fake.command(), &[])).await;
    assert!(none.message.contains("finds no disk"), "{none}");

    let says = |text: &str| {
        json!({"smartctl": {"messages": [
            {"string": "a word of warning", "severity": "warning"}, {"string": text, "severity": "error"}]}})
    };
    for (exit, text, class, fix) in [
        (
            2,
            "Smartctl open device: /dev/sda failed: Permission denied",
            FailureClass::NoPermission,
            "as root",
        ),
        (
            2,
            "Smartctl open device: /dev/sda failed: No such device",
            FailureClass::Unreachable,
            "exclude",
        ),
        (
            1,
            "/dev/sda: Unknown USB bridge [0x1234:0x5678]",
            FailureClass::BadAnswer,
            "devices",
        ),
    ] {
        fake.disk("sda", exit, &says(text));
        let failed = fails(&mut open(&fake.command(), &["/dev/sda"])).await;
        assert_eq!(failed.class, class, "{failed}");
        assert!(
            failed.message.contains(text) && failed.message.contains(fix),
            "{failed}"
        );
    }
    for text in [
        "",
        "=======> UNRECOGNIZED OPTION: json",
        "{\"smartctl\": 7}",
        "[[[",
    ] {
        fake.text("sda", 1, text);
        let old = fails(&mut open(&fake.command(), &["/dev/sda"])).await;
        assert_eq!(old.class, FailureClass::BadAnswer, "{text}: {old}");
        assert!(old.message.contains("7.0 or newer"), "{old}");
    }
    // a file that may not be run
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("smartctl");
    std::fs::write(&plain, "").unwrap();
    let forbidden = fails(&mut open(plain.to_str().unwrap(), &[])).await;
    assert_eq!(forbidden.class, FailureClass::NoPermission, "{forbidden}");
}

#[tokio::test]
async fn one_disk_that_cannot_be_read_does_not_hide_the_others() {
    let fake = Fake::start();
    fake.disk("sda", 0, &ata("S1"));
    fake.text("sdb", 0, "nonsense");
    let mut smart = open(&fake.command(), &["/dev/sdb", "/dev/sda"]);
    let told = poll(&mut smart).await;
    assert_eq!(told.len(), 1);
    assert!(smart.told.contains(&Device::parse("/dev/sdb").unwrap()));
}

#[tokio::test]
async fn a_disk_that_hangs_is_ended_and_left_alone() {
    let fake = Fake::start();
    fake.hang("sda");
    let mut smart = open(&fake.command(), &["/dev/sda"]);
    smart.smartctl = smart.smartctl.with_patience(Duration::from_millis(300));
    for _ in 0..3 {
        let hangs = fails(&mut smart).await;
        assert_eq!(hangs.class, FailureClass::Timeout, "{hangs}");
    }
    assert_eq!(fake.asked().len(), 1, "asked once only");
}

#[tokio::test]
async fn wrong_options_are_refused() {
    let refused = |params: Value| {
        let params: Params = serde_json::from_value(params).unwrap();
        Smart::open(params, &testing::context("here.smart"))
            .err()
            .unwrap()
    };
    assert_eq!(refused(json!({"command": "sudo smartctl"})).key, "command");
    assert_eq!(refused(json!({"devices": ["sda"]})).key, "devices");
    assert_eq!(refused(json!({"exclude": ["--all"]})).key, "exclude");
    let fake = Fake::start();
    fake.scan(&json!([{"name": "/dev/sda"}, {"name": "/dev/sdb"}]));
    fake.disk("sdb", 0, &ata("S2"));
    let params =
        serde_json::from_value(json!({"command": fake.command(), "exclude": ["/dev/sda"]}));
    let mut smart = Smart::open(params.unwrap(), &testing::context("here.smart")).unwrap();
    assert_eq!(poll(&mut smart).await.len(), 1);
}
