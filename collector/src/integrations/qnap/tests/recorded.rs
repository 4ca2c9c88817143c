//! Against answers recorded from real NAS, where they are at hand: each stands once where it was recorded, and what is told is
//! held against what was read out of it by others.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::testing::recordings::{self, Became};

/// Where an answer stands, by the end of its name.
const PLACES: &[(&str, &str)] = &[
    ("bandwidth", "bandwidth"),
    ("firmwareupdate", "firm_update"),
    ("login", "login"),
    ("login_with_get", "login"),
    ("smartdiskhealth", "qsmart"),
    ("systemhealth", "sysHealth"),
    ("systemstats", "hd=no"),
    ("volumes", "disk_usage"),
];

fn number(event: &Observation, field: &str) -> Option<f64> {
    event.fields.get(field).and_then(FieldValue::as_f64)
}

fn close(told: Option<f64>, read: &Value, factor: f64) {
    match (told, read.as_f64()) {
        (Some(told), Some(read)) => {
            let read = read * factor;
            assert!(
                (told - read).abs() <= read.abs() * 1e-3 + 0.5,
                "{told} {read}"
            );
        }
        (None, None) => {}
        other => panic!("{other:?}"),
    }
}

/// Holds what is told against what another library read; returns how many values were compared.
fn compare(place: &str, told: &[Observation], read: &Value) -> usize {
    match place {
        "hd=no" => {
            let itself = of(told, "qnap/nas1");
            let usage = number(itself, "cpu_ratio").unwrap() * 100.0;
            assert!((usage - read["cpu"]["usage_percent"].as_f64().unwrap()).abs() < 0.01);
            close(
                number(itself, "cpu_temperature_celsius"),
                &read["cpu"]["temp_c"],
                1.0,
            );
            close(
                number(itself, "system_temperature_celsius"),
                &read["system"]["temp_c"],
                1.0,
            );
            close(
                number(itself, "memory_total_bytes"),
                &read["memory"]["total"],
                1_048_576.0,
            );
            let label = |name| itself.entity.labels.get(name).map_or("", |label| label);
            for (name, there) in [
                ("model", &read["system"]["model"]),
                ("name", &read["system"]["name"]),
                ("serial", &read["system"]["serial_number"]),
                ("version", &read["firmware"]["version"]),
            ] {
                assert_eq!(label(name), there.as_str().unwrap(), "{name}");
            }
            assert_eq!(
                label("cpu_model"),
                read["cpu"]["model"].as_str().unwrap_or_default()
            );
            let up = ["days", "hours", "minutes", "seconds"]
                .map(|part| read["uptime"][part].as_f64().unwrap());
            let up = up[0] * 86400.0 + up[1] * 3600.0 + up[2] * 60.0 + up[3];
            assert_eq!(number(itself, "uptime_seconds"), Some(up));
            let adapters = read["nics"].as_object().unwrap();
            for (id, adapter) in adapters {
                let event = of(told, &format!("qnap_interface/{id}"));
                let up = FieldValue::Bool(adapter["link_status"] == "Up");
                assert_eq!(event.fields.get("link_up"), Some(&up));
                close(
                    number(event, "rx_packets_total"),
                    &adapter["rx_packets"],
                    1.0,
                );
                close(
                    number(event, "tx_packets_total"),
                    &adapter["tx_packets"],
                    1.0,
                );
                close(number(event, "errors_total"), &adapter["err_packets"], 1.0);
            }
            10 + 4 * adapters.len()
        }
        "bandwidth" => {
            let adapters = read.as_object().unwrap();
            for (id, adapter) in adapters {
                let event = of(told, &format!("qnap_interface/{id}"));
                close(number(event, "rx_bytes_per_second"), &adapter["rx"], 1.0);
                close(number(event, "tx_bytes_per_second"), &adapter["tx"], 1.0);
            }
            2 * adapters.len()
        }
        "sysHealth" => {
            let health = of(told, "qnap/nas1").fields.get("health").unwrap();
            assert_eq!(health.to_string(), read.as_str().unwrap());
            1
        }
        "qsmart" => {
            let disks = read.as_object().unwrap();
            for (bay, disk) in disks {
                let name = format!("bay {bay}");
                let is_it =
                    |e: &&Observation| e.entity.labels.get("name").is_some_and(|l| **l == *name);
                let event = told.iter().find(is_it).unwrap();
                close(number(event, "temperature_celsius"), &disk["temp_c"], 1.0);
                let health = event.fields.get("health").unwrap().to_string();
                assert_eq!(health, disk["health"].as_str().unwrap().to_lowercase());
                for (label, there) in [
                    ("kind", "type"),
                    ("model", "model"),
                    ("capacity", "capacity"),
                ] {
                    assert_eq!(&*event.entity.labels[label], disk[there].as_str().unwrap());
                }
            }
            5 * disks.len()
        }
        "disk_usage" => {
            let mut compared = 0;
            for volume in read.as_object().unwrap().values() {
                let event = of(
                    told,
                    &format!("qnap_volume/{}", volume["id"].as_str().unwrap()),
                );
                close(number(event, "size_bytes"), &volume["total_size"], 1.0);
                let used =
                    volume["total_size"].as_u64().unwrap() - volume["free_size"].as_u64().unwrap();
                close(number(event, "used_bytes"), &used.into(), 1.0);
                let folders = volume["folders"].as_array().unwrap().iter();
                for folder in folders.filter(|folder| folder["sharename"] != "System Reserved") {
                    let event = of(
                        told,
                        &format!(
                            "qnap_share/{}/{}",
                            volume["id"].as_str().unwrap(),
                            folder["sharename"].as_str().unwrap()
                        ),
                    );
                    close(number(event, "used_bytes"), &folder["used_size"], 1.0);
                    compared += 1;
                }
                compared += 2;
            }
            compared
        }
        "firm_update" => {
            let version = of(told, "qnap/nas1").fields.get("new_version").unwrap();
            assert_eq!(version.to_string(), read.as_str().unwrap());
            1
        }
        other => panic!("{other}"),
    }
}

/// All that is told where an answer is that of a fake.
async fn told_of(place: &'static str, text: String) -> Result<Vec<Observation>, PollError> {
    let fake = Fake::start().await;
    fake.instead(place, Answer::Text(200, text));
    // a session that it gave
    fake.set(|state| state.sids.push("12345".to_owned()));
    let mut qnap = open(&fake);
    let mut batch = recordings::batch();
    qnap.poll(&mut batch).await?;
    let mut told = checked(batch);
    let beside = listen(&mut qnap).await;
    if place == "firm_update" {
        told = poll(&mut qnap).await;
    }
    told.extend(beside);
    Ok(told)
}

/// What of it is told of that answer.
fn of_answer(place: &str, told: Vec<Observation>) -> Became {
    let rates = ["rx_bytes_per_second", "tx_bytes_per_second"];
    let of_others = ["health", "new_version"];
    match place {
        "login" => Became::Understood("a session".to_owned()),
        "bandwidth" => Became::fields_of(told, &["qnap_interface"], |field| rates.contains(&field)),
        "firm_update" => Became::fields_of(told, &["qnap"], |field| field == "new_version"),
        "sysHealth" => Became::fields_of(told, &["qnap"], |field| field == "health"),
        "qsmart" => Became::of(told, &["qnap_disk"]),
        "disk_usage" => Became::of(told, &["qnap_volume", "qnap_share"]),
        "hd=no" => {
            let system = ["qnap", "qnap_fan", "qnap_interface"];
            Became::fields_of(told, &system, |field| {
                !rates.contains(&field) && !of_others.contains(&field)
            })
        }
        other => panic!("{other}"),
    }
}

/// What the integration makes of one recording; of what another library read out of one, how many values are the same.
pub(crate) async fn read(dir: &Path, name: &str) -> Became {
    let (begin, kind) = name.rsplit_once('.').unwrap();
    let (_, what) = begin.split_once("__").unwrap();
    let place = PLACES.iter().find(|(end, _)| *end == what);
    let (_, place) = place.unwrap_or_else(|| panic!("{name} has no place"));
    let text = std::fs::read_to_string(dir.join(format!("{begin}.xml"))).unwrap();
    match told_of(place, text).await {
        Ok(told) if kind == "json" => {
            let read = std::fs::read_to_string(dir.join(name)).unwrap();
            let compared = compare(place, &told, &serde_json::from_str(&read).unwrap());
            Became::Understood(format!("{compared} values that are told too"))
        }
        Ok(told) => of_answer(place, told),
        Err(e) => e.into(),
    }
}
