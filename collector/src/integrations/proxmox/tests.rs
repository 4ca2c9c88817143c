mod access;
mod failures;
mod fake;
pub(in crate::integrations) mod recorded;

use fake::{Answer, Fake};
use schemas::{EventType, FieldValue};
use serde_json::json;

use super::*;
use crate::{batch::Observation, testing};

const SECRET: &str = "11111111-2222-3333-4444-555555555555";

fn params(url: &str) -> Params {
    serde_json::from_value(
        json!({"url": url, "token_id": "homelog@pve!homelog", "token_secret": SECRET}),
    )
    .unwrap()
}

fn open(fake: &Fake) -> Proxmox {
    Proxmox::open(params(&fake.url()), &testing::context("pve")).unwrap()
}

/// What a batch holds; every field is one that the catalogue knows, with its type.
fn checked(batch: Batch) -> Vec<Observation> {
    let (events, dropped) = testing::checked(batch, METRICS);
    assert_eq!(dropped, 0);
    events
}

async fn poll(proxmox: &mut Proxmox) -> Vec<Observation> {
    let mut batch = testing::batch();
    proxmox.poll(&mut batch).await.unwrap();
    checked(batch)
}

async fn refused(proxmox: &mut Proxmox) -> PollError {
    let mut batch = testing::batch();
    let refused = proxmox.poll(&mut batch).await.unwrap_err();
    assert!(batch.is_empty());
    assert!(!refused.message.contains(SECRET), "{refused}");
    assert!(!refused.message.contains('\n'), "{refused}");
    refused
}

/// Listens until nothing more comes for a moment.
async fn listen(proxmox: &mut Proxmox) -> Vec<Observation> {
    let mut batch = Batch::live();
    let quiet = Duration::from_millis(300);
    while tokio::time::timeout(quiet, proxmox.listen(&mut batch))
        .await
        .is_ok()
    {}
    checked(batch)
}

/// The events of an entity, `type/id`.
fn of<'a>(told: &'a [Observation], key: &str) -> Vec<&'a Observation> {
    told.iter()
        .filter(|e| format!("{}/{}", e.entity.entity_type, e.entity.id) == key)
        .collect()
}

fn text(event: &Observation, field: &str) -> String {
    match event.fields.get(field) {
        Some(FieldValue::Text(text)) => text.to_string(),
        other => panic!("{field} is {other:?}"),
    }
}

fn rights() -> Value {
    json!({"/": {"Sys.Audit": 1, "VM.Audit": 1, "Datastore.Audit": 1}})
}

fn resources() -> Value {
    json!([
        {"type": "node", "id": "node/pve1", "node": "pve1", "status": "online", "cpu": 0.123_456_7, "maxcpu": 8,
            "mem": 4_000, "maxmem": "16000", "disk": 10, "maxdisk": 100, "uptime": 60},
        {"type": "node", "id": "node/pve2", "node": "pve2", "status": "offline"},
        {"type": "qemu", "id": "qemu/100", "vmid": 100, "name": "web", "node": "pve1", "status": "running", "template": 0,
            "cpu": 0.5, "maxcpu": 2, "mem": 500, "maxmem": 1000, "disk": 0, "maxdisk": 5000, "netin": 7, "netout": 8,
            "diskread": 9, "diskwrite": 10, "uptime": 11, "tags": "a;b", "pool": "p", "lock": "backup", "memhost": 600},
        {"type": "lxc", "id": "lxc/101", "vmid": "101", "name": 42, "node": "pve2", "status": "stopped", "template": "",
            "cpu": 0, "maxcpu": 1, "mem": 0, "maxmem": 1000, "disk": "0", "maxdisk": "5000", "netin": 0, "uptime": 0},
        {"type": "lxc", "vmid": 102, "node": "pve1", "status": "running", "disk": "1250", "maxdisk": "5000"},
        {"type": "qemu", "vmid": 900, "node": "pve1", "status": "stopped", "template": 1},
        {"type": "storage", "storage": "local", "node": "pve1", "status": "available", "plugintype": "dir", "shared": 0,
            "disk": 25, "maxdisk": 100, "content": "iso,backup"},
        {"type": "storage", "storage": "nas", "node": "pve2", "status": "unknown", "shared": 1},
        {"type": "storage", "storage": "nas", "node": "pve1", "status": "available", "shared": "1", "disk": 1, "maxdisk": 4},
        {"type": "storage", "storage": "nas", "node": "pve3", "status": "unknown", "shared": 1},
        {"type": "sdn", "sdn": "localnetwork", "status": "ok"},
        {"type": "qemu", "vmid": "x"}, {"type": "storage"}, {"type": 7}, 8, null
    ])
}

fn ready(fake: &Fake) {
    fake.data("/cluster/resources", resources());
    fake.data("/access/permissions", rights());
}

#[tokio::test]
async fn one_call_tells_nodes_guests_and_storages() {
    let fake = Fake::start().await;
    ready(&fake);
    let mut proxmox = open(&fake);
    let told = poll(&mut proxmox).await;
    let ids: Vec<_> = told
        .iter()
        .map(|e| format!("{}/{}", e.entity.entity_type, e.entity.id))
        .collect();
    assert_eq!(
        ids,
        [
            "proxmox_node/pve1",
            "proxmox_node/pve2",
            "proxmox_guest/100",
            "proxmox_guest/101",
            "proxmox_guest/102",
            "proxmox_storage/nas",
            "proxmox_storage/pve1/local"
        ]
    );
    assert!(told.iter().all(|e| e.event_type == EventType::Sample));
    for (key, field, value) in [
        (
            "proxmox_node/pve1",
            "cpu_ratio",
            Some(FieldValue::F64(0.1235)),
        ),
        (
            "proxmox_node/pve1",
            "memory_used_ratio",
            Some(FieldValue::F64(0.25)),
        ),
        (
            "proxmox_node/pve1",
            "root_used_ratio",
            Some(FieldValue::F64(0.1)),
        ),
        (
            "proxmox_node/pve2",
            "status",
            Some(FieldValue::Text("offline".into())),
        ),
        ("proxmox_node/pve2", "cpu_ratio", None),
        ("proxmox_guest/100", "cpu_ratio", Some(FieldValue::F64(0.5))),
        (
            "proxmox_guest/100",
            "rx_bytes_total",
            Some(FieldValue::I64(7)),
        ),
        (
            "proxmox_guest/100",
            "disk_written_bytes_total",
            Some(FieldValue::I64(10)),
        ),
        (
            "proxmox_guest/100",
            "lock",
            Some(FieldValue::Text("backup".into())),
        ),
        (
            "proxmox_guest/100",
            "memory_host_bytes",
            Some(FieldValue::I64(600)),
        ),
        ("proxmox_guest/100", "disk_used_bytes", None),
        ("proxmox_guest/101", "cpu_ratio", None),
        ("proxmox_guest/101", "uptime_seconds", None),
        (
            "proxmox_guest/101",
            "lock",
            Some(FieldValue::Text("none".into())),
        ),
        (
            "proxmox_guest/101",
            "disk_size_bytes",
            Some(FieldValue::I64(5000)),
        ),
        (
            "proxmox_guest/102",
            "disk_used_ratio",
            Some(FieldValue::F64(0.25)),
        ),
        ("proxmox_guest/102", "cpu_ratio", None),
        (
            "proxmox_storage/nas",
            "used_ratio",
            Some(FieldValue::F64(0.25)),
        ),
        (
            "proxmox_storage/pve1/local",
            "size_bytes",
            Some(FieldValue::I64(100)),
        ),
    ] {
        let events = of(&told, key);
        assert_eq!(events.len(), 1, "{key}");
        assert_eq!(events[0].fields.get(field), value.as_ref(), "{key} {field}");
    }
    let labels = &of(&told, "proxmox_guest/100")[0].entity.labels;
    for (name, value) in [
        ("name", "web"),
        ("guest_type", "qemu"),
        ("node", "pve1"),
        ("tags", "a;b"),
    ] {
        assert_eq!(labels.get(name).map(|v| &**v), Some(value), "{name}");
    }
    let number = &of(&told, "proxmox_guest/101")[0].entity.labels;
    assert_eq!(number.get("name").map(|v| &**v), Some("42"));
    // rights are looked at once, and the token is there each time
    poll(&mut proxmox).await;
    assert_eq!(fake.times_asked("GET /access/permissions"), 1);
    assert_eq!(fake.times_asked("GET /cluster/resources"), 2);
    for asked in fake.asked() {
        let expected = format!("PVEAPIToken=homelog@pve!homelog={SECRET}");
        assert_eq!(asked.authorization, expected);
    }
}

#[tokio::test]
async fn what_moves_is_told_as_a_change() {
    let fake = Fake::start().await;
    ready(&fake);
    let mut proxmox = open(&fake);
    poll(&mut proxmox).await;
    let mut now = resources();
    now[1]["status"] = json!("online");
    now[2]["node"] = json!("pve2");
    now[3]["status"] = json!("running");
    now.as_array_mut().unwrap().remove(4);
    fake.data("/cluster/resources", now);
    let told = poll(&mut proxmox).await;
    let changes: Vec<_> = told
        .into_iter()
        .filter(|e| e.event_type == EventType::Change)
        .collect();
    assert_eq!(changes.len(), 4);
    let node = of(&changes, "proxmox_node/pve2")[0];
    assert_eq!(
        (text(node, "status"), text(node, "old_status")),
        ("online".to_owned(), "offline".to_owned())
    );
    let moved = of(&changes, "proxmox_guest/100")[0];
    assert_eq!(
        (text(moved, "node"), text(moved, "old_node")),
        ("pve2".to_owned(), "pve1".to_owned())
    );
    assert_eq!(
        text(of(&changes, "proxmox_guest/101")[0], "status"),
        "running"
    );
    assert_eq!(
        text(of(&changes, "proxmox_guest/102")[0], "status"),
        "vanished"
    );
}

fn slow_answers(fake: &Fake) {
    let now = schemas::Timestamp::now().as_millis() / 1000;
    fake.data(
        "/cluster/status",
        json!([{"type": "cluster", "name": "home", "quorate": 1, "nodes": 2},
            {"type": "node", "name": "pve1", "online": 1}, {"type": "node", "name": "pve2", "online": 0}]),
    );
    fake.data(
        "/cluster/tasks",
        json!([{"upid": "UPID:pve1:1", "node": "pve1", "type": "vzdump", "id": "100", "user": "root@pam",
            "starttime": now - 70, "endtime": now - 10, "status": "OK"}]),
    );
    fake.data("/cluster/backup-info/not-backed-up", json!([{"vmid": 101}]));
    fake.data(
        "/nodes/pve1/status",
        json!({"loadavg": ["0.5", "0.4", "0.3"], "wait": 0.01, "pveversion": "pve-manager/8.4-1/x"}),
    );
    fake.data(
        "/nodes/pve1/disks/zfs",
        json!([{"name": "rpool", "health": "ONLINE", "size": 100, "alloc": 50}]),
    );
    fake.data(
        "/nodes/pve1/disks/list",
        json!([{"devpath": "/dev/sda", "serial": "SSD1", "type": "ssd", "size": 100, "health": "UNKNOWN"},
            {"devpath": "/dev/sdb", "serial": "HDD1", "type": "hdd", "size": 200, "health": "UNKNOWN"}]),
    );
    fake.data(
        "/nodes/pve1/disks/smart",
        json!({"health": "PASSED", "wearout": 97, "text": "Temperature: 38 Celsius"}),
    );
}

#[tokio::test]
async fn the_rest_is_told_between_polls_and_no_sleeping_disk_is_woken() {
    let fake = Fake::start().await;
    ready(&fake);
    slow_answers(&fake);
    let mut proxmox = open(&fake);
    assert!(
        listen(&mut proxmox).await.is_empty(),
        "nothing before a poll"
    );
    assert!(fake.asked().is_empty());
    poll(&mut proxmox).await;
    let told = listen(&mut proxmox).await;
    for (key, field, value) in [
        ("proxmox_cluster/home", "quorate", FieldValue::Bool(true)),
        (
            "proxmox_cluster/home",
            "nodes_online_count",
            FieldValue::I64(1),
        ),
        ("proxmox_node/pve1", "load_1", FieldValue::F64(0.5)),
        ("proxmox_node/pve1", "io_wait_ratio", FieldValue::F64(0.01)),
        (
            "proxmox_pool/pve1/rpool",
            "used_ratio",
            FieldValue::F64(0.5),
        ),
        (
            "proxmox_task/100/vzdump",
            "duration_seconds",
            FieldValue::I64(60),
        ),
        ("proxmox_disk/HDD1", "size_bytes", FieldValue::I64(200)),
    ] {
        let events = of(&told, key);
        assert_eq!(events.len(), 1, "{key}");
        assert_eq!(events[0].fields.get(field), Some(&value), "{key} {field}");
    }
    assert_eq!(
        of(&told, "proxmox_task/100/vzdump")[0].event_type,
        EventType::Change
    );
    let ssd = of(&told, "proxmox_disk/SSD1");
    assert_eq!(ssd.len(), 2, "its size, and what SMART says");
    assert_eq!(
        ssd[1].fields.get("temperature_celsius"),
        Some(&FieldValue::F64(38.0))
    );
    assert_eq!(text(ssd[1], "health"), "passed");
    assert_eq!(
        fake.times_asked("GET /nodes/pve1/disks/list?skipsmart=1"),
        1
    );
    assert_eq!(
        fake.times_asked("GET /nodes/pve1/disks/smart?disk=%2Fdev%2Fsda"),
        1
    );
    let smart = fake
        .asked()
        .iter()
        .filter(|a| a.what.contains("smart?"))
        .count();
    assert_eq!(smart, 1, "the disk that spins is not asked");
    assert!(fake.most_in_flight() <= 4, "{}", fake.most_in_flight());
    // the node that is offline is not asked, and what is not due is not asked again
    assert!(!fake.asked().iter().any(|a| a.what.contains("pve2")));
    let asked = fake.asked().len();
    assert!(listen(&mut proxmox).await.is_empty());
    assert_eq!(fake.asked().len(), asked);
    // facts that the slow call told stay labels of the node
    let node = poll(&mut proxmox).await;
    let labels = &of(&node, "proxmox_node/pve1")[0].entity.labels;
    assert_eq!(labels.get("version").map(|v| &**v), Some("8.4-1"));
}

#[tokio::test]
async fn a_spinning_disk_is_asked_where_that_is_wanted() {
    let fake = Fake::start().await;
    ready(&fake);
    slow_answers(&fake);
    let mut wanted = params(&fake.url());
    wanted.spinning_disks = true;
    let mut proxmox = Proxmox::open(wanted, &testing::context("pve")).unwrap();
    poll(&mut proxmox).await;
    let told = listen(&mut proxmox).await;
    assert_eq!(of(&told, "proxmox_disk/HDD1").len(), 2);
}

#[tokio::test]
async fn a_call_beside_the_poll_that_fails_fails_nothing_else() {
    let fake = Fake::start().await;
    ready(&fake);
    slow_answers(&fake);
    fake.answer(
        "/cluster/status",
        Answer::refusal(403, "Permission check failed (/, Sys.Audit)"),
    );
    fake.answer(
        "/nodes/pve1/status",
        Answer::refusal(595, "No route to host"),
    );
    fake.answer("/cluster/tasks", Answer::Silence);
    fake.data("/nodes/pve1/disks/list", json!("what"));
    let mut proxmox = open(&fake);
    poll(&mut proxmox).await;
    let told = listen(&mut proxmox).await;
    assert_eq!(of(&told, "proxmox_pool/pve1/rpool").len(), 1);
    assert!(of(&told, "proxmox_cluster/home").is_empty());
    assert_eq!(
        proxmox.told,
        BTreeSet::from([Job::Cluster, Job::Node("pve1".to_owned())])
    );
    poll(&mut proxmox).await;
}

#[tokio::test]
async fn a_pool_that_degrades_and_a_quorum_that_is_lost_are_changes() {
    let mut proxmox =
        Proxmox::open(params("http://127.0.0.1:1"), &testing::context("pve")).unwrap();
    let mut take = |job: Job, data: Value| {
        let mut batch = Batch::live();
        let answer = Ok(data);
        proxmox.take(Done { job, answer }, &mut batch);
        let told = checked(batch);
        told.into_iter()
            .filter(|e| e.event_type == EventType::Change)
            .collect::<Vec<_>>()
    };
    let pool = |health: &str| json!([{"name": "tank", "health": health}]);
    let pools = || Job::Pools("pve1".to_owned());
    assert!(take(pools(), pool("ONLINE")).is_empty());
    let degraded = take(pools(), pool("DEGRADED"));
    assert_eq!(text(&degraded[0], "old_health"), "online");
    let status = |quorate: u8| json!([{"type": "cluster", "name": "home", "quorate": quorate}]);
    assert!(take(Job::Cluster, status(1)).is_empty());
    let lost = take(Job::Cluster, status(0));
    assert_eq!(
        lost[0].fields.get("quorate"),
        Some(&FieldValue::Bool(false))
    );
    assert!(take(Job::Cluster, status(0)).is_empty());
}
