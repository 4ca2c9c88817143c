//! Against recorded answers, where they are at hand: each file stands once where it was recorded and is told, or refused as
//! its class; one of a call that is not made stands in for the load, where nothing of it may be understood.

use std::{collections::BTreeMap, fs, path::Path};

use super::*;

const SYSTEM_CALL: &str = "SYNO.Core.System.info";
const DSM_CALL: &str = "SYNO.DSM.Info.getinfo";

/// Where a file stands, by the end of its name, and what comes of it: entities and fields, or a class.
const PLACES: &[(&str, &str)] = &[
    ("api_info.json", "SYNO.API.Info.query"),
    ("auth_login.json", "SYNO.API.Auth.login"),
    ("auth_login_2sa.json", "SYNO.API.Auth.login"),
    ("auth_login_2sa_otp.json", "SYNO.API.Auth.login"),
    ("api_auth.json", "SYNO.API.Auth.login"),
    ("auth_logout.json", "SYNO.API.Auth.logout"),
    ("core_system_ds918_plus.json", SYSTEM_CALL),
    ("core_system.json", SYSTEM_CALL),
    ("dsm_information.json", DSM_CALL),
    ("dsm_information_ds3615xs.json", DSM_CALL),
    ("dsm_information_ds918_plus.json", DSM_CALL),
    ("dsm_information_ds213_plus.json", DSM_CALL),
    ("core_utilization.json", LOAD_CALL),
    ("core_system_utilization.json", LOAD_CALL),
    ("storage_cgi_storage.json", STORAGE_CALL),
    ("ds1819_plus_shr2_8disks_1vol.json", STORAGE_CALL),
    ("ds918_plus_raid5_3disks_1vol.json", STORAGE_CALL),
    ("ds410j_raid5_4disks_1vol.json", "storagehandler"),
    ("error_400.json", "SYNO.API.Auth.login"),
    ("error_403.json", "SYNO.API.Auth.login"),
    ("error_407.json", "SYNO.API.Auth.login"),
    ("error_411.json", "SYNO.API.Auth.login"),
];

/// What is expected where it is more than that something is told.
const EXPECTED: &[(&str, &str)] = &[
    ("dsm_5_auth_login_2sa.json", "bad_credentials"),
    ("dsm_7_auth_login_2sa.json", "bad_credentials"),
    ("error_100.json", "bad_answer"),
    ("error_101.json", "bad_answer"),
    ("error_105.json", "no_permission"),
    ("error_106.json", "no_permission"),
    ("error_119.json", "no_permission"),
    ("error_400.json", "bad_credentials"),
    ("error_403.json", "bad_credentials"),
    ("error_407.json", "rate_limited"),
    ("error_411.json", "rate_limited"),
    // two interfaces, three disks, one volume, itself
    ("dsm_6_core_utilization.json", "7 entities"),
    (
        "dsm_7.1.1_ds918+__core_system_utilization.json",
        "5 entities",
    ),
    // a stub of each list is left out
    (
        "dsm_5_storage_storage_ds410j_raid5_4disks_1vol.json",
        "5 entities",
    ),
    (
        "dsm_6_storage_storage_ds1819_plus_shr2_8disks_1vol.json",
        "10 entities",
    ),
    (
        "dsm_6_storage_storage_ds918_plus_raid5_3disks_1vol.json",
        "5 entities",
    ),
];

fn place_of(name: &str) -> Option<&'static str> {
    PLACES
        .iter()
        .find(|(end, _)| name.ends_with(end))
        .map(|(_, place)| *place)
}

fn count(told: &[Observation]) -> (String, usize) {
    let keys: BTreeSet<_> = told
        .iter()
        .map(|e| (e.entity.entity_type.clone(), e.entity.id.clone()))
        .collect();
    let fields = told.iter().map(|e| e.fields.len()).sum();
    (format!("{} entities", keys.len()), fields)
}

/// What comes of a file in its place.
async fn outcome(name: &str, body: &str) -> (String, Vec<Observation>) {
    let dsm = if name.starts_with("dsm_5") { 5 } else { 7 };
    let fake = Fake::start(dsm).await;
    let place = place_of(name);
    let answer = Answer::Text(200, body.to_owned());
    let mut nas = open(&fake);
    let calls: &[&str] = match place {
        Some(place) => &[place],
        None => &[LOAD_CALL, SYSTEM_CALL, DSM_CALL],
    };
    for call in calls {
        fake.instead(call, answer.clone());
    }
    match place {
        // the other call for the same is not asked where one tells it
        Some(DSM_CALL) => fake.instead(SYSTEM_CALL, Answer::Code(105)),
        // a session that is none of the fake's
        Some("SYNO.API.Auth.login") => {
            for call in [LOAD_CALL, SYSTEM_CALL] {
                fake.instead(
                    call,
                    Answer::Data(json!({"model": "x", "cpu": {"user_load": 1}})),
                );
            }
        }
        // its paths are none of the fake's, but its calls are made as it says
        Some("SYNO.API.Info.query") => {
            let list: Value = serde_json::from_str(body).unwrap();
            let apis = api::Apis::of(&list["data"]);
            let forms: Vec<_> = [
                &api::LOGIN,
                &UTILIZATION,
                &SYSTEM,
                &DSM,
                &api::STORAGE,
                &UPS,
                &HIBERNATION,
            ]
            .into_iter()
            .filter_map(|call| apis.form(call))
            .collect();
            return (format!("{} calls", forms.len()), Vec::new());
        }
        _ => {}
    }
    let mut batch = testing::batch();
    let result = nas.poll(&mut batch).await;
    let mut told = checked(batch);
    let is_storage = matches!(place, Some(STORAGE_CALL | "storagehandler"));
    if is_storage {
        told = heard(&mut nas).await;
        told.retain(|e| e.entity.entity_type.as_str() != "nas");
    } else if place == Some(LOAD_CALL) {
        // with the storage it is known whose traffic it is
        let list = json!({"success": true, "data": {
            "disks": (["sda", "sdb", "sdc", "sdf"].map(|id| json!({"id": id, "serial": format!("S-{id}"), "status": "normal"}))),
            "volumes": [{"id": "volume_1", "status": "normal"}]}});
        fake.instead(STORAGE_CALL, Answer::Text(200, list.to_string()));
        heard(&mut nas).await;
        told = poll(&mut nas).await;
    }
    if place == Some("SYNO.API.Auth.logout") {
        drop(nas);
        return ("left".to_owned(), told);
    }
    match result {
        Ok(()) => (count(&told).0, told),
        Err(e) => {
            assert!(!e.message.contains(PASSWORD), "{e}");
            (e.class.as_str().to_owned(), told)
        }
    }
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no recordings in {}", dir.display());
    names
}

#[tokio::test]
async fn every_recorded_file_is_told_or_refused() {
    let Some(dir) = testing::recordings("synology") else {
        return;
    };
    let expected: BTreeMap<_, _> = EXPECTED.iter().copied().collect();
    let (mut found, mut in_place) = (0, 0);
    for name in files(&dir) {
        let body = fs::read_to_string(dir.join(&name)).unwrap();
        let (became, told) = outcome(&name, &body).await;
        let place = place_of(&name);
        let fields = count(&told).1;
        println!(
            "{name:<62} {:<42} {became}, {fields} fields",
            place.unwrap_or("-")
        );
        found += 1;
        in_place += usize::from(place.is_some());
        let is_call = place.is_some_and(|place| place == "SYNO.API.Info.query");
        let fits = match expected.get(name.as_str()) {
            Some(expected) => became == *expected,
            None if is_call => {
                became
                    == if name.starts_with("dsm_5") {
                        "6 calls"
                    } else {
                        "7 calls"
                    }
            }
            None if place.is_some() => became.ends_with("entities") || became == "left",
            // an answer to another call: nothing is understood
            None => became == "bad_answer",
        };
        assert!(fits, "{name}: {became}");
    }
    println!("{found} files, {in_place} of them of calls that are made");
    assert!(in_place >= 30, "{in_place} of {found}");
    for name in expected.keys() {
        assert!(dir.join(name).exists(), "{name} is expected");
    }
}

async fn told_of(dir: &Path, names: &[&str]) -> Vec<Observation> {
    let mut told = Vec::new();
    for name in names {
        let body = fs::read_to_string(dir.join(name)).unwrap();
        told.extend(outcome(name, &body).await.1);
    }
    told
}

#[tokio::test]
async fn recorded_values_are_told_as_they_were() {
    let Some(dir) = testing::recordings("synology") else {
        return;
    };
    let seven = told_of(
        &dir,
        &[
            "dsm_7.1.1_ds918+__storage_cgi_storage.json",
            "dsm_7.1.1_ds918+__core_system_utilization.json",
        ],
    )
    .await;
    let six = told_of(
        &dir,
        &["dsm_6_storage_storage_ds918_plus_raid5_3disks_1vol.json"],
    )
    .await;
    let five = told_of(
        &dir,
        &["dsm_5_storage_storage_ds410j_raid5_4disks_1vol.json"],
    )
    .await;
    let whole = FieldValue::I64;
    for (told, key, field, value) in [
        (
            &seven,
            "disk/MJ0351YNG9HR4A",
            "temperature_celsius",
            FieldValue::F64(45.0),
        ),
        (
            &seven,
            "disk/MJ0351YNG9HR4A",
            "size_bytes",
            whole(3_000_592_982_016),
        ),
        (&seven, "disk/5PGEL6TE", "smart_status", text("normal")),
        (
            &seven,
            "volume/volume_4",
            "used_bytes",
            whole(11_463_320_182_784),
        ),
        (
            &seven,
            "volume/volume_4",
            "used_ratio",
            FieldValue::F64(0.9955),
        ),
        (&seven, "volume/volume_4", "status", text("attention")),
        (&seven, "pool/reuse_4", "status", text("attention")),
        (
            &seven,
            "pool/reuse_1",
            "raid_devices_normal_count",
            whole(1),
        ),
        (&seven, "nas/nas1", "cpu_ratio", FieldValue::F64(0.1)),
        (&seven, "nas/nas1", "load_1", FieldValue::F64(1.41)),
        (
            &seven,
            "nas/nas1",
            "memory_used_ratio",
            FieldValue::F64(0.4089),
        ),
        (&seven, "network/eth0", "tx_bytes_per_second", whole(28_418)),
        (
            &seven,
            "disk/S-sda",
            "written_bytes_per_second",
            whole(458_410),
        ),
        (
            &six,
            "disk/ZDH4LYTS",
            "temperature_celsius",
            FieldValue::F64(24.0),
        ),
        (
            &six,
            "disk/ZDH4LYTS",
            "uncorrectable_sectors_count",
            whole(0),
        ),
        (
            &five,
            "disk/WD-WCC7K5YA5H40",
            "smart_status",
            text("testing"),
        ),
        (&five, "disk/Z73095S2", "smart_status", text("safe")),
        (
            &five,
            "volume/volume_1",
            "size_bytes",
            whole(8_846_249_701_376),
        ),
        (
            &five,
            "volume/volume_1",
            "inodes_used_ratio",
            FieldValue::F64(0.0024),
        ),
    ] {
        let found: Vec<_> = told
            .iter()
            .filter(|e| format!("{}/{}", e.entity.entity_type, e.entity.id) == key)
            .filter_map(|e| e.fields.get(field))
            .collect();
        assert_eq!(found, [&value], "{key} {field}");
    }
}
