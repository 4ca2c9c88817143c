mod access;
mod failures;
mod fake;
mod gentle;
pub(in crate::integrations) mod recorded;

use fake::{Answer, CODE, DEVICE, Fake, PASSWORD, SID, TOKEN, USER};
use schemas::{EventType, FieldValue};
use serde_json::json;

use super::*;
use crate::{batch::Observation, testing};

const STORAGE_CALL: &str = "SYNO.Storage.CGI.Storage.load_info";
const LOAD_CALL: &str = "SYNO.Core.System.Utilization.get";

fn params(url: &str, password: &str) -> Params {
    serde_json::from_value(json!({"url": url, "username": USER, "password": password})).unwrap()
}

fn open(fake: &Fake) -> Synology {
    open_with(&fake.url(), PASSWORD)
}

fn open_with(url: &str, password: &str) -> Synology {
    let timeout = Duration::from_millis(500);
    Synology::open_within(params(url, password), &testing::context("nas1"), timeout).unwrap()
}

/// What a batch holds; every field is one that the catalogue knows, with its type.
fn checked(batch: Batch) -> Vec<Observation> {
    let (events, dropped) = testing::checked(batch, METRICS);
    assert_eq!(dropped, 0);
    events
}

async fn poll(nas: &mut Synology) -> Vec<Observation> {
    let mut batch = testing::batch();
    nas.poll(&mut batch).await.unwrap();
    checked(batch)
}

/// The failure of one poll; it says where, on one line, and no secret.
async fn failure(nas: &mut Synology) -> PollError {
    let e = nas.poll(&mut testing::batch()).await.unwrap_err();
    assert!(e.message.contains("127.0.0.1"), "{e}");
    for secret in [PASSWORD, SID, TOKEN, CODE, DEVICE] {
        assert!(!e.message.contains(secret), "{e}");
    }
    assert!(!e.message.contains('\n'), "{e}");
    e
}

/// What the call beside the polls brings, if one is under way and tells anything.
async fn listen(nas: &mut Synology) -> Vec<Observation> {
    let mut batch = Batch::live();
    let patience = Duration::from_millis(700);
    drop(tokio::time::timeout(patience, nas.listen(&mut batch)).await);
    checked(batch)
}

/// The same where one is under way for sure.
async fn heard(nas: &mut Synology) -> Vec<Observation> {
    let mut batch = Batch::live();
    nas.listen(&mut batch).await;
    checked(batch)
}

/// The only sample or change of an entity, `type/id`.
fn of<'a>(told: &'a [Observation], event_type: EventType, key: &str) -> &'a Observation {
    let mut found = told.iter().filter(|e| {
        e.event_type == event_type && format!("{}/{}", e.entity.entity_type, e.entity.id) == key
    });
    let first = found.next().unwrap_or_else(|| panic!("no {key}: {told:?}"));
    assert!(found.next().is_none(), "{key} twice: {told:?}");
    first
}

fn sample<'a>(told: &'a [Observation], key: &str) -> &'a Observation {
    of(told, EventType::Sample, key)
}

fn text(text: &str) -> FieldValue {
    FieldValue::Text(text.into())
}

fn changes(told: &[Observation]) -> Vec<&Observation> {
    let changes = told.iter().filter(|e| e.event_type == EventType::Change);
    changes.collect()
}

fn label<'a>(event: &'a Observation, name: &str) -> &'a str {
    event.entity.labels.get(name).map_or("", |value| value)
}

#[tokio::test]
async fn a_nas_tells_what_it_does_and_what_it_is() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    let told = poll(&mut nas).await;
    let itself = sample(&told, "nas/nas1");
    for (field, value) in [
        ("cpu_ratio", FieldValue::F64(0.25)),
        ("cpu_other_ratio", FieldValue::F64(0.09)),
        ("load_1", FieldValue::F64(0.5)),
        ("memory_used_ratio", FieldValue::F64(0.5)),
        ("memory_used_bytes", FieldValue::I64(4_096_000_000)),
        ("swap_used_bytes", FieldValue::I64(0)),
        ("temperature_celsius", FieldValue::F64(42.0)),
        ("temperature_warning", FieldValue::Bool(false)),
        ("uptime_seconds", FieldValue::I64(270_729)),
        ("disks_written_bytes_per_second", FieldValue::I64(4096)),
    ] {
        assert_eq!(itself.fields.get(field), Some(&value), "{field}");
    }
    assert_eq!(label(itself, "model"), "DS920+");
    assert_eq!(label(itself, "version"), "DSM 7.2.1-69057");
    let network = sample(&told, "network/eth0");
    assert_eq!(
        network.fields.get("rx_bytes_per_second"),
        Some(&FieldValue::I64(900))
    );
    assert_eq!(told.len(), 2, "no storage, no UPS: {told:?}");
    for _ in 0..3 {
        let told = poll(&mut nas).await;
        assert_eq!(label(sample(&told, "nas/nas1"), "model"), "DS920+");
    }
    assert_eq!((fake.logins(), fake.times(LOAD_CALL)), (1, 4));
    for once in [
        "SYNO.Core.System.info",
        "SYNO.Core.ExternalDevice.UPS.get",
        "SYNO.Core.Hardware.Hibernation.get",
    ] {
        assert_eq!(fake.times(once), 1, "{once}");
    }
}

#[tokio::test]
async fn the_storage_comes_beside_the_polls() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    poll(&mut nas).await;
    let told = heard(&mut nas).await;
    let disk = sample(&told, "disk/WD-1");
    assert_eq!(
        disk.fields.get("temperature_celsius"),
        Some(&FieldValue::F64(33.0))
    );
    assert_eq!(disk.fields.get("smart_status"), Some(&text("normal")));
    let volume = sample(&told, "volume/volume_1");
    assert_eq!(
        volume.fields.get("used_ratio"),
        Some(&FieldValue::F64(0.25))
    );
    let pool = sample(&told, "pool/reuse_1");
    assert_eq!(pool.fields.get("status"), Some(&text("normal")));
    assert_eq!(
        sample(&told, "nas/nas1").fields.get("storage_status"),
        Some(&text("normal"))
    );
    assert!(changes(&told).is_empty(), "the first sight is no change");
    // from now on it is known whose traffic it is
    let told = poll(&mut nas).await;
    for key in ["disk/WD-1", "volume/volume_1"] {
        let written = sample(&told, key)
            .fields
            .get("written_bytes_per_second")
            .cloned();
        assert_eq!(written, Some(FieldValue::I64(4096)), "{key}");
    }
}

#[tokio::test]
async fn what_moves_is_a_change() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    poll(&mut nas).await;
    heard(&mut nas).await;
    fake.set(|state| {
        state.storage["disks"][0]["status"] = json!("critical");
        state.storage["disks"][0]["smart_status"] = json!("failing");
        state.storage["volumes"][0]["status"] = json!("degrade");
        state.storage["storagePools"][0]["progress"] = json!({"percent": "3.5", "step": "repair"});
        state.storage["overview_data"]["status_level"] = json!("status_level_danger");
    });
    gentle::later(Duration::from_mins(5)).await;
    poll(&mut nas).await;
    let told = heard(&mut nas).await;
    for (key, field, now, before) in [
        ("disk/WD-1", "status", "critical", "normal"),
        ("disk/WD-1", "smart_status", "failing", "normal"),
        ("volume/volume_1", "status", "degrade", "normal"),
        ("pool/reuse_1", "task", "repair", "none"),
        ("nas/nas1", "storage_status", "danger", "normal"),
    ] {
        let change = of(&told, EventType::Change, key);
        assert_eq!(change.fields.get(field), Some(&text(now)), "{key}");
        let old = format!("old_{field}");
        assert_eq!(change.fields.get(&old), Some(&text(before)), "{key}");
    }
    assert_eq!(changes(&told).len(), 4);
    // it is pulled out, and then nothing is understood any more
    fake.set(|state| state.storage["disks"] = json!([]));
    gentle::later(Duration::from_mins(5)).await;
    poll(&mut nas).await;
    let told = heard(&mut nas).await;
    let gone = of(&told, EventType::Change, "disk/WD-1");
    assert_eq!(gone.fields.get("status"), Some(&text("vanished")));
    fake.set(|state| state.storage = json!({"disks": "x"}));
    gentle::later(Duration::from_mins(5)).await;
    poll(&mut nas).await;
    assert!(listen(&mut nas).await.is_empty());
}

#[tokio::test]
async fn a_ups_is_told_where_there_is_one() {
    let fake = Fake::start(7).await;
    let ups = |status: &str, charge: u8| {
        Answer::Data(
            json!({"usb_ups_connect": true, "enable": true, "charge": charge, "runtime": 3518, "model": "Smart-UPS",
            "status": format!("usb_ups_status_{status}")}),
        )
    };
    fake.instead("SYNO.Core.ExternalDevice.UPS.get", ups("online", 100));
    let mut nas = open(&fake);
    let told = poll(&mut nas).await;
    let online = sample(&told, "ups/ups");
    assert_eq!(online.fields.get("status"), Some(&text("online")));
    assert_eq!(label(online, "name"), "Smart-UPS");
    fake.instead("SYNO.Core.ExternalDevice.UPS.get", ups("onbattery", 90));
    gentle::later(Duration::from_mins(1)).await;
    let told = poll(&mut nas).await;
    let change = of(&told, EventType::Change, "ups/ups");
    assert_eq!(change.fields.get("old_status"), Some(&text("online")));
    assert_eq!(
        sample(&told, "ups/ups").fields.get("charge_ratio"),
        Some(&FieldValue::F64(0.9))
    );
}

#[test]
fn options_are_checked() {
    let open = |options: Value| {
        let params = serde_json::from_value(options).unwrap();
        Synology::open(params, &testing::context("nas1")).err()
    };
    let whole = json!({"url": "https://nas1:5001", "username": "u", "password": "p"});
    let with = |key: &str, value: &str| {
        let mut options = whole.clone();
        options[key] = json!(value);
        open(options).map(|e| e.key)
    };
    assert_eq!(open(whole.clone()), None);
    assert_eq!(with("storage_interval", "24h"), None);
    for (key, value) in [
        ("url", "nas1"),
        ("username", " "),
        ("password", ""),
        ("storage_interval", "30s"),
        ("storage_interval", "2d"),
        ("storage_interval", "often"),
    ] {
        assert_eq!(with(key, value).as_deref(), Some(key), "{value}");
    }
    assert_eq!(open(json!({})).unwrap().key, "username");
}
