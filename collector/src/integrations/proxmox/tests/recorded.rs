//! Against recorded answers, where they are at hand: each stands once where it was recorded, or, if nobody asks for it, in the
//! place of the list of resources.

use std::path::Path;

use super::*;
use crate::testing::recordings::{self, Became};

/// The rows of a list of guests have all that the list of resources has but type and node.
fn as_resources(data: &Value, guest_type: &str) -> Value {
    let mut rows = data.clone();
    for row in rows.as_array_mut().unwrap() {
        row["type"] = json!(guest_type);
        row["node"] = json!("node1");
    }
    rows
}

async fn of_resources(list: Value) -> Became {
    let fake = Fake::start().await;
    ready(&fake);
    fake.data("/cluster/resources", list);
    let mut batch = recordings::batch();
    match open(&fake).poll(&mut batch).await {
        Ok(()) => Became::Told(checked(batch)),
        Err(e) => e.into(),
    }
}

/// What is asked between the polls.
fn of_job(job: Job, answer: Value) -> Became {
    let mut proxmox =
        Proxmox::open(params("http://127.0.0.1:1"), &testing::context("pve")).unwrap();
    if let Job::Smart(node, device) = &job {
        let disk = wire::entity("proxmox_disk", "S1").unwrap();
        proxmox.disks.insert((node.clone(), device.clone()), disk);
    }
    let mut batch = recordings::batch();
    let answer = Ok(answer);
    proxmox.take(Done { job, answer }, &mut batch);
    Became::Told(checked(batch))
}

/// What stands in the reason phrase is told, also as older versions say it.
async fn of_refusal(file: &Value) -> Became {
    let fake = Fake::start().await;
    let body = match &file["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let status = u16::try_from(file["status"].as_u64().unwrap()).unwrap();
    let older = file["older_reasons"].as_array().cloned();
    let mut classes = BTreeSet::new();
    for reason in older.iter().flatten().chain([&file["reason"]]) {
        let reason = reason.as_str().unwrap().to_owned();
        let answer = Answer::Status(status, reason.clone(), body.clone());
        fake.answer("/cluster/resources", answer);
        let error = refused(&mut open(&fake)).await;
        assert!(error.message.contains(&reason), "{error}");
        classes.insert(error.class.as_str());
        if classes.len() > 1 {
            return Became::Understood(format!("of several classes: {classes:?}"));
        }
        if file["reason"] == reason {
            return error.into();
        }
    }
    panic!("no reason in {file}")
}

async fn of_login(data: Value) -> Became {
    let fake = Fake::start().await;
    ready(&fake);
    fake.data("/access/ticket", data);
    let params = json!({"url": fake.url(), "username": "root@pam", "password": SECRET});
    let params = serde_json::from_value(params).unwrap();
    let mut proxmox = Proxmox::open(params, &testing::context("pve")).unwrap();
    match proxmox.poll(&mut recordings::batch()).await {
        Ok(()) => Became::Understood("a session".to_owned()),
        Err(e) => e.into(),
    }
}

/// What the integration makes of one recording, in the place of the call that it answers.
pub(crate) async fn read(dir: &Path, name: &str) -> Became {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let data = file["body"].get("data").unwrap_or(&file["data"]).clone();
    let node = || "node1".to_owned();
    let what = name
        .split_once("__")
        .map_or(name, |(_, what)| what)
        .trim_end_matches(".json");
    match what {
        _ if name.starts_with("err_") => of_refusal(&file).await,
        "access_ticket" | "ticket_need_tfa" => of_login(data).await,
        "access_permissions" => {
            let missing = cluster::missing_rights(&data);
            Became::Understood(format!("rights without {}", missing.join(", ")))
        }
        "nodes_node1_lxc" | "pve9_lxc_list_row_psi_strings" => {
            of_resources(as_resources(&data, "lxc")).await
        }
        "telegraf_qemu_list_vmid_string" => of_resources(as_resources(&data, "qemu")).await,
        "cluster_status" => of_job(Job::Cluster, data),
        "cluster_tasks" => of_job(Job::Tasks, data),
        "nodes_node1_status" => of_job(Job::Node(node()), data),
        "nodes_node1_disks_list" => of_job(Job::Disks(node()), data),
        "nodes_node1_disks_smart" => of_job(Job::Smart(node(), "/dev/sda".to_owned()), data),
        "nodes_node1_disks_zfs" => of_job(Job::Pools(node()), data),
        // also what is never asked for, besides the resources and the nodes, which are rows of them
        _ => of_resources(data).await,
    }
}
