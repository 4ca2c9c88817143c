//! Against recorded answers, where they are at hand: each file stands once where it was recorded and is told, or refused as
//! its class; one of a call that is not made stands in for the load, where nothing of it may be understood.

use std::path::Path;

use super::*;
use crate::testing::recordings::{self, Became};

const SYSTEM_CALL: &str = "SYNO.Core.System.info";
const DSM_CALL: &str = "SYNO.DSM.Info.getinfo";
/// What these two calls tell.
const OF_THE_SYSTEM: [&str; 3] = [
    "temperature_celsius",
    "temperature_warning",
    "uptime_seconds",
];

/// Where a file stands, by the end of its name.
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

fn place_of(name: &str) -> Option<&'static str> {
    PLACES
        .iter()
        .find(|(end, _)| name.ends_with(end))
        .map(|(_, place)| *place)
}

/// What the integration makes of one recording, in its place.
pub(crate) async fn read(dir: &Path, name: &str) -> Became {
    let body = std::fs::read_to_string(dir.join(name)).unwrap();
    let dsm = if name.starts_with("dsm_5") { 5 } else { 7 };
    let fake = Fake::start(dsm).await;
    let place = place_of(name);
    let answer = Answer::Text(200, body.clone());
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
            let list: Value = serde_json::from_str(&body).unwrap();
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
            return Became::Understood(format!("{} calls", forms.len()));
        }
        _ => {}
    }
    let mut batch = recordings::batch();
    if let Err(e) = nas.poll(&mut batch).await {
        assert!(!e.message.contains(PASSWORD), "{e}");
        return e.into();
    }
    let mut told = checked(batch);
    match place {
        Some("SYNO.API.Auth.login") => Became::Understood("a session".to_owned()),
        Some("SYNO.API.Auth.logout") => {
            drop(nas);
            Became::Understood("left".to_owned())
        }
        Some(STORAGE_CALL | "storagehandler") => {
            told = heard(&mut nas).await;
            Became::of(told, &["disk", "volume", "pool"])
        }
        Some(LOAD_CALL) => {
            // with the storage it is known whose traffic it is
            let list = json!({"success": true, "data": {
                "disks": (["sda", "sdb", "sdc", "sdf"].map(|id| json!({"id": id, "serial": format!("S-{id}"), "status": "normal"}))),
                "volumes": [{"id": "volume_1", "status": "normal"}]}});
            fake.instead(STORAGE_CALL, Answer::Text(200, list.to_string()));
            heard(&mut nas).await;
            let types = ["nas", "network", "disk", "volume"];
            let told = poll(&mut nas).await;
            Became::fields_of(told, &types, |field| !OF_THE_SYSTEM.contains(&field))
        }
        _ => Became::fields_of(told, &["nas"], |field| OF_THE_SYSTEM.contains(&field)),
    }
}
