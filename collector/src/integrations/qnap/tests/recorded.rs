//! Against answers recorded from real NAS, where they are at hand: each stands once where it was recorded, and what is told is
//! held against what was read out of it by others.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// Where an answer belongs, what then is told (samples of a poll and of what is beside it), or the class.
const FILES: &[(&str, &str, &str)] = &[
    ("TS-110-4.2.4__login.xml", "login", "4 + 3"),
    ("TS-110-4.2.4__smartdiskhealth.xml", "qsmart", "4 + 3"),
    ("TS-251-4.5.1__login.xml", "login", "bad_answer"),
    ("TS-251-4.5.1__login_with_get.xml", "login", "4 + 3"),
    ("TS-251-4.5.1__systemstats.xml", "hd=no", "4 + 3"),
    ("TS-410-4.2.3__login.xml", "login", "4 + 3"),
    ("TS-410-4.2.3__systemstats.xml", "hd=no", "4 + 3"),
    ("TS-420-4.3.3__firmwareupdate.xml", "firm_update", "4 + 3"),
    ("TS-420-4.3.3__login.xml", "login", "4 + 3"),
    ("TS-451-4.2.2__bandwidth.xml", "bandwidth", "4 + 3"),
    ("TS-451-4.2.2__login.xml", "login", "4 + 3"),
    ("TS-451-4.2.2__smartdiskhealth.xml", "qsmart", "4 + 6"),
    ("TS-451-4.2.2__systemhealth.xml", "sysHealth", "4 + 3"),
    ("TS-451-4.2.2__systemstats.xml", "hd=no", "5 + 3"),
    ("TS-451-4.2.2__volumes.xml", "disk_usage", "4 + 12"),
    ("TS-EC1280U-4.5.2__bandwidth.xml", "bandwidth", "9 + 3"),
    ("TS-EC1280U-4.5.2__login.xml", "login", "4 + 3"),
    ("TS-EC1280U-4.5.2__smartdiskhealth.xml", "qsmart", "4 + 16"),
    ("TS-EC1280U-4.5.2__systemhealth.xml", "sysHealth", "4 + 3"),
    ("TS-EC1280U-4.5.2__systemstats.xml", "hd=no", "12 + 3"),
    ("TS-EC1280U-4.5.2__volumes.xml", "disk_usage", "4 + 1"),
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

#[tokio::test]
async fn every_recorded_answer_comes_to_events_or_to_its_class() {
    let Some(dir) = testing::recordings("qnap") else {
        return;
    };
    let mut files: BTreeSet<String> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!files.is_empty());
    let mut compared = 0;
    for (file, place, expected) in FILES {
        assert!(files.remove(*file), "{file}");
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        let fake = Fake::start().await;
        fake.instead(place, Answer::Text(200, text));
        fake.set(|state| state.sids.push("12345".to_owned()));
        let mut qnap = open(&fake);
        let mut batch = testing::batch();
        let (line, told) = if let Err(e) = qnap.poll(&mut batch).await {
            (e.class.as_str().to_owned(), Vec::new())
        } else {
            let mut told = checked(batch);
            let beside = listen(&mut qnap).await;
            let line = format!("{} + {}", told.len(), beside.len());
            if *place == "firm_update" {
                told = poll(&mut qnap).await;
            }
            told.extend(beside);
            (line, told)
        };
        println!("{file:42} {line}");
        assert_eq!(line, *expected, "{file}");
        let read = file.replace(".xml", ".json");
        if files.remove(&read) {
            let read = std::fs::read_to_string(dir.join(read)).unwrap();
            compared += compare(place, &told, &serde_json::from_str(&read).unwrap());
        }
    }
    assert!(files.is_empty(), "each file has its line here: {files:?}");
    assert!(compared > 150, "{compared}");
    println!(
        "{} answers, {compared} values as another library reads them",
        FILES.len()
    );
}
