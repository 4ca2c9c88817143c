//! Against recorded answers, where they are at hand: each file is told, refused as its class, or not asked for.

use std::{fs, path::Path};

use super::*;

/// What a file became.
#[derive(Debug, PartialEq)]
enum Became {
    /// So many entities with so many fields.
    Told(usize, usize),
    Refused(FailureClass),
    /// Rights that are missing.
    Rights(usize),
    LoggedIn,
    /// The integration does not ask for it.
    NotAsked,
}

fn count(events: &[Observation]) -> Became {
    let ids: BTreeSet<_> = events
        .iter()
        .map(|e| format!("{}/{}", e.entity.entity_type, e.entity.id))
        .collect();
    Became::Told(ids.len(), events.iter().map(|e| e.fields.len()).sum())
}

/// The rows of a list of guests have all that the list of resources has but type and node.
fn as_resources(data: &Value, guest_type: &str) -> Value {
    let mut rows = data.clone();
    for row in rows.as_array_mut().unwrap() {
        row["type"] = json!(guest_type);
        row["node"] = json!("node1");
    }
    rows
}

async fn poll_of(list: Value) -> Vec<Observation> {
    let fake = Fake::start().await;
    ready(&fake);
    fake.data("/cluster/resources", list);
    poll(&mut open(&fake)).await
}

fn slow_of(job: Job, data: Value) -> Vec<Observation> {
    let mut proxmox =
        Proxmox::open(params("http://127.0.0.1:1"), &testing::context("pve")).unwrap();
    if let Job::Smart(node, device) = &job {
        let disk = wire::entity("proxmox_disk", "S1").unwrap();
        proxmox.disks.insert((node.clone(), device.clone()), disk);
    }
    let mut batch = Batch::live();
    let answer = Ok(data);
    proxmox.take(Done { job, answer }, &mut batch);
    checked(batch)
}

async fn refusal_of(file: &Value) -> Became {
    let fake = Fake::start().await;
    let body = match &file["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let status = u16::try_from(file["status"].as_u64().unwrap()).unwrap();
    let reasons = file["older_reasons"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut class = None;
    for reason in reasons.iter().chain([&file["reason"]]) {
        let reason = reason.as_str().unwrap().to_owned();
        let answer = Answer::Status(status, reason.clone(), body.clone());
        fake.answer("/cluster/resources", answer);
        let error = refused(&mut open(&fake)).await;
        assert!(error.message.contains(&reason), "{error}");
        class = Some(error.class);
    }
    Became::Refused(class.unwrap())
}

async fn login_of(data: Value) -> Became {
    let fake = Fake::start().await;
    ready(&fake);
    fake.data("/access/ticket", data);
    let params = json!({"url": fake.url(), "username": "root@pam", "password": SECRET});
    let params = serde_json::from_value(params).unwrap();
    let mut proxmox = Proxmox::open(params, &testing::context("pve")).unwrap();
    let mut batch = testing::batch();
    match proxmox.poll(&mut batch).await {
        Ok(()) => Became::LoggedIn,
        Err(e) => Became::Refused(e.class),
    }
}

async fn read(name: &str, file: &Value) -> Became {
    let data = file["body"].get("data").unwrap_or(&file["data"]).clone();
    let node = || "node1".to_owned();
    let slow = |job: Job| count(&slow_of(job, data.clone()));
    let what = name
        .split_once("__")
        .map_or(name, |(_, what)| what)
        .trim_end_matches(".json");
    match what {
        _ if name.starts_with("err_") => refusal_of(file).await,
        "access_ticket" | "ticket_need_tfa" => login_of(data).await,
        "access_permissions" => Became::Rights(cluster::missing_rights(&data).len()),
        "cluster_resources" | "nodes" => count(&poll_of(data).await),
        "nodes_node1_lxc" | "pve9_lxc_list_row_psi_strings" => {
            count(&poll_of(as_resources(&data, "lxc")).await)
        }
        "telegraf_qemu_list_vmid_string" => count(&poll_of(as_resources(&data, "qemu")).await),
        "cluster_status" => slow(Job::Cluster),
        "cluster_tasks" => slow(Job::Tasks),
        "nodes_node1_status" => slow(Job::Node(node())),
        "nodes_node1_disks_list" => slow(Job::Disks(node())),
        "nodes_node1_disks_smart" => slow(Job::Smart(node(), "/dev/sda".to_owned())),
        "nodes_node1_disks_zfs" => slow(Job::Pools(node())),
        _ => {
            // also what is not asked for breaks nothing where something else is expected
            for job in [
                Job::Cluster,
                Job::Tasks,
                Job::NotBackedUp,
                Job::Node(node()),
                Job::Pools(node()),
                Job::Disks(node()),
                Job::Smart(node(), "/dev/sda".to_owned()),
            ] {
                slow_of(job, data.clone());
            }
            drop(Resources::of(&data));
            Became::NotAsked
        }
    }
}

#[tokio::test]
async fn every_recorded_file_is_told_or_refused() {
    use Became::{LoggedIn, NotAsked, Refused, Rights, Told};
    let Some(dir) = testing::recordings("proxmox") else {
        return;
    };
    let expected = [
        (
            "err_401_bad_token.json",
            Refused(FailureClass::BadCredentials),
        ),
        (
            "err_401_no_ticket.json",
            Refused(FailureClass::BadCredentials),
        ),
        (
            "err_403_permission.json",
            Refused(FailureClass::NoPermission),
        ),
        ("err_500_no_such_vm.json", Refused(FailureClass::BadAnswer)),
        (
            "ticket_need_tfa.json",
            Refused(FailureClass::BadCredentials),
        ),
        ("pve8x__access_ticket.json", LoggedIn),
        ("pve9x__access_ticket.json", LoggedIn),
        ("pve8x__access_permissions.json", Rights(3)),
        ("pve9x__access_permissions.json", Rights(3)),
    ];
    let mut found = 0;
    let mut asked = 0;
    for path in files(&dir) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let file: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let became = read(name, &file).await;
        println!("{name:<55} {became:?}");
        found += 1;
        asked += usize::from(became != NotAsked);
        if let Some((_, expected)) = expected.iter().find(|(of, _)| *of == name) {
            assert_eq!(&became, expected, "{name}");
        } else {
            assert!(
                matches!(became, NotAsked | Told(1.., 1..)),
                "{name}: {became:?}"
            );
        }
    }
    println!("{found} files, {asked} of them of calls that are made");
    assert!(asked >= 24, "{asked} of {found}");
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no recordings in {}", dir.display());
    files
}

fn data(dir: &Path, name: &str) -> Value {
    let text = fs::read_to_string(dir.join(name)).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    match file["body"].get_mut("data") {
        Some(data) => data.take(),
        None => file["data"].take(),
    }
}

#[tokio::test]
async fn recorded_values_are_told_as_they_were() {
    let Some(dir) = testing::recordings("proxmox") else {
        return;
    };
    let mut told = poll_of(data(&dir, "pve8x__cluster_resources.json")).await;
    let telegraf = data(&dir, "telegraf_qemu_list_vmid_string.json");
    told.extend(poll_of(as_resources(&telegraf, "qemu")).await);
    for (job, name) in [
        (
            Job::Node("node9".to_owned()),
            "pve9x__nodes_node1_status.json",
        ),
        (Job::Cluster, "pve9x__cluster_status.json"),
        (
            Job::Pools("node1".to_owned()),
            "pve9x__nodes_node1_disks_zfs.json",
        ),
        (
            Job::Disks("node1".to_owned()),
            "pve9x__nodes_node1_disks_list.json",
        ),
    ] {
        told.extend(slow_of(job, data(&dir, name)));
    }
    let text = |text: &str| FieldValue::Text(text.into());
    for (key, field, value) in [
        ("proxmox_guest/100", "status", text("running")),
        ("proxmox_guest/100", "cpu_ratio", FieldValue::F64(0.0249)),
        (
            "proxmox_guest/100",
            "memory_used_bytes",
            FieldValue::I64(842_551_296),
        ),
        (
            "proxmox_guest/100",
            "memory_used_ratio",
            FieldValue::F64(0.7847),
        ),
        (
            "proxmox_guest/100",
            "rx_bytes_total",
            FieldValue::I64(2_456_116_121),
        ),
        (
            "proxmox_guest/100",
            "disk_written_bytes_total",
            FieldValue::I64(6_059_209_728),
        ),
        ("proxmox_guest/102", "status", text("stopped")),
        (
            "proxmox_guest/113",
            "memory_used_bytes",
            FieldValue::I64(1_722_451_796),
        ),
        (
            "proxmox_node/node1",
            "memory_total_bytes",
            FieldValue::I64(65_919_459_328),
        ),
        (
            "proxmox_node/node4",
            "uptime_seconds",
            FieldValue::I64(872_920),
        ),
        ("proxmox_node/node9", "load_15", FieldValue::F64(0.3)),
        (
            "proxmox_storage/node2/local-zfs",
            "used_bytes",
            FieldValue::I64(25_294_921_728),
        ),
        (
            "proxmox_cluster/clustername",
            "nodes_online_count",
            FieldValue::I64(4),
        ),
        ("proxmox_pool/node1/rpool", "health", text("online")),
        (
            "proxmox_disk/node1/dev/sdb",
            "size_bytes",
            FieldValue::I64(2_000_000_000_000),
        ),
    ] {
        let events = of(&told, key);
        assert_eq!(events.len(), 1, "{key}");
        assert_eq!(events[0].fields.get(field), Some(&value), "{key} {field}");
    }
    assert!(of(&told, "proxmox_guest/101").is_empty(), "a template");
    let storages = told
        .iter()
        .filter(|e| e.entity.entity_type.as_str() == "proxmox_storage")
        .count();
    assert_eq!(storages, 12, "three on each of four nodes, none shared");
}
